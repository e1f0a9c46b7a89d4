package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// answerGrace is how long an enqueueing may wait for its answer after its caller
// has given up. An answer tells where the key is, so that it can be deleted for
// certain. Without one, the delete may overtake the put.
const answerGrace = 250 * time.Millisecond

// Into which queue a key is put: one in which no key was created after a revision.
const (
	anyQueue   = math.MaxInt64
	emptyQueue = 0
)

// enqueue puts the entry's key. Sending the transaction again is harmless: the
// key is unique, and it is put only if it is not there. When a key was created after
// last, nothing is put, and the error is a heldError, or errRequeue if that key may be of
// a longer name.
//
// It returns at most answerGrace after ctx has ended. After an error the
// entry does not count any more; its key, if it got into etcd or gets there late,
// is being removed.
func (e *entry) enqueue(ctx context.Context, last int64) error {
	var pace session.Backoff
	for {
		if ctx.Err() != nil { // nothing is under way
			e.end()
			e.leave()
			return ctx.Err()
		}
		err := e.send(ctx, last)
		var held *heldError
		switch {
		case err == nil:
			e.watchOwnKey()
			return nil
		case errors.As(err, &held), errors.Is(err, errRequeue):
			e.cancel(nil)
			e.leave()
			return err
		case session.LeaseGone(err):
			e.lease.Lose(fmt.Errorf("lease %x: %w", int64(e.lease.ID), err))
			return errRequeue
		case !e.lease.Alive():
			// A lease that has ended is revoked: the key goes with it, and a
			// late transaction is refused.
			return errRequeue
		case errors.Is(err, ErrLost):
			return err // put, and deleted by hand before we knew
		case e.l.session.Final(err):
			e.abandon()
			return err
		}
		e.l.hooks.unknown(e.name, "enqueue", err)
		if !pace.Wait(ctx) {
			e.abandon()
			return err
		}
	}
}

func (e *entry) send(ctx context.Context, last int64) error {
	rctx, cancel := e.outlast(ctx)
	defer cancel()
	mine := clientv3.OpGet(e.key, clientv3.WithKeysOnly())
	when, otherwise := createdAt(e.key, 0), []clientv3.Op{mine}
	if last != anyQueue {
		when = created(e.prefix, pb.Compare_LESS, last+1).WithPrefix()
		otherwise = append(otherwise, clientv3.OpGet(e.prefix, clientv3.WithFirstCreate()...))
	}
	put := clientv3.OpPut(e.key, e.value(""), clientv3.WithLease(e.lease.ID))
	var resp *clientv3.TxnResponse
	err := e.l.session.Call(rctx, func(ctx context.Context) (err error) {
		resp, err = e.l.cli.Txn(ctx).
			If(when).
			Then(clientv3.OpGet(e.prefix, lastCreated()...), put).
			Else(otherwise...).
			Commit()
		return err
	})
	if err != nil {
		e.unsure = true
		return err
	}
	if resp.Succeeded {
		e.rev = resp.Header.Revision
		e.follow(resp.Responses[0].GetResponseRange())
		return nil
	}
	// Either an earlier sending of the same transaction got through, or the
	// queue has grown.
	if own := resp.Responses[0].GetResponseRange().Kvs; len(own) > 0 {
		e.rev, e.ahead = own[0].CreateRevision, unknown
		return e.check(rctx, e.rev)
	}
	if last == anyQueue {
		return errKeyDeleted
	}
	first := resp.Responses[1].GetResponseRange()
	if hidden(e.prefix, first) || first.Kvs[0].CreateRevision <= last {
		return errRequeue // the one that has come may be of a longer name
	}
	return e.l.heldBy(e.name, first.Kvs)
}

// outlast returns a context for an enqueueing, which ends a moment after ctx and
// with the lease. gRPC calls a request off when its context ends, and nobody then
// knows whether etcd carries it out, nor when. On a lease of its own ctx will do:
// revoking that undoes whatever is under way.
func (e *entry) outlast(ctx context.Context) (context.Context, context.CancelFunc) {
	if e.lease.Own {
		return context.WithCancel(ctx)
	}
	rctx, cancel := context.WithCancel(e.lease.Ctx())
	stop := context.AfterFunc(ctx, func() {
		session.Pause(rctx, e.l.answerGrace)
		cancel()
	})
	return rctx, func() {
		stop()
		cancel()
	}
}
