package cohort

import (
	"context"
	"errors"

	"github.com/holdfast-go/holdfast/etcdlock/internal/queue"
)

// leader stands in the global queue for those in line. That of a TryLock, which stands
// for nobody else, has neither.
type leader struct {
	ctx  context.Context //nolint:containedctx // it lives as long as the leader
	stop context.CancelFunc
}

func (c *cohort) newLeader() *leader {
	ctx, stop := context.WithCancel(c.all.Closing)
	return &leader{ctx, stop}
}

// sendLeader sends a leader into the global queue. It stands for the first in line when it
// ends, so that one goroutine that gives up costs the others nothing.
func (c *cohort) sendLeader() {
	l := c.newLeader()
	if c.all.Spawn(func() { c.lead(l, nil, queue.ErrRequeue) }) {
		c.leader = l
	} else { // closed: so are the contexts of all who wait
		l.stop()
	}
}

// succeed makes the leader who takes its place in the queue by the very request
// that releases the hold, if somebody is in line. The next hold has to wait for
// all who queue behind this one.
func (c *cohort) succeed(h *Hold) *leader {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	if c.going == h {
		c.going = nil
	}
	if c.line.Len() == 0 || c.leader != nil || c.hold != nil {
		return nil
	}
	if c.all.Closing.Err() != nil || !h.node.Alive() {
		c.sendLeader()
		return nil
	}
	c.leader = c.newLeader()
	return c.leader
}

// lead goes through the global queue until the name is owned: from the place n on,
// or with ErrRequeue from the beginning.
func (c *cohort) lead(l *leader, n Node, err error) {
	defer l.stop()
	for {
		if err == nil {
			err = n.Await(l.ctx)
		}
		if err == nil && !n.Alive() {
			err = queue.ErrRequeue
		}
		if !errors.Is(err, queue.ErrRequeue) {
			break
		}
		n, err = c.queue.Enqueue(l.ctx)
	}
	c.arrive(l, n, err)
}

// arrive makes a hold of what a leader has brought. An error is for the first in line,
// the leader stood for in the queue; the others try again.
func (c *cohort) arrive(l *leader, n Node, err error) {
	mu := &c.all.mu
	mu.Lock()
	if c.leader != l { // called off
		mu.Unlock()
		if err == nil {
			n.Drop()
		}
		return
	}
	c.leader = nil
	if err == nil {
		c.hold = newHold(c, n)
	} else {
		c.line.Remove(c.line.Front()).(*Waiter).served <- err
	}
	leaves := c.advance()
	mu.Unlock()
	c.all.LetGo(leaves)
}

// Release takes a hold that has left its cohort out of the queue,
// and hands the place off to those in line, if there are any, for one at its end.
func (h *Hold) Release() error {
	c := h.c
	answered := func() {
		c.all.mu.Lock()
		c.leaving--
		if c.departed != nil {
			close(c.departed)
			c.departed = nil
		}
		leaves := c.advance()
		c.all.mu.Unlock()
		c.all.LetGo(leaves)
	}
	l := c.succeed(h)
	if l == nil {
		return h.node.Release(answered)
	}
	next, released, queued := h.node.HandOff(answered)
	if !c.all.Spawn(func() { c.lead(l, next, queued) }) { // closed
		l.stop()
	}
	return released
}
