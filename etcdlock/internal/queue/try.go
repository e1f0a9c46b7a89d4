package queue

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// A try must take a name that merely lingers in another process, and must fail
// at once if somebody uses it. The value of a key says whether its hold may
// linger. If so, the try asks:
//
//  1. It puts a key behind the hold's, if nobody is there, whose name ends with
//     askMark, see path.go.
//  2. A hold that nobody uses leaves, as for any other key behind it. The name is
//     the try's.
//  3. One that is in use will not linger any more, because somebody wants it, and
//     says so in its key's value. The try goes, and those after it need not ask.
//
// A process that does not answer is taken for one that uses the name.

// Try takes a place that owns the name, on the session's lease, if the queue is empty, or
// holds nothing but a hold that lingers.
//
// Errors: ErrHeld, and those of Enqueue.
func (q *Queue) Try(ctx context.Context) (*Node, error) {
	return q.try(ctx, func() (*session.Lease, error) { return q.sp.Session.Lease(ctx, true) })
}

// TryOn is Try on a lease of the caller's.
func (q *Queue) TryOn(ctx context.Context, lease *session.Lease) (*Node, error) {
	return q.try(ctx, func() (*session.Lease, error) {
		if !lease.Alive() {
			return nil, ErrRequeue
		}
		return lease, nil
	})
}

func (q *Queue) try(ctx context.Context, lease func() (*session.Lease, error)) (*Node, error) {
	for {
		was, err := q.sp.prospect(ctx, q.name())
		if err != nil {
			return nil, err
		}
		on, err := lease()
		if err != nil {
			return nil, err
		}
		n, err := q.contend(ctx, on, was)
		if !errors.Is(err, ErrRequeue) {
			return n, err
		}
	}
}

// Prospect tells, without a write, whether a try may get the name: the error is a
// HeldError if not.
func (sp *Space) Prospect(ctx context.Context, name string) error {
	_, err := sp.prospect(ctx, name)
	return err
}

// prospect is what a read of a queue has found that a try may get: nobody, or a hold that may
// only linger.
type prospect struct {
	holder *mvccpb.KeyValue // nil if there is none
	below  bool             // there are keys of longer names
}

func (sp *Space) prospect(ctx context.Context, name string) (prospect, error) {
	path := sp.Path(name)
	resp, err := sp.get(ctx, path, append(allByAge(), clientv3.WithLimit(2))...)
	if err != nil {
		return prospect{}, err
	}
	all := queueIn(path, resp.Kvs)
	below := len(all) < len(resp.Kvs)
	if below {
		if all, err = sp.queue(ctx, path); err != nil {
			return prospect{}, err
		}
	}
	if len(all) == 0 {
		return prospect{below: below}, nil
	}
	if holder := member(name, all[0]); len(all) > 1 || !holder.lingers {
		return prospect{}, &HeldError{holder}
	}
	return prospect{all[0], below}, nil
}

// contend goes once through a queue that is empty, or has the holder in it, who
// is asked.
func (q *Queue) contend(ctx context.Context, lease *session.Lease, was prospect) (*Node, error) {
	n, last := q.newNode(lease), int64(emptyQueue)
	if was.holder != nil {
		n.key += askMark
		last = was.holder.CreateRevision
	}
	if was.below { // a condition cannot tell which of the keys has come
		last = anyQueue
	}
	if err := n.enqueue(ctx, last); err != nil {
		return nil, err
	}
	if !n.is(owns) {
		err := n.standsBehind(ctx, was.holder)
		if err == nil && !n.is(owns) {
			err = n.askHolder(ctx, was.holder)
		}
		if err != nil {
			n.End()
			_ = n.Release(nil)
			return nil, err
		}
	}
	if !n.Alive() {
		return nil, ErrRequeue
	}
	return n, nil
}

// heldBy says that the key is before the node.
func (n *Node) heldBy(kv *mvccpb.KeyValue) error { return &HeldError{member(n.q.name(), kv)} }

// standsBehind makes sure that nobody but the holder is before the node, which was put
// without that condition if there are keys of longer names.
func (n *Node) standsBehind(ctx context.Context, holder *mvccpb.KeyValue) error {
	if n.asOf == 0 { // it is not known who is
		if err := n.check(ctx, 0); err != nil {
			return err
		}
	}
	switch {
	case n.is(owns), holder != nil && n.pred == string(holder.Key):
		return nil
	default:
		return n.heldBy(&mvccpb.KeyValue{Key: []byte(n.pred)})
	}
}

// askHolder waits until the holder has left or answered.
func (n *Node) askHolder(ctx context.Context, holder *mvccpb.KeyValue) error {
	actx, cancel := context.WithTimeout(ctx, n.q.sp.RequestTimeout/3)
	defer cancel()
	defer context.AfterFunc(n.ctx, cancel)()
	err := n.q.sp.Session.Watch(actx, &session.Scope{Key: n.pred, Read: func(ctx context.Context, _ int64) (bool, error) {
		first, err := n.first(ctx)
		switch {
		case err != nil:
			return false, err
		case first == nil:
			n.Deleted()
			return true, context.Cause(n.ctx)
		case string(first.Key) == n.key:
			n.placed(nil, n.rev)
			return true, nil
		case string(first.Key) != n.pred || !parse(first.Value).Lingers:
			return true, n.heldBy(first)
		default:
			return false, nil
		}
	}})
	switch {
	case err == nil, errors.Is(err, ErrHeld), errors.Is(err, session.ErrLost):
		return err
	case n.ctx.Err() != nil:
		return n.cause()
	case ctx.Err() != nil:
		return ctx.Err()
	case actx.Err() != nil && holder != nil:
		return n.heldBy(holder)
	default:
		return err
	}
}

// first returns the first key of the queue that the node is in.
func (n *Node) first(ctx context.Context) (*mvccpb.KeyValue, error) {
	resp, err := n.readIf(ctx, clientv3.WithFirstCreate())
	switch {
	case err != nil:
		return nil, err
	case !resp.Succeeded:
		n.Deleted()
		return nil, context.Cause(n.ctx)
	default:
		return n.q.sp.oldest(ctx, n.q.path, resp.Responses[0].GetResponseRange())
	}
}

// SayInUse tells tries that ask, in the value of the node's key, that the hold does not
// linger. It does so in the background, until etcd has answered or the node has ended.
func (n *Node) SayInUse() {
	sp := n.q.sp
	sp.Session.Spawn(func() {
		put := clientv3.OpPut(n.key, sp.document("", false, n.since), clientv3.WithLease(n.lease.ID))
		var pace session.Backoff
		for {
			err := sp.Session.Call(n.ctx, func(ctx context.Context) error {
				_, err := sp.Client.Txn(ctx).If(createdAt(n.key, n.rev)).Then(put).Commit()
				return err
			})
			if err == nil || sp.Session.Final(err) || !pace.Wait(n.ctx) {
				return
			}
		}
	})
}
