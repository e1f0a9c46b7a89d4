package locktest

import (
	"context"
	"errors"

	"github.com/holdfast-go/holdfast/etcdlock"
)

func closeRefusesNewLocks(t T, h Harness) {
	b := newBench(t, h)
	l, other := b.locker(), b.locker()
	b.free(l, "closed")
	for range 2 {
		if err := l.Close(b.patient()); err != nil {
			b.Fatalf("Close: %v", err)
		}
		for _, call := range []func(context.Context, ...string) (Lock, error){l.Lock, l.TryLock} {
			k, err := call(b.patient(), "closed")
			if err == nil {
				b.unlock(k)
			}
			b.is("a call after Close", err, etcdlock.ErrClosed)
		}
	}
	b.free(other, "closed")
	unused := b.locker()
	if err := unused.Close(b.patient()); err != nil {
		b.Errorf("Close of a locker that was never used: %v", err)
	}
}

func closeEndsWaits(t T, h Harness) {
	b := newBench(t, h)
	one, two := b.locker(), b.locker()
	k := b.lock(one, "closing")
	a := b.start(two, "closing")
	b.awaitQueue("closing", 2)
	if err := two.Close(b.patient()); err != nil {
		b.Fatalf("Close with a call waiting: %v", err)
	}
	b.is("a wait that Close ended", a.returned(), etcdlock.ErrClosed)
	b.awaitQueue("closing", 1)
	b.unlock(k)
	b.free(one, "closing")
}

func closeWaitsForHolds(t T, h Harness) {
	b := newBench(t, h)
	one, two := b.locker(), b.locker()
	k := b.lock(one, "closing")
	closed := make(chan error, 1)
	go func() { closed <- one.Close(b.patient()) }()
	// The Locker is closing once it refuses.
	err := b.poll(b.patient(), func() (bool, error) {
		k, err := one.TryLock(b.patient(), "another")
		if err == nil {
			err = k.Unlock(b.patient())
		}
		return errors.Is(err, etcdlock.ErrClosed), nil
	})
	if err != nil {
		b.Fatalf("a locker that is being closed takes new locks: %v", err)
	}
	if k.Context().Err() != nil {
		b.Errorf("Close ended a hold before its context ended: %v", context.Cause(k.Context()))
	}
	b.held(two, "closing")
	select {
	case err := <-closed:
		b.Errorf("Close returned with a lock held: %v", err)
	default:
		defer func() {
			if err := <-closed; err != nil {
				b.Errorf("Close after the last Unlock: %v", err)
			}
		}()
	}
	b.unlock(k)
	b.free(two, "closing")
}

func closeTakesHoldsAway(t T, h Harness) {
	b := newBench(t, h)
	one, two := h.New(), b.locker() // what the first Close returns, every further one does
	k := b.lock(one, "closing")
	dead, cancel := context.WithCancel(b.Context())
	cancel()
	b.is("Close that could not wait", one.Close(dead), context.Canceled)
	b.is("the end of a hold that Close took away",
		b.awaitDone(k.Context(), "the context of a hold after Close"), etcdlock.ErrClosed)
	b.free(two, "closing")
	b.is("Unlock of what Close took away", k.Unlock(b.patient()), etcdlock.ErrClosed)
}

// nothingStays does what could leave something behind; the check is the bench's.
func nothingStays(t T, h Harness) {
	b := newBench(t, h, "Clean")
	one, two, three := b.locker(), b.locker(), b.locker()
	k := b.lock(one, "stays")
	b.held(two, "stays")
	a, c := b.start(two, "stays"), b.start(three, "stays")
	b.awaitQueue("stays", 3)
	a.cancel(errChangedMind)
	if err := a.returned(); err == nil {
		b.Fatalf("a cancelled wait got the lock")
	}
	b.unlock(k)
	b.unlock(c.granted())
	dead, cancel := context.WithCancel(b.Context())
	cancel()
	_ = b.lock(three, "stays").Unlock(dead)
	if h.Features.LossNotice {
		k := b.lock(one, "stays")
		b.breakHold(k, "stays")
		_ = k.Unlock(b.patient())
	}
}
