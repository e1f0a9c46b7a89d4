package queue

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// abandon removes the key of a node whose enqueueing has no known outcome:
// now, and whenever a transaction that is still under way somewhere lands. It
// stops when the lease ends, which removes the key for good.
func (n *Node) abandon() {
	n.End()
	n.become(gone)
	n.q.sp.Session.Spawn(func() {
		if n.sweep() {
			n.sweepLast()
		}
	})
}

// leave is called when the node's key is out of the queue. It removes what a
// sending of the enqueueing without an answer may still put there: its
// condition holds again now that the key is gone.
func (n *Node) leave() {
	switch {
	case state(n.state.Swap(int32(gone))) == gone:
	case n.late:
		n.q.sp.Session.Spawn(n.sweepLast)
	default:
		n.vacate()
	}
}

// sweepLast sweeps whenever a transaction that was still under way somewhere has
// landed, because its key may be in front of others, and once more when all must
// have landed.
func (n *Node) sweepLast() {
	n.sweepLate()
	switch {
	case n.lease.Ctx().Err() != nil || !n.sweep():
	case n.stray: // an earlier sweep may land yet
		n.lease.Slots.Spend(n.q.name(), n.number)
	default:
		n.vacate()
	}
}

// sweepLate watches the key, and deletes it as soon as it is there, until nothing
// can put it there any more or the lease ends.
func (n *Node) sweepLate() {
	ctx, cancel := context.WithTimeout(n.lease.Ctx(), n.q.sp.SweepDelay)
	defer cancel()
	_ = n.q.sp.Session.Watch(ctx, &session.Scope{
		Key: n.key, Opts: []clientv3.OpOption{clientv3.WithFilterDelete()},
		Read: func(context.Context, int64) (bool, error) {
			n.sweep()
			return false, nil
		},
	})
	<-ctx.Done() // also if etcd refuses to tell
}

// sweep deletes the key, whatever its revision: nobody else has this key before
// the node vacates it. It reports false when it had to give up.
func (n *Node) sweep() bool {
	var pace session.Backoff
	for {
		err := n.q.sp.Session.Call(n.lease.Ctx(), func(ctx context.Context) error {
			_, err := n.q.sp.Client.Delete(ctx, n.key)
			return err
		})
		if err == nil {
			return true
		}
		n.stray = true // it may land yet, and delete what it finds
		if n.q.sp.Session.Final(err) || !pace.Wait(n.lease.Ctx()) {
			return false
		}
	}
}
