package etcdlock

import (
	"context"
	"errors"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// A try must take a name that merely lingers in another process, and must fail
// at once if somebody uses it. The value of a key says whether its hold may
// linger. If so, the try asks:
//
//  1. It puts a key behind the hold's, if nobody is there, whose name ends with
//     askMark.
//  2. A hold that nobody uses leaves, as for any other key behind it. The name is
//     the try's.
//  3. One that is in use will not linger any more, because somebody wants it, and
//     says so in its key's value. The try goes, and those after it need not ask.
//
// A process that does not answer is taken for one that uses the name.
const askMark = ".try"

// value is what the entry's key says.
func (e *entry) value(successor string) string {
	return e.l.ownerData(owner{Successor: successor, Lingers: e.l.linger > 0 && !e.lease.Own, Since: e.since})
}

// asks reports whether the key is that of a try that asks.
func asks(key string) bool { return strings.HasSuffix(key, askMark) }

// tryOn takes the name in etcd if the queue is empty, or holds nothing but a
// hold that lingers, on the lease of a fixed term or, without one, on the session's.
func (l *Locker) tryOn(ctx context.Context, name string, fixed *session.Lease) (*entry, error) {
	for {
		was, err := l.look(ctx, name)
		if err != nil {
			return nil, err
		}
		s := fixed
		if s == nil {
			if s, err = l.session.Lease(ctx, true); err != nil {
				return nil, err
			}
		}
		e, err := l.contendOn(ctx, name, s, was)
		if !errors.Is(err, errRequeue) || fixed != nil && !fixed.Alive() {
			return e, err
		}
	}
}

// prospect is what a look at a queue has found that a try may get: nobody, or a hold that may
// only linger.
type prospect struct {
	holder *mvccpb.KeyValue // nil if there is none
	below  bool             // there are keys of longer names
}

// look tells, without a write, whether a try may get the name: the error is a
// heldError if not.
func (l *Locker) look(ctx context.Context, name string) (prospect, error) {
	prefix := l.prefix(name)
	var resp *clientv3.GetResponse
	err := l.session.Call(ctx, func(ctx context.Context) (err error) {
		resp, err = l.cli.Get(ctx, prefix, append(allByAge(), clientv3.WithLimit(2))...)
		return err
	})
	if err != nil {
		return prospect{}, err
	}
	queue := queueIn(prefix, resp.Kvs)
	below := len(queue) < len(resp.Kvs)
	if below {
		if queue, err = l.queue(ctx, prefix); err != nil {
			return prospect{}, err
		}
	}
	switch {
	case len(queue) == 0:
		return prospect{below: below}, nil
	case len(queue) > 1 || !ownerIn(queue[0].Value).Lingers:
		return prospect{}, l.heldBy(name, queue)
	default:
		return prospect{queue[0], below}, nil
	}
}

// contendOn goes once through a queue that is empty, or has the holder in it, who
// is asked.
func (l *Locker) contendOn(ctx context.Context, name string, s *session.Lease, was prospect) (*entry, error) {
	e, last := l.newEntry(name, s), int64(emptyQueue)
	if was.holder != nil {
		e.key += askMark
		last = was.holder.CreateRevision
	}
	if was.below { // a condition cannot tell which of the keys has come
		last = anyQueue
	}
	if err := e.enqueue(ctx, last); err != nil {
		return nil, err
	}
	if e.pred != "" {
		err := e.standsBehind(ctx, was.holder)
		if err == nil && e.pred != "" {
			err = e.askHolder(ctx, was.holder)
		}
		if err != nil {
			e.end()
			_ = e.release(nil)
			return nil, err
		}
	}
	if !e.lease.Alive() {
		return nil, errRequeue
	}
	return e, nil
}

// standsBehind makes sure that nobody but the holder is before the entry, which was put
// without that condition if there are keys of longer names.
func (e *entry) standsBehind(ctx context.Context, holder *mvccpb.KeyValue) error {
	if e.pred == e.key { // it is not known who is
		if err := e.check(ctx, 0); err != nil {
			return err
		}
	}
	switch {
	case e.pred == "", holder != nil && e.pred == string(holder.Key):
		return nil
	default:
		return e.l.heldBy(e.name, []*mvccpb.KeyValue{{Key: []byte(e.pred)}})
	}
}

// askHolder waits until the holder has left or answered.
func (e *entry) askHolder(ctx context.Context, holder *mvccpb.KeyValue) error {
	actx, cancel := context.WithTimeout(ctx, e.l.requestTimeout/3)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	err := e.l.session.Follow(actx, session.Sight{Key: e.pred, Look: func(ctx context.Context, _ int64) (bool, error) {
		first, err := e.first(ctx)
		switch {
		case err != nil:
			return false, err
		case first == nil:
			e.deleted()
			return true, context.Cause(e.ctx)
		case string(first.Key) == e.key:
			e.pred = ""
			return true, nil
		case string(first.Key) != e.pred || !ownerIn(first.Value).Lingers:
			return true, e.l.heldBy(e.name, []*mvccpb.KeyValue{first})
		default:
			return false, nil
		}
	}})
	switch {
	case err == nil, errors.Is(err, ErrHeld), errors.Is(err, ErrLost):
		return err
	case e.ctx.Err() != nil:
		return e.ended()
	case ctx.Err() != nil:
		return ctx.Err()
	case actx.Err() != nil && holder != nil:
		return e.l.heldBy(e.name, []*mvccpb.KeyValue{holder})
	default:
		return err
	}
}

// first returns the first key of the queue that the entry is in.
func (e *entry) first(ctx context.Context) (*mvccpb.KeyValue, error) {
	var resp *clientv3.TxnResponse
	err := e.l.session.Call(ctx, func(ctx context.Context) (err error) {
		resp, err = e.l.cli.Txn(ctx).
			If(createdAt(e.key, e.rev)).
			Then(clientv3.OpGet(e.prefix, clientv3.WithFirstCreate()...)).
			Commit()
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case !resp.Succeeded:
		e.deleted()
		return nil, context.Cause(e.ctx)
	default:
		return e.l.oldest(ctx, e.prefix, resp.Responses[0].GetResponseRange())
	}
}

// answer tells those who ask that the hold is in use, in the value of its key, if
// one of the keys behind asks. The caller holds the mutex.
func (h *hold) answer(behind []place) {
	if h.answered || h.s.turn == nil {
		return
	}
	for _, p := range behind {
		if asks(p.key) {
			h.answered = true
			h.s.l.session.Spawn(h.e.sayInUse)
			return
		}
	}
}

// sayInUse writes that the hold does not linger, until etcd has answered or the
// hold has ended.
func (e *entry) sayInUse() {
	var pace session.Backoff
	for {
		err := e.l.session.Call(e.ctx, func(ctx context.Context) error {
			_, err := e.l.cli.Txn(ctx).
				If(createdAt(e.key, e.rev)).
				Then(clientv3.OpPut(e.key, e.l.ownerData(owner{Since: e.since}), clientv3.WithLease(e.lease.ID))).
				Commit()
			return err
		})
		if err == nil || e.l.session.Final(err) || !pace.Wait(e.ctx) {
			return
		}
	}
}
