package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// OnLoss has f run in the background when the key was deleted by somebody else; at once
// if the context has ended before. The caller watches the queue from now on, and the
// node its own key no more.
func (n *Node) OnLoss(f func()) {
	n.unguard()
	n.q.mu.Lock()
	n.loss = f
	n.q.mu.Unlock()
	if n.ctx.Err() != nil { // before that: the goroutine that ended it knew of no f
		n.q.sp.Session.Spawn(f)
	}
}

// Drop gives the place back without waiting for it.
func (n *Node) Drop() {
	n.End()
	n.q.sp.Session.Spawn(func() { _ = n.Release(nil) })
}

// Deleted ends the node: its key is gone and we did not delete it. When that
// is because the lease was revoked, the lease says so too, a moment later.
func (n *Node) Deleted() {
	n.cancel(fmt.Errorf("%w: %s: %w", session.ErrLost, n.key, errKeyDeleted))
	n.q.mu.Lock()
	f := n.loss
	n.q.mu.Unlock()
	if f != nil {
		n.q.sp.Session.Spawn(f)
	}
	n.leave()
}

// cause says why a node has ended that the process did not end.
func (n *Node) cause() error {
	if n.lease.Ctx().Err() != nil && n.lease.Faded() {
		return ErrRequeue
	}
	return context.Cause(n.ctx)
}

// guardDelay is how old a node grows before its own key is watched, so
// that a lock held for a moment costs no watch.
const guardDelay = 100 * time.Millisecond

// watchOwnKey notices, from a moment of age on, that somebody deletes the key,
// until the node ends.
func (n *Node) watchOwnKey() {
	n.guard = time.AfterFunc(guardDelay, func() {
		n.q.sp.Session.Spawn(func() {
			if err := n.q.sp.Session.AwaitGone(n.ctx, n.key, n.rev); err == nil {
				n.Deleted()
			}
		})
	})
}
