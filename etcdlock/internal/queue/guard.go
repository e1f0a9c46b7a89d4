package queue

import "time"

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

// unguard begins no watch on the own key any more, because somebody else looks
// after that.
func (n *Node) unguard() {
	if n.guard != nil {
		n.guard.Stop()
		n.guard = nil // only the goroutine that can still stop a timer keeps it
	}
}
