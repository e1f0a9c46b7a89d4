package etcdlock

import (
	"context"
	"errors"
	"testing"
	"time"
)

// When the next goroutine has the lock, every context of the Lock before has ended: its
// own, those of Locks nested in it, and all that are bound to one of them.
func TestContexts_EndBeforeTheNextTurn(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, nil)
	for name, names := range map[string][]string{"One": {"n"}, "Several": {"m", "n"}} {
		t.Run(name, func(t *testing.T) {
			for range 100 {
				outer, err := l.Lock(t.Context(), names...)
				if err != nil {
					t.Fatal(err)
				}
				inner, err := l.Lock(outer.Context(), "n")
				if err != nil {
					t.Fatal(err)
				}
				deeper, err := l.Lock(inner.Context(), "n", "o")
				if err != nil {
					t.Fatal(err)
				}
				all := map[string]context.Context{"outer": outer.Context(), "inner": inner.Context(), "deeper": deeper.Context()}
				for what, k := range map[string]*Lock{"outer": outer, "inner": inner, "deeper": deeper} {
					bound, cancel := k.Bind(t.Context())
					defer cancel()
					all["bound to "+what] = bound
				}
				next := make(chan *Lock)
				go func() {
					k := lockNow(t, l, "n")
					for what, ctx := range all {
						if ctx.Err() == nil {
							t.Errorf("the context goes on: %s", what)
						}
					}
					next <- k
				}()
				inLine(t, l, "n", 1)
				unlockNow(t, outer)
				unlockNow(t, <-next)
				for _, k := range []*Lock{inner, deeper} {
					_ = k.Unlock(t.Context()) // its hold has ended, which is no news
				}
				if t.Failed() {
					return
				}
			}
		})
	}
}

// A call whose context was cancelled before the name was free does not succeed, and
// what came is for others.
func TestContexts_CancelledBeforeTheNameWasFree(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, &Options{TTL: time.Hour, Linger: time.Hour})
	for name, names := range map[string][]string{"One": {"n"}, "Several": {"m", "n"}} {
		t.Run(name, func(t *testing.T) {
			for range 200 {
				k := lockNow(t, l, "n")
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() {
					k, err := l.Lock(ctx, names...)
					if err == nil {
						unlockNow(t, k)
					}
					done <- err
				}()
				inLine(t, l, "n", 1)
				cancel()
				unlockNow(t, k)
				if err := <-done; !errors.Is(err, context.Canceled) {
					t.Fatalf("got %v", err)
				}
			}
		})
	}
	// Both are there at the same time: chance decides what a wait sees first.
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		r := &request{names: []string{"n"}, wait: true, ended: over.Err}
		if _, err := l.takeAll(context.WithoutCancel(over), r, nil, nil); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	}
	unlockNow(t, lockNow(t, l, "m"))
}

// Unlock of a fixed term tells that the key was taken away, also at once, when no watch has.
func TestFixedTerm_UnlockTellsOfALoss(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	l, other := lockerOn(t, srv, nil, nil, nil), lockerOn(t, srv, &Options{Linger: NoLinger}, nil, nil)
	for _, names := range [][]string{{"n"}, {"m", "n", "o"}} {
		k, err := l.LockWithTTL(t.Context(), time.Hour, names...)
		if err != nil {
			t.Fatal(err)
		}
		queue, err := other.Holders(t.Context(), "n")
		if err == nil {
			err = other.Evict(t.Context(), queue[0])
		}
		if err != nil {
			t.Fatal(err)
		}
		second := lockNow(t, other, "n")
		if err := k.Unlock(t.Context()); !errors.Is(err, ErrLost) {
			t.Errorf("got %v", err)
		}
		unlockNow(t, second)
		for _, name := range names {
			awaitQueue(t, srv, name, 0)
		}
	}
}
