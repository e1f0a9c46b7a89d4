package queue

import (
	"context"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// check finds out who is before the node, and if nobody is, whether anybody is
// behind, as it was at the revision since or later, or with 0 as it is now.
//
// What happened up to a known revision can be asked of the member that the
// client talks to alone, without a round through the cluster that would queue
// behind the writes. It is as good an answer as one that took longer on its
// way: who owned the name at one revision owns it until its key goes.
func (n *Node) check(ctx context.Context, since int64) error {
	path, local := n.q.path, since > 0
	since = max(since, n.rev) // a watch on a member that lags behind may tell of an older one
	resp, err := n.read(ctx, since, local, append(lastCreated(), clientv3.WithMaxCreateRev(n.rev-1))...)
	if err == nil && resp.Succeeded && hidden(path, resp.Responses[0].GetResponseRange()) {
		resp, err = n.read(ctx, since, local, append(allByAge(), clientv3.WithKeysOnly())...)
		if err == nil && resp.Succeeded {
			n.find(resp)
			return nil
		}
	}
	if err != nil {
		return err
	}
	if !resp.Succeeded {
		n.Deleted()
		return context.Cause(n.ctx)
	}
	before := resp.Responses[0].GetResponseRange()
	n.placed(before.Kvs, resp.Header.Revision)
	// The count is that of all keys, whichever was asked for. One of a longer name
	// makes the hold leave sooner than it must.
	n.hasSuccessor = n.is(owns) && before.Count > 1
	return nil
}

// find looks for the node's place in an answer that has all of the queue.
func (n *Node) find(resp *clientv3.TxnResponse) {
	all := queueIn(n.q.path, resp.Responses[0].GetResponseRange().Kvs)
	at := slices.IndexFunc(all, func(kv *mvccpb.KeyValue) bool { return kv.CreateRevision >= n.rev })
	n.placed(all[max(at-1, 0):at], resp.Header.Revision)
	n.hasSuccessor = at == 0 && len(all) > 1
}

// read reads keys of the queue, as it was at the revision since or later, on condition that
// the node's is there.
func (n *Node) read(ctx context.Context, since int64, local bool, keys ...clientv3.OpOption) (*clientv3.TxnResponse, error) {
	if local {
		resp, err := n.readIf(ctx, append(keys, clientv3.WithSerializable()))
		if err != nil || resp.Header.Revision >= since {
			return resp, err
		}
	}
	return n.readIf(ctx, keys)
}

func (n *Node) readIf(ctx context.Context, keys []clientv3.OpOption) (resp *clientv3.TxnResponse, err error) {
	sp := n.q.sp
	err = sp.Session.Call(ctx, func(ctx context.Context) (err error) {
		resp, err = sp.Client.Txn(ctx).
			If(createdAt(n.key, n.rev)).
			Then(clientv3.OpGet(n.q.path, keys...)).
			Commit()
		return err
	})
	return resp, err
}

// checkUntilAnswered is check, until there is an answer, ctx ends, or the node does.
func (n *Node) checkUntilAnswered(ctx context.Context, since int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(n.ctx, func() { cancel(context.Cause(n.ctx)) })()
	var pace session.Backoff
	for {
		err := n.check(ctx, since)
		if err == nil || n.q.sp.Session.Final(err) {
			return err
		}
		if !pace.Wait(ctx) {
			return ctx.Err()
		}
		since = 0
	}
}
