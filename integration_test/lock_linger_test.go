package integration_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
)

// A hold that lingers leaves for a process that queues: with an hour to linger,
// nothing else would let the others in.
func TestLockLinger_LeavesForOthers(t *testing.T) {
	t.Parallel()
	endpoints := etcdEndpoints(t)
	others := foreigners(t, etcdClient(t), endpoints)
	others["Holdfast"] = nil
	for name, other := range others {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := bounded(t, time.Minute)
			f := newFleet(t, endpoints)
			opts := etcdlock.Options{RawNames: true, Linger: time.Hour}
			l := f.locker(&opts)
			if other == nil {
				other = holdfast{f.locker(&opts)}
			}
			lock := uniqueName("linger-")
			last := int64(0)
			for range 3 {
				k := mustLock(ctx, t, l, lock)
				if k.Token() <= last {
					t.Errorf("token %d after %d", k.Token(), last)
				}
				last = k.Token()
				mustUnlock(ctx, t, k)
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
	ctx := bounded(t, time.Minute)
	f := newFleet(t, etcdEndpoints(t))
	l := f.locker(nil)
	first := mustLock(ctx, t, l, "n")
	mustUnlock(ctx, t, first)
	f.awaitQueue(ctx, "n", 0)
	second := mustLock(ctx, t, l, "n")
	if second.Token() <= first.Token() || turnOf(second, "n") != 1 {
		t.Errorf("token %d, turn %d after token %d", second.Token(), turnOf(second, "n"), first.Token())
	}
	mustUnlock(ctx, t, second)
}

// Where processes compete, a hold goes at once: lingering would only make the
// next wait longer.
func TestLockLinger_NotUnderContention(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, time.Minute)
	f := newFleet(t, etcdEndpoints(t))
	one, two := f.locker(&etcdlock.Options{Linger: time.Hour}), f.locker(&etcdlock.Options{Linger: time.Hour})
	first := mustLock(ctx, t, one, "n")
	next := goLock(func() (*etcdlock.Lock, error) { return two.Lock(ctx, "n") })
	f.awaitQueue(ctx, "n", 2)
	mustUnlock(ctx, t, first)
	second, err := next.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	mustUnlock(ctx, t, second)
	f.awaitQueue(ctx, "n", 0)
}

// A hold that lingers makes way for a TryLock of another process. One that is in use is
// held.
func TestLockLinger_TryLock(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, time.Minute)
	f := newFleet(t, etcdEndpoints(t))
	l, other := f.locker(&etcdlock.Options{Linger: time.Hour}), f.locker(nil)
	mustUnlock(ctx, t, mustLock(ctx, t, l, "a"))
	mustUnlock(ctx, t, mustLock(ctx, t, l, "b"))
	used := mustLock(ctx, t, l, "e")
	if _, err := other.TryLock(ctx, "e"); !errors.Is(err, etcdlock.ErrHeld) {
		t.Errorf("TryLock of another process: %v", err)
	}
	mustUnlock(ctx, t, used)
	mustUnlock(ctx, t, mustLock(ctx, t, l, "f"))
	mustUnlock(ctx, t, mustTry(ctx, t, other, "e", "f"))
	k, err := l.TryLock(ctx, "c", "b", "a") // two of them linger
	if err != nil {
		t.Fatal(err)
	}
	if n := turnOf(k, "a"); n != 2 {
		t.Errorf("turn %d of the hold that lingered", n)
	}
	mustUnlock(ctx, t, k)
	// One that is on its way out is not in the way.
	short := f.locker(&etcdlock.Options{Linger: time.Nanosecond})
	for range 50 {
		k, err := short.TryLock(ctx, "d")
		if err != nil {
			t.Fatal(err)
		}
		mustUnlock(ctx, t, k)
	}
}

// A hold that is lost while it lingers is not used again.
func TestLockLinger_Loss(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, time.Minute)
	f := newFleet(t, etcdEndpoints(t))
	l := f.locker(&etcdlock.Options{TTL: time.Hour, Linger: time.Hour})
	for name, lose := range map[string]func() error{
		"KeyDeleted": func() error {
			_, err := f.cli.Delete(ctx, f.awaitQueue(ctx, "n", 1)[0])
			return err
		},
		"LeaseRevoked": func() error {
			_, err := f.cli.Revoke(ctx, leaseOf(ctx, t, l, "n"))
			return err
		},
	} {
		first := mustLock(ctx, t, l, "n")
		mustUnlock(ctx, t, first)
		if err := lose(); err != nil {
			t.Fatal(err)
		}
		eventually(ctx, t, "the loss to be noticed: "+name, func() bool {
			k := mustLock(ctx, t, l, "n")
			_ = k.Unlock(ctx) // may be what notices it
			return k.Token() > first.Token()
		})
	}
}

// Close gives back what lingers at once, also while something else is held.
func TestLockLinger_Close(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, time.Minute)
	f := newFleet(t, etcdEndpoints(t))
	l := f.locker(&etcdlock.Options{Linger: time.Hour})
	held := mustLock(ctx, t, l, "held")
	mustUnlock(ctx, t, mustLock(ctx, t, l, "n"))
	closed := make(chan error, 1)
	go func() { closed <- l.Close(ctx) }()
	f.awaitQueue(ctx, "n", 0)
	mustUnlock(ctx, t, held)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	f.awaitQueue(ctx, "held", 0)
}

// A nested lock ends with the turn of the outermost, although the hold stays.
func TestLockLinger_Nested(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, time.Minute)
	f := newFleet(t, etcdEndpoints(t))
	l := f.locker(&etcdlock.Options{Linger: time.Hour})
	outer := mustLock(ctx, t, l, "n")
	inner := mustLock(outer.Context(), t, l, "n")
	if turnOf(inner, "n") != turnOf(outer, "n") {
		t.Errorf("turn %d nested in turn %d", turnOf(inner, "n"), turnOf(outer, "n"))
	}
	mustUnlock(ctx, t, outer)
	await(ctx, t, inner.Context().Done(), "the nested hold to end")
	if _, err := l.Lock(context.WithoutCancel(inner.Context()), "n"); !errors.Is(err, etcdlock.ErrLost) {
		t.Errorf("locking under a turn that is over: %v", err)
	}
	again := mustLock(ctx, t, l, "n")
	mustUnlock(ctx, t, inner)
	mustUnlock(ctx, t, outer)
	if again.Context().Err() != nil || turnOf(again, "n") != 2 {
		t.Errorf("the next turn, %d, ended with the one before: %v", turnOf(again, "n"), context.Cause(again.Context()))
	}
	mustUnlock(ctx, t, again)
}
