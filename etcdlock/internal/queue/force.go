package queue

import (
	"context"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// Seize takes the name from everybody in front, on a lease of the caller's.
//
// Errors: those of EnqueueOn.
func (q *Queue) Seize(ctx context.Context, lease *session.Lease) (*Node, error) {
	n, err := q.EnqueueOn(ctx, lease)
	if err != nil {
		return nil, err
	}
	var pace session.Backoff
	for !n.is(owns) {
		err := n.clear(ctx)
		if err == nil {
			err = n.check(ctx, 0)
		}
		switch {
		case n.ctx.Err() != nil:
			return nil, n.cause()
		case err == nil:
		case q.sp.Session.Final(err):
			n.Drop()
			return nil, err
		case !pace.Wait(ctx):
			n.Drop()
			return nil, ctx.Err()
		}
	}
	if !n.Alive() {
		return nil, ErrRequeue
	}
	return n, nil
}

// clear removes all places in front, the last one first, so that none of them becomes the
// owner meanwhile.
func (n *Node) clear(ctx context.Context) error {
	before, err := n.q.sp.queue(ctx, n.q.path, clientv3.WithKeysOnly(), clientv3.WithMaxCreateRev(n.rev-1))
	if err != nil {
		return err
	}
	for _, kv := range slices.Backward(before) {
		if err := n.q.sp.Remove(ctx, string(kv.Key), kv.CreateRevision); err != nil {
			return err
		}
	}
	return nil
}
