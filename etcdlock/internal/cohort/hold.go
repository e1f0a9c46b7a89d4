package cohort

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// watchDelay is how old a hold grows before its queue is watched without need, so
// that a lock held for a moment costs no watch.
const watchDelay = 100 * time.Millisecond

// Hold is a place in the global queue that owns the name, and that the goroutines use
// one after the other. The mutex guards what changes in it.
//
// Nobody outside of the process matters to a hold until somebody queues behind
// it. The hold learns of that from the request that confirmed it, or from the
// snapshot of the queue, which also shows that its place is gone. From then on it stays for
// a few turns or a moment at most.
type Hold struct {
	c        *cohort
	node     Node
	ctx      context.Context //nolint:containedctx // that of the node
	begun    time.Time
	turns    int64       // begun so far
	retired  bool        // nobody else may use it
	answered bool        // it has told tries that it is in use, or is about to
	alone    bool        // it was known once that nobody queues behind
	wanted   bool        // somebody queues behind
	since    time.Time   // when that became known
	spent    int64       // turns begun by then
	guard    *time.Timer // starts the watch of a hold that is simply held on to
	idle     idle        // the lingering
}

// idle is the lingering of a hold.
type idle struct {
	on    bool
	until time.Time
	timer *time.Timer // ends it; nil before the first time
}

// newHold makes a hold of a node that owns the name. The caller holds the mutex.
func newHold(c *cohort, n Node) *Hold {
	h := &Hold{c: c, node: n, ctx: n.Context(), begun: time.Now(), alone: !n.Waited()}
	if n.HasSuccessor() {
		h.want()
	} else {
		c.queue.Forget()
	}
	h.guard = time.AfterFunc(watchDelay, func() {
		c.all.mu.Lock()
		defer c.all.mu.Unlock()
		if h.guard = nil; c.hold == h {
			c.queue.Watch()
		}
	})
	n.OnLoss(h.gone)
	return h
}

// observe notes what the snapshot of the queue shows of the hold. It returns
// the hold if it must be released now. The caller holds the mutex.
func (h *Hold) observe() (leaves *Hold) {
	s := h.node.Standing()
	switch {
	case !s.Known:
		return nil
	case s.Missing:
		h.node.Deleted()
		return nil
	case s.Successor:
		h.want()
	default:
		h.alone = true
	}
	if leaves = h.c.advance(); leaves == nil && s.Asked && !h.answered && h.c.turn != nil {
		h.answered = true
		h.node.SayInUse()
	}
	return leaves
}

// Unawaited reports whether the user of the hold has to wait until it is released,
// because nobody else does. A try that asked has gone with the answer, and may ask
// again once it is.
func (h *Hold) Unawaited() bool { return !h.wanted || h.answered }

// gone lets the goroutines in line go on when the hold is lost: it excludes
// nobody any more, and must not keep them waiting until its user notices.
func (h *Hold) gone() {
	c := h.c
	c.all.mu.Lock()
	if c.hold != h || !errors.Is(context.Cause(h.ctx), session.ErrLost) {
		c.all.mu.Unlock()
		return
	}
	t := c.turn
	c.hold, c.turn = nil, nil
	h.end()
	c.advance()
	var owner Owner
	if t != nil {
		owner = t.owner
	}
	c.all.mu.Unlock()
	if owner != nil {
		owner.Lost()
	}
	c.all.Lost(c.name, context.Cause(h.ctx))
}

// end ends the hold's context, unless it was lost, and all that watches over it.
func (h *Hold) end() {
	if h.guard != nil {
		h.guard.Stop()
	}
	h.awake()
	h.node.End()
}

// awake ends the lingering because the hold is used again.
func (h *Hold) awake() {
	if h.idle.on {
		h.idle.on = false
		h.idle.timer.Stop()
	}
}
