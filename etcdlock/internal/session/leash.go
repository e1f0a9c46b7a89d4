package session

import (
	"context"
	"sync/atomic"
)

// Leash ends the context of a watch, though not while etcd has yet to confirm that the
// watch stands. etcd's client forgets a watch that is called off before, and the server
// then keeps it until something happens to its keys.
type Leash struct {
	Cancel context.CancelFunc // set before the watch is asked for
	state  atomic.Int32
}

const (
	standing int32 = iota // confirmed, or not asked for
	asked
	unwanted // asked for, and to end as soon as it is confirmed
)

// ask notes that etcd is about to be asked for the watch.
func (w *Leash) ask() { w.state.CompareAndSwap(standing, asked) }

// answered notes that the watch is confirmed, or refused.
func (w *Leash) answered() {
	if !w.state.CompareAndSwap(asked, standing) {
		w.Cancel()
	}
}

// End ends the context, now or with the confirmation.
func (w *Leash) End() {
	if !w.state.CompareAndSwap(asked, unwanted) && w.state.Load() == standing {
		w.Cancel()
	}
}
