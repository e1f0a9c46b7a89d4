package queue

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// Release deletes the key, guarded by its create revision so that a late
// repetition can never hit anything else. It repeats until the outcome is
// certain: the key is deleted, or it was gone before (ErrLost), or the lease
// has ended and takes the key along (ErrUnavailable). answered, if not nil,
// is called after the first attempt, whatever came of it.
func (n *Node) Release(answered func()) error {
	sp := n.q.sp
	var pace session.Backoff
	for attempt := 1; ; attempt++ {
		var resp *clientv3.TxnResponse
		err := sp.Session.Call(n.lease.Ctx(), func(ctx context.Context) (err error) {
			resp, err = sp.Client.Txn(ctx).
				If(createdAt(n.key, n.rev)).
				Then(clientv3.OpDelete(n.key)).
				Commit()
			return err
		})
		if attempt == 1 && answered != nil {
			answered()
		}
		switch {
		case err == nil && (resp.Succeeded || attempt > 1):
			// A repetition that finds no key finds the work of an attempt
			// whose answer was lost.
			n.leave()
			return nil
		case err == nil:
			n.leave()
			return fmt.Errorf("%w: %s: %w", session.ErrLost, n.key, errKeyDeleted)
		case sp.Session.Final(err):
			return fmt.Errorf("deleting %s: %w", n.key, session.Unserved(err))
		}
		sp.Unknown(n.q.name(), "release", err)
		if !pace.Wait(n.lease.Ctx()) {
			return fmt.Errorf("deleting %s: %w, it goes with its lease: %w", n.key, session.ErrUnavailable, err)
		}
	}
}
