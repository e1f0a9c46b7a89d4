package locktest

import (
	"context"
	"errors"
	"slices"
)

func waitInOrder(t T, h Harness) {
	b := newBench(t, h, "Fair")
	const n = 5
	k := b.lock(b.locker(), "order")
	turns := make(chan int, n)
	failed := make(chan error, n)
	for i := range n {
		a := b.start(b.locker(), "order")
		b.awaitQueue("order", i+2) // it stands before the next one comes
		go func() {
			<-a.done
			if a.err != nil {
				failed <- a.err
				return
			}
			turns <- i
			if err := a.lock.Unlock(b.Context()); err != nil {
				failed <- err
			}
		}()
	}
	b.unlock(k)
	var order []int
	for ctx := b.patient(); len(order) < n; {
		select {
		case i := <-turns:
			order = append(order, i)
		case err := <-failed:
			b.Fatalf("waiting in line: %v", err)
		case <-ctx.Done():
			b.Fatalf("only %v of %d had their turn", order, n)
		}
	}
	if !slices.IsSorted(order) {
		b.Errorf("the turns came as %v, want the order of arrival", order)
	}
}

func waitTimesOut(t T, h Harness) {
	b := newBench(t, h)
	one, two := b.locker(), b.locker()
	b.warm(one, two)
	k := b.lock(one, "late")
	b.timesOut(two, "late")
	b.awaitQueue("late", 1)
	b.unlock(k)
	b.free(two, "late")
}

func waitCancelledBefore(t T, h Harness) {
	b := newBench(t, h)
	one, two := b.locker(), b.locker()
	dead, cancel := context.WithCancel(b.Context())
	cancel()
	for _, try := range []func(context.Context, ...string) (Lock, error){one.Lock, one.TryLock} {
		k, err := try(dead, "before")
		if err == nil {
			_ = k.Unlock(b.patient())
			b.Fatalf("a call with a cancelled context took the lock")
		}
		b.is("a call with a cancelled context", err, context.Canceled)
	}
	b.free(two, "before")
}

var errChangedMind = errors.New("the caller changed his mind")

func waitCancelledWhileWaiting(t T, h Harness) {
	b := newBench(t, h)
	one, two, three := b.locker(), b.locker(), b.locker()
	k := b.lock(one, "cancelled")
	a := b.start(two, "cancelled")
	b.awaitQueue("cancelled", 2)
	a.cancel(errChangedMind)
	b.is("a wait that was cancelled", a.returned(), context.Canceled, errChangedMind)
	b.awaitQueue("cancelled", 1)
	if k.Context().Err() != nil {
		b.Errorf("the holder lost the lock to a waiter that left")
	}
	b.unlock(k)
	b.free(three, "cancelled")
	b.free(two, "cancelled")
}

// waitCancelledInTheMiddle is about a waiter that leaves when one waits behind
// it: that one must not take the leaving for its turn.
func waitCancelledInTheMiddle(t T, h Harness) {
	b := newBench(t, h)
	one, two, three, four := b.locker(), b.locker(), b.locker(), b.locker()
	b.warm(four)
	k := b.lock(one, "middle")
	a := b.start(two, "middle")
	b.awaitQueue("middle", 2)
	c := b.start(three, "middle")
	b.awaitQueue("middle", 3)
	a.cancel(errChangedMind)
	b.is("a wait that was cancelled", a.returned(), context.Canceled)
	b.awaitQueue("middle", 2)
	b.timesOut(four, "middle") // and by then the third would be in, were it fooled
	c.waits()
	b.unlock(k)
	b.unlock(c.granted())
	b.free(four, "middle")
}

// waitCancelledInOneProcess is the same for goroutines of one Locker, which may
// queue on a way of their own. In what order they come is not known.
func waitCancelledInOneProcess(t T, h Harness) {
	b := newBench(t, h)
	l, other := b.locker(), b.locker()
	b.warm(other)
	k := b.lock(l, "own")
	var leave, stay []*attempt
	for range 4 {
		leave, stay = append(leave, b.start(l, "own")), append(stay, b.start(l, "own"))
	}
	for _, a := range leave {
		a.cancel(errChangedMind)
		b.is("a wait that was cancelled", a.returned(), context.Canceled)
	}
	b.timesOut(other, "own")
	for _, a := range stay {
		a.waits()
	}
	b.unlock(k)
	turns := make(chan error, len(stay))
	for _, a := range stay {
		go func() {
			<-a.done
			err := a.err
			if err == nil {
				err = a.lock.Unlock(b.Context())
			}
			turns <- err
		}()
	}
	ctx := b.patient()
	for i := range stay {
		select {
		case err := <-turns:
			if err != nil {
				b.Fatalf("a wait among others that were cancelled: %v", err)
			}
		case <-ctx.Done():
			b.Fatalf("%d of %d who waited never had their turn", len(stay)-i, len(stay))
		}
	}
	b.free(other, "own")
}
