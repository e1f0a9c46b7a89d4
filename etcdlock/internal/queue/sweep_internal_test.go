package queue

import (
	"testing"
	"time"
)

// Once the last sweep is answered, the key will not be in the queue again. It is
// used again, unless another sweep may still arrive, which would take what it
// finds.
func TestSweep_Last(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stray  bool
		number uint64 // of the next
	}{"Answered": {false, 0}, "Stray": {true, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sp := spaceOn(t, newServer(t), nil, nil)
			q := queueOf(t, sp)
			n := enqueued(t, q)
			n.End()
			n.late, n.stray = true, c.stray
			if next := q.newNode(n.lease); next.others == 0 {
				t.Error("before the sweep, the next is alone")
			} else {
				next.End()
				next.vacate()
			}
			sp.SweepDelay = time.Second
			n.sweepLast()
			next := q.newNode(n.lease)
			if next.number != c.number || next.others != 0 {
				t.Errorf("after the sweep, the next has number %d, and %d others", next.number, next.others)
			}
			next.End()
			next.vacate()
		})
	}
}
