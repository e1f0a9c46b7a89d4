package lockedrepo_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/internal/etcdtest"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
)

// Every call takes the old locks after that in etcd, and gives them back before it.
func TestAlso_EveryWrite(t *testing.T) {
	t.Parallel()
	for name, c := range calls {
		if !c.locked {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, newer := newOldLocks(), newOldLocks()
			worked := 0
			b := setup(t, func(_ *bundle, _ context.Context, method string) error {
				worked++
				if !old.isHeld("b") || !newer.isHeld("a") {
					t.Errorf("%s works without the old locks", method)
				}
				return nil
			})
			old.note = func(event string) {
				if !b.isHeld(t.Context(), t) || !newer.isHeld("a") {
					t.Errorf("%s without those before it", event)
				}
			}
			newer.note = func(event string) {
				if !b.isHeld(t.Context(), t) || old.isHeld("b") {
					t.Errorf("%s out of order", event)
				}
			}
			if err := b.inner.Repository.Save(t.Context(), &order{ID: "1"}); err != nil {
				t.Fatal(err)
			}
			r := b.withOld(t, lockedrepo.Options{}, old.also("b"), newer.also("a"), old.also("b"))
			if err := c.call(t.Context(), r); err != nil || worked == 0 {
				t.Fatalf("%v after %d calls", err, worked)
			}
			old.want(t, "lock b", "unlock b")
			newer.want(t, "lock a", "unlock a")
			b.isFree(t, old, "b")
		})
	}
}

// What cannot be had is an error, nothing is written, and all that was had is given back.
func TestAlso_CannotBeHad(t *testing.T) {
	t.Parallel()
	down := errors.New("connection refused")
	for name, c := range map[string]struct {
		refuses error
		taken   bool
		want    error
	}{
		"TakenByAnother": {taken: true, want: etcdlock.ErrTimeout},
		"Down":           {refuses: down, want: etcdlock.ErrUnavailable},
		"Refused":        {refuses: etcdlock.ErrRefused, want: etcdlock.ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := newOldLocks(), newOldLocks()
			second.refuses = c.refuses
			b := setup(t, nil)
			if c.taken {
				second.lock(t, "b")
			}
			r := b.withOld(t, lockedrepo.Options{LockTimeout: 30 * time.Millisecond}, first.also("a"), second.also("b"))
			for name, call := range map[string]func(context.Context) error{
				"Save": save(r),
				"InTx": func(ctx context.Context) error { return r.InTx(ctx, save(r)) },
				"Do":   func(ctx context.Context) error { return r.Do(ctx, save(r)) },
			} {
				err := call(t.Context())
				if !errors.Is(err, c.want) || errors.Is(err, lockedrepo.ErrRelease) || c.refuses != nil && !errors.Is(err, c.refuses) {
					t.Errorf("%s: %v, want %v", name, err, c.want)
				}
				first.want(t, "lock a", "unlock a")
			}
			b.stored(t, "2", false)
			b.isFree(t, first, "a")
		})
	}
}

func TestAlso_CallerGivesUp(t *testing.T) {
	t.Parallel()
	old, b := newOldLocks(), setup(t, nil)
	old.lock(t, "a")
	r := b.withOld(t, lockedrepo.Options{}, old.also("a"))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-old.waiting
		cancel()
	}()
	if err := save(r)(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, etcdlock.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	b.isFree(t, old)
}

// The lock in etcd is lost while the old one is waited for.
func TestAlso_LostWhileWaiting(t *testing.T) {
	t.Parallel()
	old, b := newOldLocks(), setup(t, nil)
	old.lock(t, "a")
	r := b.withOld(t, lockedrepo.Options{}, old.also("a"))
	go func() {
		<-old.waiting
		_ = b.cluster.Expire(context.WithoutCancel(t.Context()), b.locker, key)
	}()
	if err := save(r)(t.Context()); !errors.Is(err, etcdlock.ErrLost) {
		t.Errorf("got %v", err)
	}
	b.stored(t, "2", false)
}

// An old lock that is lost ends the work.
func TestAlso_Lost(t *testing.T) {
	t.Parallel()
	old := newOldLocks()
	b := setup(t, func(_ *bundle, ctx context.Context, _ string) error {
		old.lose("b")
		<-ctx.Done()
		return ctx.Err()
	})
	r := b.withOld(t, lockedrepo.Options{}, old.also("a"), old.also("b"))
	for name, call := range map[string]func(context.Context) error{
		"Save": save(r),
		"InTx": func(ctx context.Context) error { return r.InTx(ctx, save(r)) },
		"Do":   func(ctx context.Context) error { return r.Do(ctx, save(r)) },
	} {
		err := call(t.Context())
		if !errors.Is(err, etcdlock.ErrLost) || !errors.Is(err, errExpired) || errors.Is(err, lockedrepo.ErrRelease) {
			t.Errorf("%s: %v", name, err)
		}
		old.want(t, "lock a", "lock b", "unlock b", "unlock a")
	}
	b.isFree(t, old, "a", "b")
}

// A lock that could not be given back, or is found to be lost only then.
func TestAlso_Release(t *testing.T) {
	t.Parallel()
	stuck := errors.New("connection reset")
	for name, c := range map[string]struct {
		sticks, want error
		lose         bool
	}{
		"Stuck": {stuck, etcdlock.ErrUnavailable, false},
		"Lost":  {nil, etcdlock.ErrLost, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, b := newOldLocks(), setup(t, nil)
			old.sticks = c.sticks
			inner := afterwards{b.inner.Repository, func(context.Context) error {
				if c.lose {
					old.lose("a")
				}
				return nil
			}}
			r, err := lockedrepo.New[order](inner, b.locker, &lockedrepo.Options{Key: key, Also: []lockedrepo.Also{old.also("a")}})
			if err != nil {
				t.Fatal(err)
			}
			if err := save(r)(t.Context()); !errors.Is(err, lockedrepo.ErrRelease) || !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			b.stored(t, "2", true)
			b.isFree(t, old, "a")
		})
	}
}

func TestAlso_Panics(t *testing.T) {
	t.Parallel()
	old, broken := newOldLocks(), newOldLocks()
	broken.note = func(string) { panic("boom") }
	b := setup(t, func(*bundle, context.Context, string) error { panic("boom") })
	works := b.withOld(t, lockedrepo.Options{}, old.also("a"))
	fails := b.withOld(t, lockedrepo.Options{}, old.also("a"), broken.also("b"))
	for name, call := range map[string]func(context.Context) error{
		"Save":  save(works),
		"InTx":  func(ctx context.Context) error { return works.InTx(ctx, save(works)) },
		"Do":    func(ctx context.Context) error { return works.Do(ctx, save(works)) },
		"Lock":  save(fails),
		"LockT": func(ctx context.Context) error { return fails.InTx(ctx, save(fails)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: the panic was swallowed", name)
				}
			}()
			_ = call(t.Context())
		}()
		old.want(t, "lock a", "unlock a")
		b.isFree(t, old, "a")
	}
}

// Calls that wait together take the old lock once.
func TestAlso_Together(t *testing.T) {
	t.Parallel()
	const callers = 20
	old, b := newOldLocks(), setup(t, nil)
	// The plain repository saves groups; the bundle's own does not.
	r, err := lockedrepo.New(b.inner.Repository, b.locker, &lockedrepo.Options{Key: key, Also: []lockedrepo.Also{old.also("a")}})
	if err != nil {
		t.Fatal(err)
	}
	theirs := old.lock(t, "a")
	var g sync.WaitGroup
	for i := range callers {
		g.Go(func() {
			if err := r.Save(t.Context(), &order{ID: string(rune('a' + i))}); err != nil {
				t.Error(err)
			}
		})
		if i == 0 {
			<-old.waiting // the first has the lock in etcd
		}
	}
	etcdtest.Eventually(t, "the callers", func() bool { return r.Pending() == callers })
	if err := theirs.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.Wait()
	old.want(t, "lock a", "unlock a", "unlock a", "lock a", "unlock a")
	if n, err := b.inner.Count(t.Context()); n != callers || err != nil {
		t.Errorf("%d orders, %v", n, err)
	}
	b.isFree(t, old, "a")
}

// A batch fails as its locks do: everybody leaves, or everybody is told.
func TestAlso_TogetherInVain(t *testing.T) {
	t.Parallel()
	old, b := newOldLocks(), setup(t, nil)
	r, err := lockedrepo.New(b.inner.Repository, b.locker, &lockedrepo.Options{Key: key, LockTimeout: 200 * time.Millisecond, Also: []lockedrepo.Also{old.also("a")}})
	if err != nil {
		t.Fatal(err)
	}
	theirs := old.lock(t, "a")
	together := func(want error) {
		var g sync.WaitGroup
		for range 5 {
			g.Go(func() {
				if err := save(r)(t.Context()); !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			})
		}
		g.Wait()
		b.isFree(t, old)
		b.stored(t, "2", false)
	}
	together(etcdlock.ErrTimeout)
	if err := theirs.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	old.refuses = errors.New("down")
	together(etcdlock.ErrUnavailable)
}

func TestAlso_Options(t *testing.T) {
	t.Parallel()
	old, b := newOldLocks(), setup(t, nil)
	for name, also := range map[string]lockedrepo.Also{
		"NoLocker":   {Name: "a"},
		"Nil":        {Locker: (*oldLocks)(nil)},
		"Comparable": {Locker: byValue{}},
	} {
		if _, err := lockedrepo.New[order](b.inner, b.locker, &lockedrepo.Options{Key: key, Also: []lockedrepo.Also{also}}); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The name is the key by default, and what the caller gave is not changed.
	given := []lockedrepo.Also{old.also("z"), {Locker: old}}
	if err := save(b.withOld(t, lockedrepo.Options{}, given...))(t.Context()); err != nil || given[1].Name != "" {
		t.Error(err, given)
	}
	old.want(t, "lock "+key, "lock z", "unlock z", "unlock "+key)
}

// byValue cannot be compared.
type byValue []string

func (byValue) Lock(context.Context, string) (lockedrepo.OtherLock, error) { return nil, nil }
