package lockedrepos_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
)

// lateSaver keeps saves back, and lets them go when their context has ended.
type lateSaver struct {
	repo.Repository[fencedTally]
	reached, resume chan struct{}
}

func (l *lateSaver) Unwrap() repo.Repository[fencedTally] { return l.Repository }

func (l *lateSaver) Save(ctx context.Context, e *fencedTally) error {
	close(l.reached)
	<-l.resume
	return l.Repository.Save(context.WithoutCancel(ctx), e)
}

// A goroutine gives its turn back while a save of it is still on its way. The
// hold goes to the next one, whose token is the same.
func TestLockedFence_LateWriteOfAnEarlierTurn(t *testing.T) {
	onFencedStores(t, func(ctx context.Context, t *testing.T, s *fencedSite) {
		s.tally(t, "a", 10)
		p, key := s.process(t, servers.UniqueName("key-")), servers.UniqueName("key-")
		p.locker = s.Locker(&etcdlock.Options{Linger: time.Minute}) // so that the hold stays
		late := &lateSaver{storeOf[fencedTally](t, s.store), make(chan struct{}), make(chan struct{})}
		slow, quick := lockedOf(t, p, late, key), lockedOf(t, p, p.store, key)

		first := locks.MustLock(ctx, t, p.locker, key)
		done := make(chan error)
		go func() { done <- slow.Save(first.Context(), &fencedTally{ID: "a", N: 99}) }()
		check.Await(ctx, t, late.reached, "the save to be on its way")
		locks.MustUnlock(ctx, t, first)
		_, err := quick.Update(ctx, "a", func(e *fencedTally) error { e.N++; return nil })
		check.Must(t, err)
		close(late.resume)

		err = <-done
		var refused *repo.FencedError
		if !errors.As(err, &refused) {
			t.Fatalf("got %v", err)
		}
		was, is := refused.Presented, refused.Stored
		if was.Token != is.Token || was.Owner != is.Owner || was.Sub>>32 != 1 || is.Sub>>32 != 2 {
			t.Errorf("it was not refused for its turn: %v", err)
		}
		s.want(t, "a", 11)
	})
}

// Goroutines that share a hold take turns at the database: none is refused.
func TestLockedFence_SharedHold(t *testing.T) {
	onFencedStores(t, func(ctx context.Context, t *testing.T, s *fencedSite) {
		s.tally(t, "a", 0)
		p := s.process(t, servers.UniqueName("key-"))
		check.Must(t, p.locker.Do(ctx, p.key, func(ctx context.Context) error {
			var g errgroup.Group
			for n := range 8 {
				g.Go(func() error { return p.tallies.Save(ctx, &fencedTally{ID: fmt.Sprint(n), N: int64(n)}) })
				g.Go(func() error {
					_, err := p.tallies.Update(ctx, "a", func(e *fencedTally) error { e.N++; return nil })
					return err
				})
				g.Go(func() error {
					_, err := p.tallies.FindAllByID(ctx, []any{"a", fmt.Sprint(n)})
					return err
				})
			}
			return g.Wait()
		}))
		s.want(t, "a", 8)
		for n := range 8 {
			s.want(t, fmt.Sprint(n), int64(n))
		}
	})
}

// A function of Update that saves by another context than its own waits for
// itself, and that ends.
func TestLockedFence_WaitingForItself(t *testing.T) {
	onFencedStores(t, func(ctx context.Context, t *testing.T, s *fencedSite) {
		s.tally(t, "a", 10)
		p := s.process(t, servers.UniqueName("key-"))
		impatient, err := lockedrepo.New(p.store, p.locker, &lockedrepo.Options{Key: p.key, LockTimeout: 100 * time.Millisecond})
		check.Must(t, err)
		itself := func(ctx context.Context) error {
			_, err := impatient.Update(ctx, "a", func(e *fencedTally) error {
				e.N = 99
				return impatient.Save(ctx, &fencedTally{ID: "b"})
			})
			return err
		}
		if err := itself(ctx); !errors.Is(err, etcdlock.ErrTimeout) {
			t.Errorf("without a hold: got %v", err)
		}
		if err := p.locker.Do(ctx, p.key, itself); !errors.Is(err, etcdlock.ErrTimeout) {
			t.Errorf("under a hold: got %v", err)
		}
		s.want(t, "a", 10)
		check.Must(t, impatient.Save(ctx, &fencedTally{ID: "b", N: 1}))
		s.want(t, "b", 1)
	})
}
