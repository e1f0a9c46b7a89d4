package etcdlock

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// end ends the entry's context, unless it has ended already, and everything
// that looks after the entry.
func (e *entry) end() {
	e.reached()
	e.cancel(nil)
}

// spawnRelease gives the place in the queue back without waiting for it.
func (e *entry) spawnRelease() {
	e.end()
	e.l.session.Spawn(func() { _ = e.release(nil) })
}

// release deletes the key, guarded by its create revision so that a late
// repetition can never hit anything else. It repeats until the outcome is
// certain: the key is deleted, or it was gone before (ErrLost), or the lease
// has ended and takes the key along (ErrUnavailable). answered, if not nil,
// is called after the first attempt, whatever came of it.
func (e *entry) release(answered func()) error {
	var pace session.Backoff
	for attempt := 1; ; attempt++ {
		var resp *clientv3.TxnResponse
		err := e.l.session.Call(e.lease.Ctx(), func(ctx context.Context) (err error) {
			resp, err = e.l.cli.Txn(ctx).
				If(createdAt(e.key, e.rev)).
				Then(clientv3.OpDelete(e.key)).
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
			e.leave()
			return nil
		case err == nil:
			e.leave()
			return fmt.Errorf("%w: %s: %w", ErrLost, e.key, errKeyDeleted)
		case e.l.session.Final(err):
			return fmt.Errorf("deleting %s: %w", e.key, session.Unserved(err))
		}
		e.l.hooks.unknown(e.name, "release", err)
		if !pace.Wait(e.lease.Ctx()) {
			return fmt.Errorf("deleting %s: %w, it goes with its lease: %w", e.key, ErrUnavailable, err)
		}
	}
}
