package queue

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// MaxMoved is how many nodes one Move takes: etcd takes 128 operations in one transaction.
const MaxMoved = 64

// Move moves the keys of nodes to another lease. The nodes count on their former one still.
// Sending it again is harmless: the keys stay the same, and one that has gone does not come
// back, which is session.ErrLost.
func (sp *Space) Move(ctx context.Context, nodes []*Node, to *session.Lease) error {
	var there []clientv3.Cmp
	var puts, reads []clientv3.Op
	for _, n := range nodes {
		there = append(there, createdAt(n.key, n.rev))
		puts = append(puts, clientv3.OpPut(n.key, n.value(""), clientv3.WithLease(to.ID)))
		reads = append(reads, clientv3.OpGet(n.key, clientv3.WithKeysOnly()))
	}
	var resp *clientv3.TxnResponse
	err := sp.Session.Call(ctx, func(ctx context.Context) (err error) {
		resp, err = sp.Client.Txn(ctx).If(there...).Then(puts...).Else(reads...).Commit()
		return err
	})
	if err != nil || resp.Succeeded {
		return err
	}
	for i, n := range nodes {
		if !n.isIn(resp.Responses[i].GetResponseRange().GetKvs()) {
			n.Deleted()
			err = context.Cause(n.ctx)
		}
	}
	return err
}
