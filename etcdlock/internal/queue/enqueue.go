package queue

import (
	"context"
	"errors"
	"fmt"
	"math"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// Into which queue a key is put: one in which no key was created after a revision.
const (
	anyQueue   = math.MaxInt64
	emptyQueue = 0
)

// Enqueue takes a place at the end of the queue, on the session's lease. After an error
// there is none, or it is being given back.
//
// Errors: ErrRequeue, session.ErrLost, those of ctx and of etcd.
func (q *Queue) Enqueue(ctx context.Context) (*Node, error) {
	lease, err := q.sp.Session.Lease(ctx, false)
	if err != nil {
		return nil, err
	}
	return q.EnqueueOn(ctx, lease)
}

// EnqueueOn is Enqueue on a lease of the caller's.
func (q *Queue) EnqueueOn(ctx context.Context, lease *session.Lease) (*Node, error) {
	n := q.newNode(lease)
	return n, n.enqueue(ctx, anyQueue)
}

// enqueue puts the node's key. Sending the transaction again is harmless: the
// key is unique, and it is put only if it is not there. When a key was created after
// last, nothing is put, and the error is a HeldError, or ErrRequeue if that key may be of
// a longer name.
//
// It returns at most AnswerGrace after ctx has ended. After an error the
// node does not count any more; its key, if it got into etcd or gets there late,
// is being removed.
func (n *Node) enqueue(ctx context.Context, last int64) error {
	sp := n.q.sp
	var pace session.Backoff
	for {
		if ctx.Err() != nil { // nothing is under way
			n.End()
			n.leave()
			return ctx.Err()
		}
		err := n.send(ctx, last)
		switch {
		case err == nil:
			n.watchOwnKey()
			return nil
		case errors.Is(err, ErrHeld), errors.Is(err, ErrRequeue):
			n.cancel(nil)
			n.leave()
			return err
		case session.LeaseGone(err):
			n.lease.Lose(fmt.Errorf("lease %x: %w", int64(n.lease.ID), err))
			return ErrRequeue
		case !n.lease.Alive():
			// A lease that has ended is revoked: the key goes with it, and a
			// late transaction is refused.
			return ErrRequeue
		case errors.Is(err, session.ErrLost):
			return err // put, and deleted by hand before we knew
		case sp.Session.Final(err):
			n.abandon()
			return err
		}
		sp.Unknown(n.q.name(), "enqueue", err)
		if !pace.Wait(ctx) {
			n.abandon()
			return err
		}
	}
}

// send sends the enqueueing once, and notes where the key is put.
func (n *Node) send(ctx context.Context, last int64) error {
	rctx, cancel := n.outlast(ctx)
	defer cancel()
	sp, path := n.q.sp, n.q.path
	when, otherwise := createdAt(n.key, 0), []clientv3.Op{clientv3.OpGet(n.key, clientv3.WithKeysOnly())}
	if last != anyQueue {
		when = created(path, pb.Compare_LESS, last+1).WithPrefix()
		otherwise = append(otherwise, clientv3.OpGet(path, clientv3.WithFirstCreate()...))
	}
	put := clientv3.OpPut(n.key, n.value(""), clientv3.WithLease(n.lease.ID))
	var resp *clientv3.TxnResponse
	err := sp.Session.Call(rctx, func(ctx context.Context) (err error) {
		resp, err = sp.Client.Txn(ctx).
			If(when).
			Then(clientv3.OpGet(path, lastCreated()...), put).
			Else(otherwise...).
			Commit()
		return err
	})
	if err != nil {
		n.late = true
		n.become(maybeQueued)
		return err
	}
	got := decodeEnqueueing(resp)
	switch {
	case got.rev > 0:
		n.rev = got.rev
		n.queuedBehind(got.pred)
		return nil
	case n.found(got.own): // an earlier sending of the same transaction got through
		return n.check(rctx, n.rev)
	case last == anyQueue:
		return errKeyDeleted
	case hidden(path, got.first) || got.first.Kvs[0].CreateRevision <= last:
		return ErrRequeue // the one that has come may be of a longer name
	default: // the queue has grown
		return &HeldError{member(n.q.name(), got.first.Kvs[0])}
	}
}

// enqueueing is etcd's answer to one.
type enqueueing struct {
	rev   int64             // if the key was put, its create revision,
	pred  *pb.RangeResponse // and the last key before it, and how many there are
	own   *pb.RangeResponse // else the key, if it was there before,
	first *pb.RangeResponse // and the first of the queue, if it had to be a certain one
}

func decodeEnqueueing(resp *clientv3.TxnResponse) (got enqueueing) {
	part := func(i int) *pb.RangeResponse { return resp.Responses[i].GetResponseRange() }
	if resp.Succeeded {
		return enqueueing{rev: resp.Header.Revision, pred: part(0)}
	}
	got.own = part(0)
	if len(resp.Responses) > 1 {
		got.first = part(1)
	}
	return got
}

// queuedBehind notes what an answer that has put the key tells of the queue before it.
func (n *Node) queuedBehind(before *pb.RangeResponse) {
	if hidden(n.q.path, before) {
		n.unplaced()
		return
	}
	n.ahead = before.Count
	n.placed(before.Kvs, n.rev)
}

// found notes what a read of the node's key shows that an earlier request has put, if it
// has. Who is before it may have left meanwhile, so that is not known.
func (n *Node) found(own *pb.RangeResponse) bool {
	if len(own.GetKvs()) == 0 {
		return false
	}
	n.rev = own.Kvs[0].CreateRevision
	n.unplaced()
	return true
}

// outlast returns a context for an enqueueing, which ends a moment after ctx and
// with the lease. gRPC calls a request off when its context ends, and nobody then
// knows whether etcd carries it out, nor when. On a lease of its own ctx will do:
// revoking that undoes whatever is under way.
func (n *Node) outlast(ctx context.Context) (context.Context, context.CancelFunc) {
	if n.lease.Own {
		return context.WithCancel(ctx)
	}
	rctx, cancel := context.WithCancel(n.lease.Ctx())
	stop := context.AfterFunc(ctx, func() {
		session.Pause(rctx, n.q.sp.AnswerGrace)
		cancel()
	})
	return rctx, func() {
		stop()
		cancel()
	}
}

// value is what the node's key says.
func (n *Node) value(successor string) string {
	sp := n.q.sp
	return sp.document(successor, sp.Lingers && !n.lease.Own, n.since)
}
