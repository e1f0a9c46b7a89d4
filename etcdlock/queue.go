package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

const (
	// guardDelay is how old an entry grows before its own key is watched, so
	// that a lock held for a moment costs no watch.
	guardDelay = 100 * time.Millisecond
	// unknown is how many are ahead of an entry when that is not known: a view of
	// a queue that may be long is no way to find out.
	unknown = math.MaxInt64
)

var errKeyDeleted = errors.New("its key was deleted")

// entry is one key in the queue of one name. The entry with the lowest create
// revision owns the name:
//
//  1. enqueue puts the key and learns the predecessor in one transaction.
//     Nobody before: owned.
//  2. await watches the predecessor, and after every sign of life
//  3. check asks, in one transaction, whether the own key is still there and
//     who is before it now. A predecessor that left the middle of the queue
//     changes only whom to watch.
//  4. release deletes the key if it is still the one that was put.
//  5. abandon removes a key of which it is not known whether it exists, and
//     leave one that may come to exist again.
type entry struct {
	l      *Locker
	name   string
	prefix string
	key    string
	number uint64 // of the key
	others uint64 // keys of the lease that might have been in the queue when this one was drawn
	lease  *session.Lease
	since  time.Time
	rev    int64  // create revision, 0 while unknown
	asOf   int64  // revision at which pred was the predecessor
	pred   string // key of the predecessor, "" if there is none
	ahead  int64  // how many were before it when it was put, or unknown
	sole   bool   // since its key was put, no other key of the lease can be in the queue
	unsure bool   // a sending of the enqueueing had no answer: it may land yet
	behind bool   // what made it the owner told that somebody is behind
	waited bool   // there was a predecessor on another lease
	ctx    context.Context
	cancel context.CancelCauseFunc

	left  atomic.Bool // the key is out of the queue
	stray bool        // a sweep had no answer
	owned sync.Once
	owner string // of its claims, once somebody asked for it

	guard *time.Timer          // starts a watch on the own key
	hold  atomic.Pointer[hold] // what it has become; nil while it waits
}

func (l *Locker) newEntry(name string, s *session.Lease) *entry {
	e := &entry{l: l, name: name, prefix: l.prefix(name), lease: s, since: time.Now().UTC()}
	e.takePlace()
	e.sole = e.others == 0
	e.ctx, e.cancel = context.WithCancelCause(s.Ctx())
	return e
}

// lastCreated asks for the key that stands last in a queue.
func lastCreated() []clientv3.OpOption {
	return append(clientv3.WithLastCreate(), clientv3.WithKeysOnly())
}

// follow notes the predecessor that the entry was put behind.
func (e *entry) follow(before *pb.RangeResponse) {
	if hidden(e.prefix, before) { // the entry as its own predecessor makes await look
		e.ahead, e.pred = unknown, e.key
		return
	}
	e.ahead, e.asOf = before.Count, e.rev
	e.behindKey(before.Kvs)
}

// behindKey takes in who is before the entry now.
func (e *entry) behindKey(kvs []*mvccpb.KeyValue) {
	e.pred = ""
	if len(kvs) > 0 {
		e.pred = string(kvs[0].Key)
		e.waited = e.waited || !strings.HasPrefix(e.pred, e.leasePrefix())
	}
}

// check finds out who is before the entry, and if nobody is, whether anybody is
// behind, as it was at the revision since or later, or with 0 as it is now.
//
// What happened up to a known revision can be asked of the member that the
// client talks to alone, without a round through the cluster that would queue
// behind the writes. It is as good an answer as one that took longer on its
// way: who owned the name at one revision owns it until its key goes.
func (e *entry) check(ctx context.Context, since int64) error {
	local := since > 0
	since = max(since, e.rev) // a watch on a member that lags behind may tell of an older one
	resp, err := e.ask(ctx, since, local, append(lastCreated(), clientv3.WithMaxCreateRev(e.rev-1))...)
	if err == nil && resp.Succeeded && hidden(e.prefix, resp.Responses[0].GetResponseRange()) {
		resp, err = e.ask(ctx, since, local, append(allByAge(), clientv3.WithKeysOnly())...)
		if err == nil && resp.Succeeded {
			e.find(resp)
			return nil
		}
	}
	if err != nil {
		return err
	}
	if !resp.Succeeded {
		e.deleted()
		return context.Cause(e.ctx)
	}
	queue := resp.Responses[0].GetResponseRange()
	e.asOf = resp.Header.Revision
	e.behindKey(queue.Kvs)
	// The count is that of all keys, whichever was asked for. One of a longer name
	// makes the hold leave sooner than it must.
	e.behind = e.pred == "" && queue.Count > 1
	return nil
}

// find looks for the entry's place in an answer that has all of the queue.
func (e *entry) find(resp *clientv3.TxnResponse) {
	queue := queueIn(e.prefix, resp.Responses[0].GetResponseRange().Kvs)
	at := slices.IndexFunc(queue, func(kv *mvccpb.KeyValue) bool { return kv.CreateRevision >= e.rev })
	e.asOf = resp.Header.Revision
	e.behindKey(queue[max(at-1, 0):at])
	e.behind = at == 0 && len(queue) > 1
}

// ask reads keys of the queue, as it was at the revision since or later, on condition that
// the entry's is there.
func (e *entry) ask(ctx context.Context, since int64, local bool, keys ...clientv3.OpOption) (*clientv3.TxnResponse, error) {
	if local {
		resp, err := e.askMember(ctx, append(keys, clientv3.WithSerializable()))
		if err != nil || resp.Header.Revision >= since {
			return resp, err
		}
	}
	return e.askMember(ctx, keys)
}

func (e *entry) askMember(ctx context.Context, keys []clientv3.OpOption) (resp *clientv3.TxnResponse, err error) {
	err = e.l.session.Call(ctx, func(ctx context.Context) (err error) {
		resp, err = e.l.cli.Txn(ctx).
			If(createdAt(e.key, e.rev)).
			Then(clientv3.OpGet(e.prefix, keys...)).
			Commit()
		return err
	})
	return resp, err
}

// ended says why an entry ended that we did not end.
func (e *entry) ended() error {
	if e.lease.Ctx().Err() != nil && e.lease.Faded() {
		return errRequeue
	}
	return context.Cause(e.ctx)
}

// deleted ends the entry: its key is gone and we did not delete it. When that
// is because the lease was revoked, the lease says so too, a moment later.
func (e *entry) deleted() {
	e.cancel(fmt.Errorf("%w: %s: %w", ErrLost, e.key, errKeyDeleted))
	if h := e.hold.Load(); h != nil {
		e.l.session.Spawn(h.gone)
	}
	e.leave()
}

// watchOwnKey notices, from a moment of age on, that somebody deletes the key,
// until the entry ends.
func (e *entry) watchOwnKey() {
	e.guard = time.AfterFunc(guardDelay, func() {
		e.l.session.Spawn(func() {
			if err := e.l.session.AwaitGone(e.ctx, e.key, e.rev); err == nil {
				e.deleted()
			}
		})
	})
}

// reached begins no watch on the own key any more, because somebody else looks
// after that.
func (e *entry) reached() {
	if e.guard != nil {
		e.guard.Stop()
		e.guard = nil // a timer is kept by whoever can still stop it
	}
}
