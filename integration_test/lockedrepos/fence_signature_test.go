package lockedrepos_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
)

// fencedWay is a way to add one to a tally under a lock, with a barrier between
// its read and its write. It returns what the write returned.
type fencedWay struct {
	// one tells that it reads and writes in one call.
	one bool
	add func(ctx context.Context, p *fencedProcess, id string, between func(ctx context.Context)) error
}

func fencedWays() map[string]fencedWay {
	// do reads and writes in two transactions under one hold.
	do := func(read, write func(ctx context.Context, p *fencedProcess, e *fencedTally) error) fencedWay {
		return fencedWay{add: func(ctx context.Context, p *fencedProcess, id string, between func(context.Context)) error {
			written := errors.New("the write was not reached")
			err := p.locker.Do(ctx, p.key, func(ctx context.Context) error {
				e := &fencedTally{ID: id}
				if err := read(ctx, p, e); err != nil {
					return err
				}
				between(ctx)
				e.N++
				written = acknowledged(write(ctx, p, e))
				return written
			})
			if written != nil {
				return errors.Join(written, err)
			}
			return nil // it was written, whatever became of the lock
		}}
	}
	find := func(ctx context.Context, p *fencedProcess, e *fencedTally) error {
		found, err := p.tallies.FindByID(ctx, e.ID)
		if err == nil {
			*e = *found
		}
		return err
	}
	save := func(ctx context.Context, p *fencedProcess, e *fencedTally) error { return p.tallies.Save(ctx, e) }
	smartSave := func(opts ...repo.SmartSaveOption) func(ctx context.Context, p *fencedProcess, e *fencedTally) error {
		return func(ctx context.Context, p *fencedProcess, e *fencedTally) error {
			_, err := p.tallies.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{fmt.Sprintf(`{"id":%q,"n":%d}`, e.ID, e.N)}}, opts...)
			return err
		}
	}
	return map[string]fencedWay{
		"FindByID,Save": do(find, save),
		"FindAllByID,SaveAll": do(func(ctx context.Context, p *fencedProcess, e *fencedTally) error {
			found, err := p.tallies.FindAllByID(ctx, []any{e.ID})
			if err == nil {
				*e = *found[0]
			}
			return err
		}, func(ctx context.Context, p *fencedProcess, e *fencedTally) error {
			return p.tallies.SaveAll(ctx, []*fencedTally{e, {ID: e.ID + " too", N: e.N}})
		}),
		"FindByID,Replace": do(find, smartSave()),
		"FindByID,Merge":   do(find, smartSave(repo.Merge())),
		"FindByID,Update": do(find, func(ctx context.Context, p *fencedProcess, e *fencedTally) error {
			_, err := p.tallies.Update(ctx, e.ID, func(now *fencedTally) error { now.N = e.N; return nil })
			return err
		}),
		"Update": {one: true, add: func(ctx context.Context, p *fencedProcess, id string, between func(context.Context)) error {
			_, err := p.tallies.Update(ctx, id, func(e *fencedTally) error {
				between(ctx)
				e.N++
				return nil
			})
			return acknowledged(err)
		}},
		"InTx": {one: true, add: func(ctx context.Context, p *fencedProcess, id string, between func(context.Context)) error {
			return acknowledged(p.tallies.InTx(ctx, func(ctx context.Context) error {
				e := &fencedTally{ID: id}
				if err := find(ctx, p, e); err != nil {
					return err
				}
				between(ctx)
				e.N++
				return p.tallies.Save(ctx, e)
			}))
		}},
	}
}

// acknowledged is nil for a write that was done, whatever became of its lock.
func acknowledged(err error) error {
	if errors.Is(err, lockedrepo.ErrRelease) {
		return nil
	}
	return err
}

// overlap is the order that a lock on a lease does not survive alone: A reads and
// stops; its lease ends; B reads and waits; A goes on and writes; B writes. B is
// not kept from reading by anything but the database.
func (s *fencedSite) overlap(ctx context.Context, t *testing.T, a, b *fencedProcess, addA, addB func(ctx context.Context, p *fencedProcess, between func(context.Context)) error, blocks bool, pause func(ctx context.Context)) (errA, errB error) {
	t.Helper()
	aRead, bRead, resumeA, resumeB := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	aDone, bDone := make(chan struct{}), make(chan struct{})
	barrier := func(reached, resume chan struct{}, then func(context.Context)) func(context.Context) {
		var once sync.Once
		return func(ctx context.Context) {
			once.Do(func() {
				close(reached)
				<-resume
				then(ctx)
			})
		}
	}
	go func() {
		defer close(aDone)
		errA = addA(ctx, a, barrier(aRead, resumeA, pause))
	}()
	check.Await(ctx, t, aRead, "A to read")
	s.endLease(ctx, t, a.key)
	go func() {
		defer close(bDone)
		errB = addB(ctx, b, barrier(bRead, resumeB, func(context.Context) {}))
	}()
	if blocks {
		check.Await(ctx, t, b.taken, "B to take the lock")
		if !a.ears.hear() { // one that hears rolls back, and may have done so
			s.store.awaitBlocked(ctx, t)
		}
	} else {
		check.Await(ctx, t, bRead, "B to read")
	}
	close(resumeA)
	check.Await(ctx, t, aDone, "A to write")
	close(resumeB)
	check.Await(ctx, t, bDone, "B to write")
	return errA, errB
}

// A does not know that its lease has ended: only the database can refuse it.
func TestLockedFence_HolderThatDoesNotKnow(t *testing.T) {
	onFencedStores(t, func(ctx context.Context, t *testing.T, s *fencedSite) {
		for name, way := range fencedWays() {
			t.Run(name, func(t *testing.T) {
				if name == "InTx" && !s.store.inOneTransaction() {
					t.Skip("the stand-in for MongoDB has no transactions")
				}
				key := servers.UniqueName("key-")
				a, b := s.process(t, key), s.process(t, key)
				s.tally(t, name, 10)
				a.ears.shut()
				add := func(ctx context.Context, p *fencedProcess, between func(context.Context)) error {
					return way.add(ctx, p, name, between)
				}
				one := way.one && s.store.inOneTransaction()
				errA, errB := s.overlap(ctx, t, a, b, add, add, one, func(context.Context) {})
				check.Must(t, errB)
				if one {
					// B's claim waited for A's transaction, so B has read what A wrote.
					check.Must(t, errA)
					s.want(t, name, 12)
					return
				}
				if !errors.Is(errA, repo.ErrFenced) || errors.Is(errA, repo.ErrRegressed) {
					t.Errorf("A got %v", errA)
				}
				s.want(t, name, 11)
			})
		}
	})
}

// A hears of the end of its lease while it stops, and does not write at all.
func TestLockedFence_HolderThatKnows(t *testing.T) {
	onFencedStores(t, func(ctx context.Context, t *testing.T, s *fencedSite) {
		for name, way := range fencedWays() {
			t.Run(name, func(t *testing.T) {
				if name == "InTx" && !s.store.inOneTransaction() {
					t.Skip("the stand-in for MongoDB has no transactions")
				}
				key := servers.UniqueName("key-")
				a, b := s.process(t, key), s.process(t, key)
				s.tally(t, name, 10)
				add := func(ctx context.Context, p *fencedProcess, between func(context.Context)) error {
					return way.add(ctx, p, name, between)
				}
				one := way.one && s.store.inOneTransaction()
				errA, errB := s.overlap(ctx, t, a, b, add, add, one, func(ctx context.Context) {
					if name == "Update" { // its function has no context of the hold
						check.Await(ctx, t, a.lost, "the news of the loss")
					} else {
						<-ctx.Done()
					}
				})
				check.Must(t, errB)
				switch {
				case errors.Is(errA, etcdlock.ErrLost), errors.Is(errA, repo.ErrFenced):
					s.want(t, name, 11)
				case errA == nil && one && name == "Update": // the end of its context was later still
					s.want(t, name, 12)
				default:
					t.Errorf("A got %v", errA)
				}
			})
		}
	})
}

// A deletes what it has read, too late.
func TestLockedFence_LateDelete(t *testing.T) {
	onFencedStores(t, func(ctx context.Context, t *testing.T, s *fencedSite) {
		deletes := map[string]func(ctx context.Context, p *fencedProcess, e *fencedTally) error{
			"Delete": func(ctx context.Context, p *fencedProcess, e *fencedTally) error { return p.tallies.Delete(ctx, e) },
			"DeleteByID": func(ctx context.Context, p *fencedProcess, e *fencedTally) error {
				return p.tallies.DeleteByID(ctx, e.ID)
			},
			"DeleteAllByID": func(ctx context.Context, p *fencedProcess, e *fencedTally) error {
				_, err := p.tallies.DeleteAllByID(ctx, []any{e.ID})
				return err
			},
		}
		for name, del := range deletes {
			t.Run(name, func(t *testing.T) {
				key := servers.UniqueName("key-")
				a, b := s.process(t, key), s.process(t, key)
				s.tally(t, name, 10)
				a.ears.shut()
				var deleted error
				errA, errB := s.overlap(ctx, t, a, b, func(ctx context.Context, p *fencedProcess, between func(context.Context)) error {
					return p.locker.Do(ctx, p.key, func(ctx context.Context) error {
						e, err := p.tallies.FindByID(ctx, name)
						if err != nil {
							return err
						}
						between(ctx)
						deleted = del(ctx, p, e)
						return deleted
					})
				}, func(ctx context.Context, p *fencedProcess, between func(context.Context)) error {
					return fencedWays()["FindByID,Save"].add(ctx, p, name, between)
				}, false, func(context.Context) {})
				check.Must(t, errB)
				if !errors.Is(deleted, repo.ErrFenced) || !errors.Is(errA, etcdlock.ErrLost) {
					t.Errorf("A got %v", errA)
				}
				s.want(t, name, 11)
			})
		}
	})
}
