package locktest

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/etcdlock"
)

func lockGivesAHold(t T, h Harness) {
	b := newBench(t, h)
	l := b.locker()
	k := b.lock(l, "basic")
	hold := k.Context()
	b.unlock(k)
	if hold.Err() == nil {
		b.Fatalf("the context of the hold goes on after Unlock")
	}
	b.unlock(b.lock(l, "basic")) // and again
}

type valueKey struct{}

func holdOutlivesTheCall(t T, h Harness) {
	b := newBench(t, h)
	l := b.locker()
	ctx, cancel := context.WithCancel(context.WithValue(b.patient(), valueKey{}, "carried"))
	k := b.lockUnder(ctx, l, "outlives")
	cancel()
	hold := k.Context()
	if _, has := hold.Deadline(); has {
		b.Errorf("the hold has the deadline of the context given to Lock, which bounds only the wait")
	}
	if hold.Err() != nil {
		b.Errorf("the hold ended with the context given to Lock, which bounds only the wait")
	}
	if hold.Value(valueKey{}) != "carried" {
		b.Errorf("the hold's context does not carry the values of the context given to Lock")
	}
	b.held(b.locker(), "outlives")
	b.unlock(k)
}

func lockRefusesBadNames(t T, h Harness) {
	b := newBench(t, h)
	l := b.locker()
	for _, names := range [][]string{nil, {""}, {"twice", "twice"}} {
		k, err := l.Lock(b.patient(), names...)
		if err == nil {
			b.unlock(k)
		}
		b.is("Lock of bad names", err, etcdlock.ErrInvalid)
		k, err = l.TryLock(b.patient(), names...)
		if err == nil {
			b.unlock(k)
		}
		b.is("TryLock of bad names", err, etcdlock.ErrInvalid)
	}
	b.free(l, "twice")
}

func unlockFrees(t T, h Harness) {
	b := newBench(t, h)
	one, two := b.locker(), b.locker()
	for range 3 {
		b.free(one, "frees")
		b.free(two, "frees")
	}
}

func unlockWithADeadContext(t T, h Harness) {
	b := newBench(t, h)
	one, two := b.locker(), b.locker()
	k := b.lock(one, "dead")
	dead, cancel := context.WithCancel(b.Context())
	cancel()
	// What it returns is the wait's outcome; the lock is given back anyway.
	if err := k.Unlock(dead); err != nil && !errors.Is(err, context.Canceled) {
		b.Errorf("Unlock with a cancelled context: %v", err)
	}
	b.free(two, "dead")
}

func unlockTwice(t T, h Harness) {
	b := newBench(t, h)
	one, two := b.locker(), b.locker()
	k := b.lock(one, "twice")
	b.unlock(k)
	mine := b.lock(two, "twice")
	if err := k.Unlock(b.patient()); err != nil {
		b.Errorf("a second Unlock: %v, the first returned nil", err)
	}
	if err := mine.Context().Err(); err != nil {
		b.Errorf("a second Unlock ended the hold of another: %v", context.Cause(mine.Context()))
	}
	b.held(b.locker(), "twice")
	b.unlock(mine)
}

func secondWaits(t T, h Harness) {
	b := newBench(t, h)
	one, two := b.locker(), b.locker()
	b.warm(one, two)
	k := b.lock(one, "second")
	for _, l := range []Locker{one, two} {
		b.timesOut(l, "second")
	}
	a := b.start(two, "second")
	b.awaitQueue("second", 2)
	a.waits()
	b.unlock(k)
	b.unlock(a.granted())
}

func exclusionBetweenGoroutines(t T, h Harness) {
	b := newBench(t, h)
	b.crowd([]Locker{b.locker()}, 8, 15)
}

func exclusionBetweenLockers(t T, h Harness) {
	b := newBench(t, h)
	b.crowd([]Locker{b.locker(), b.locker(), b.locker(), b.locker()}, 2, 10)
}

// crowd has goroutines of several Lockers go through one lock again and again.
func (b *bench) crowd(ls []Locker, goroutines, rounds int) {
	b.Helper()
	var inside, overlaps, visits atomic.Int64
	errs := make(chan error, len(ls)*goroutines)
	ctx := b.patient()
	visit := func(l Locker) error {
		k, err := l.Lock(ctx, "crowd")
		if err != nil {
			return err
		}
		if inside.Add(1) != 1 {
			overlaps.Add(1)
		}
		for range 20 {
			runtime.Gosched()
		}
		visits.Add(1)
		inside.Add(-1)
		return k.Unlock(ctx)
	}
	visitAll := func(l Locker) (err error) {
		for n := 0; n < rounds && err == nil; n++ {
			err = visit(l)
		}
		return err
	}
	var wg sync.WaitGroup
	for _, l := range ls {
		for range goroutines {
			wg.Go(func() {
				if err := visitAll(l); err != nil {
					errs <- err
				}
			})
		}
	}
	wg.Wait()
	select {
	case err := <-errs:
		b.Errorf("in a crowd: %v", err)
	default:
	}
	if n := overlaps.Load(); n > 0 {
		b.Errorf("%d times somebody entered while another was inside", n)
	}
	if want := int64(len(ls) * goroutines * rounds); visits.Load() != want {
		b.Errorf("%d visits, want %d", visits.Load(), want)
	}
}

func tryLockFree(t T, h Harness) {
	b := newBench(t, h)
	l := b.locker()
	k, err := l.TryLock(b.patient(), "try")
	if err != nil {
		b.Fatalf("TryLock of a free name: %v", err)
	}
	b.held(b.locker(), "try")
	b.unlock(k)
	b.free(l, "try")
}

func tryLockHeldByAnother(t T, h Harness) {
	b := newBench(t, h)
	one, two := b.locker(), b.locker()
	k := b.lock(one, "try")
	b.held(two, "try")
	b.awaitQueue("try", 1) // a failed try does not queue
	b.unlock(k)
	b.free(two, "try")
}

func tryLockHeldByItself(t T, h Harness) {
	b := newBench(t, h)
	l := b.locker()
	k := b.lock(l, "try")
	b.held(l, "try")
	b.unlock(k)
	b.free(l, "try")
}
