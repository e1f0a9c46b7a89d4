package session

import (
	"context"
	"sync"
	"sync/atomic"
)

// maxSpares is how many goroutines with nothing to do a session keeps.
const maxSpares = 4

// background runs functions until it is stopped.
//
// A request to etcd goes through so many calls that the stack of a new
// goroutine is moved several times on the way, 8 % of what a client does for a
// handover. So some goroutines are kept for the next function.
type background struct {
	over    context.Context //nolint:containedctx // it ends the goroutines that are kept
	mu      sync.Mutex
	stopped bool // nothing may start any more
	running sync.WaitGroup
	spare   chan func()  // what goroutines with nothing to do wait for
	spares  atomic.Int32 // how many these are
}

func (b *background) spawn(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return false
	}
	select {
	case b.spare <- f:
	default:
		b.running.Go(func() { b.work(f) })
	}
	return true
}

// work runs f, and then what spawn hands to it.
func (b *background) work(f func()) {
	for {
		f()
		if b.spares.Add(1) > maxSpares {
			b.spares.Add(-1)
			return
		}
		select {
		case f = <-b.spare:
			b.spares.Add(-1)
		case <-b.over.Done():
			return
		}
	}
}

// refuse lets nothing start any more.
func (b *background) refuse() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
}
