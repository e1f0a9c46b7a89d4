package queue

import (
	"context"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// nearEnough is how many may be ahead for a waiter to watch the whole queue.
// With more of them it watches the predecessor alone: in a long queue everybody
// would be told of every change, and wait for what is far away.
const nearEnough = 3

// Await waits until the node owns its name. With few ahead it waits for a snapshot that
// shows it first, else, or on a lease of its own, for the departure of its predecessor. After
// an error the place is being given back.
//
// Errors: ErrRequeue, session.ErrLost if the place was taken away, session.ErrClosed, those
// of ctx and of etcd.
func (n *Node) Await(ctx context.Context) (err error) {
	switch {
	case n.is(owns):
		return nil
	case n.ctx.Err() != nil:
		return n.cause()
	}
	if !n.lease.Own && n.ahead <= nearEnough {
		n.unguard() // the snapshot shows its own key too
		first := true
		err = n.await(ctx, func() (*watch, error) {
			defer func() { first = false }()
			return n.q.snapshotsFor(first)
		})
	} else {
		w := n.q.borrow(ctx)
		err = n.await(ctx, func() (*watch, error) {
			if n.asOf > 0 && !w.covers(n.pred) {
				w.end()
				if w = n.q.startWatch(n.pred, false); w == nil {
					return nil, session.ErrClosed
				}
			}
			return w, nil
		})
		n.q.giveBack(ctx, w, err)
	}
	switch {
	case err == nil:
		return nil
	case n.ctx.Err() != nil:
		return n.cause()
	default:
		n.Drop()
		return err
	}
}

// snapshotsFor returns the watch of the whole queue. The caller holds the mutex.
func (q *Queue) snapshotsFor(first bool) (*watch, error) {
	if first {
		q.endPredecessor()                                    // the snapshot tells more
		if q.snapshots != nil && q.snapshots.failure != nil { // which was for others
			q.endSnapshots()
		}
	}
	if q.watchAll(); q.snapshots == nil {
		return nil, session.ErrClosed
	}
	return q.snapshots, nil
}

// verdict is what a watch shows of a node.
type verdict int

const (
	nothing verdict = iota // that is new
	first                  // it is the owner
	missing                // its key is gone
	unclear                // etcd must be asked
)

// await waits, with the watch that watching returns under the mutex, until the node owns the name.
func (n *Node) await(ctx context.Context, watching func() (*watch, error)) error {
	for {
		seen, since, changed, err := n.observe(ctx, watching)
		if err != nil {
			return err
		}
		switch seen {
		case first:
			n.placed(nil, since)
		case missing:
			n.Deleted()
		case unclear:
			if err := n.checkUntilAnswered(ctx, since); err != nil {
				return err
			}
		case nothing:
			select {
			case <-changed:
			case <-ctx.Done():
				return ctx.Err()
			case <-n.ctx.Done():
			}
		}
		switch {
		case n.ctx.Err() != nil:
			return context.Cause(n.ctx)
		case n.is(owns):
			return nil
		}
	}
}

// observe tells what the watch shows of the node, as of which revision, and what is closed
// when that has changed.
func (n *Node) observe(ctx context.Context, watching func() (*watch, error)) (seen verdict, since int64, changed <-chan struct{}, err error) {
	n.q.mu.Lock()
	defer n.q.mu.Unlock()
	if ctx.Err() != nil { // a wait that was called off begins no watch, which nobody would end
		return nothing, 0, nil, ctx.Err()
	}
	w, err := watching()
	if err != nil {
		return nothing, 0, nil, err
	}
	if seen, since = w.verdict(n); seen != nothing {
		return seen, since, nil, nil
	}
	return nothing, 0, w.next(), w.failure
}

// verdict tells what the watch shows of the node, and at which revision. The caller holds the
// mutex, and is the one that the news of a predecessor is for.
func (w *watch) verdict(n *Node) (verdict, int64) {
	if n.asOf == 0 && (w == nil || !w.whole) { // it is not known who the predecessor is
		return unclear, 0
	}
	if w.whole {
		return w.snapshot.verdict(n)
	}
	d := w.departure
	w.departure = nil
	switch {
	case d == nil, d.rev != 0 && d.rev <= n.asOf:
		return nothing, 0
	case d.key == n.pred && d.successor == n.lease.Name() && n.others == 0 && !n.late:
		// The predecessor left with an exchange that found a key of the node's lease in the
		// queue and named that. It was the node's, as no other can be there. Only an owner
		// exchanges, and nobody was between the two, so the name is the node's from that
		// revision on, as a check would tell. The owner is in the queue again, behind.
		n.hasSuccessor = true
		return first, d.rev
	default:
		return unclear, d.rev
	}
}

// verdict tells what the snapshot shows of the node.
func (s *snapshot) verdict(n *Node) (verdict, int64) {
	switch at, known := s.find(n.place()); {
	case !known:
		return nothing, 0
	case at < 0:
		return missing, s.rev
	case at == 0:
		return first, s.rev
	default:
		n.waitsFor(s.places[at-1].key)
		return nothing, 0
	}
}
