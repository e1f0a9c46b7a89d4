package lock_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
)

// A hold that lingers leaves for a process that queues: with an hour to linger,
// nothing else would let the others in.
func TestLockLinger_LeavesForOthers(t *testing.T) {
	t.Parallel()
	endpoints := embedded.EtcdEndpoints(t)
	others := foreigners(t, embedded.EtcdClient(t), endpoints)
	others["Holdfast"] = nil
	for name, other := range others {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, time.Minute)
			f := locks.NewFleet(t, endpoints)
			opts := etcdlock.Options{RawNames: true, Linger: time.Hour}
			l := f.Locker(&opts)
			if other == nil {
				other = holdfast{f.Locker(&opts)}
			}
			lock := servers.UniqueName("linger-")
			last := int64(0)
			for range 3 {
				k := locks.MustLock(ctx, t, l, lock)
				if k.Token() <= last {
					t.Errorf("token %d after %d", k.Token(), last)
				}
				last = k.Token()
				locks.MustUnlock(ctx, t, k)
				unlock, err := other.lock(ctx, lock)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := l.TryLock(ctx, lock); !errors.Is(err, etcdlock.ErrHeld) {
					t.Errorf("TryLock while the other holds: %v", err)
				}
				if err := unlock(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

type holdfast struct{ l *etcdlock.Locker }

func (h holdfast) lock(ctx context.Context, name string) (func() error, error) {
	k, err := h.l.Lock(ctx, name)
	if err != nil {
		return nil, err
	}
	return func() error { return k.Unlock(context.Background()) }, nil
}

// It ends by itself, and what follows is a new hold.
func TestLockLinger_Ends(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(nil)
	first := locks.MustLock(ctx, t, l, "n")
	locks.MustUnlock(ctx, t, first)
	f.AwaitQueue(ctx, "n", 0)
	second := locks.MustLock(ctx, t, l, "n")
	if second.Token() <= first.Token() || turnOf(second, "n") != 1 {
		t.Errorf("token %d, turn %d after token %d", second.Token(), turnOf(second, "n"), first.Token())
	}
	locks.MustUnlock(ctx, t, second)
}

// Where processes compete, a hold goes at once: lingering would only make the
// next wait longer.
func TestLockLinger_NotUnderContention(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	one, two := f.Locker(&etcdlock.Options{Linger: time.Hour}), f.Locker(&etcdlock.Options{Linger: time.Hour})
	first := locks.MustLock(ctx, t, one, "n")
	next := goLock(func() (*etcdlock.Lock, error) { return two.Lock(ctx, "n") })
	f.AwaitQueue(ctx, "n", 2)
	locks.MustUnlock(ctx, t, first)
	second, err := next.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, second)
	f.AwaitQueue(ctx, "n", 0)
}

// A hold that lingers makes way for a TryLock of another process. One that is in use is
// held.
func TestLockLinger_TryLock(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l, other := f.Locker(&etcdlock.Options{Linger: time.Hour}), f.Locker(nil)
	locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, l, "a"))
	locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, l, "b"))
	used := locks.MustLock(ctx, t, l, "e")
	if _, err := other.TryLock(ctx, "e"); !errors.Is(err, etcdlock.ErrHeld) {
		t.Errorf("TryLock of another process: %v", err)
	}
	locks.MustUnlock(ctx, t, used)
	locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, l, "f"))
	locks.MustUnlock(ctx, t, mustTry(ctx, t, other, "e", "f"))
	k, err := l.TryLock(ctx, "c", "b", "a") // two of them linger
	if err != nil {
		t.Fatal(err)
	}
	if n := turnOf(k, "a"); n != 2 {
		t.Errorf("turn %d of the hold that lingered", n)
	}
	locks.MustUnlock(ctx, t, k)
	// One that is on its way out is not in the way.
	short := f.Locker(&etcdlock.Options{Linger: time.Nanosecond})
	for range 50 {
		k, err := short.TryLock(ctx, "d")
		if err != nil {
			t.Fatal(err)
		}
		locks.MustUnlock(ctx, t, k)
	}
}

// A hold that is lost while it lingers is not used again.
func TestLockLinger_Loss(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(&etcdlock.Options{TTL: time.Hour, Linger: time.Hour})
	for name, lose := range map[string]func() error{
		"KeyDeleted": func() error {
			_, err := f.Cli.Delete(ctx, f.AwaitQueue(ctx, "n", 1)[0])
			return err
		},
		"LeaseRevoked": func() error {
			_, err := f.Cli.Revoke(ctx, leaseOf(ctx, t, l, "n"))
			return err
		},
	} {
		first := locks.MustLock(ctx, t, l, "n")
		locks.MustUnlock(ctx, t, first)
		if err := lose(); err != nil {
			t.Fatal(err)
		}
		check.Eventually(ctx, t, "the loss to be noticed: "+name, func() bool {
			k := locks.MustLock(ctx, t, l, "n")
			_ = k.Unlock(ctx) // may be what notices it
			return k.Token() > first.Token()
		})
	}
}

// Close gives back what lingers at once, also while something else is held.
func TestLockLinger_Close(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(&etcdlock.Options{Linger: time.Hour})
	held := locks.MustLock(ctx, t, l, "held")
	locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, l, "n"))
	closed := make(chan error, 1)
	go func() { closed <- l.Close(ctx) }()
	f.AwaitQueue(ctx, "n", 0)
	locks.MustUnlock(ctx, t, held)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	f.AwaitQueue(ctx, "held", 0)
}

// A nested lock ends with the turn of the outermost, although the hold stays.
func TestLockLinger_Nested(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(&etcdlock.Options{Linger: time.Hour})
	outer := locks.MustLock(ctx, t, l, "n")
	inner := locks.MustLock(outer.Context(), t, l, "n")
	if turnOf(inner, "n") != turnOf(outer, "n") {
		t.Errorf("turn %d nested in turn %d", turnOf(inner, "n"), turnOf(outer, "n"))
	}
	locks.MustUnlock(ctx, t, outer)
	check.Await(ctx, t, inner.Context().Done(), "the nested hold to end")
	if _, err := l.Lock(context.WithoutCancel(inner.Context()), "n"); !errors.Is(err, etcdlock.ErrLost) {
		t.Errorf("locking under a turn that is over: %v", err)
	}
	again := locks.MustLock(ctx, t, l, "n")
	locks.MustUnlock(ctx, t, inner)
	locks.MustUnlock(ctx, t, outer)
	if again.Context().Err() != nil || turnOf(again, "n") != 2 {
		t.Errorf("the next turn, %d, ended with the one before: %v", turnOf(again, "n"), context.Cause(again.Context()))
	}
	locks.MustUnlock(ctx, t, again)
}
