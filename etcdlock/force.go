package etcdlock

import (
	"context"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// ForceLock takes all the names at once, also from those who hold or wait for them: it puts itself into
// each queue and removes all places in front, as Evict does, those of this process included.
// It is for operators; nothing keeps a holder's work from going on until it notices that its
// context has ended with ErrLost. The token is greater than that of everybody who was removed,
// so a store that is shown tokens refuses what such a holder does later. When several do so at
// the same time, the last one has the lock.
//
// The Lock is renewed like any other, on a lease of its own, and does not linger. A name that
// ctx holds already is refused with ErrInvalid.
//
// Errors: those of Lock except ErrOrder; ErrTimeout if ctx ended first.
func (l *Locker) ForceLock(ctx context.Context, names ...string) (*Lock, error) {
	return l.lock(ctx, request{doing: "locking by force", names: names, wait: true, force: true})
}

// seize takes the name from everybody in front.
func (l *Locker) seize(ctx context.Context, name string, s *session.Lease) (*entry, error) {
	e := l.newEntry(name, s)
	if err := e.enqueue(ctx, anyQueue); err != nil {
		return nil, err
	}
	var pace session.Backoff
	for e.pred != "" {
		err := e.clear(ctx)
		if err == nil {
			err = e.check(ctx, 0)
		}
		switch {
		case e.ctx.Err() != nil:
			return nil, e.ended()
		case err == nil:
		case l.session.Final(err):
			e.spawnRelease()
			return nil, err
		case !pace.Wait(ctx):
			e.spawnRelease()
			return nil, ctx.Err()
		}
	}
	if !e.lease.Alive() {
		return nil, errRequeue
	}
	l.disown(e)
	return e, nil
}

// disown ends the hold that this process has lost to the entry, before a watch tells it so.
func (l *Locker) disown(to *entry) {
	var lost *entry
	l.stations.mu.Lock()
	if s := l.stations.byName[to.name]; s != nil && s.hold != nil && s.hold.e.rev < to.rev {
		lost = s.hold.e
	}
	l.stations.mu.Unlock()
	if lost != nil {
		lost.deleted()
	}
}

// clear removes all places in front, the last one first, so that none of them becomes the
// owner meanwhile.
func (e *entry) clear(ctx context.Context) error {
	queue, err := e.l.queue(ctx, e.prefix, clientv3.WithKeysOnly(), clientv3.WithMaxCreateRev(e.rev-1))
	if err != nil {
		return err
	}
	for _, kv := range slices.Backward(queue) {
		err := e.l.session.Call(ctx, func(ctx context.Context) error { return e.l.remove(ctx, string(kv.Key), kv.CreateRevision) })
		if err != nil {
			return err
		}
	}
	return nil
}

// remove takes a place out of a queue, and never one that was taken since.
func (l *Locker) remove(ctx context.Context, key string, rev int64) error {
	_, err := l.cli.Txn(ctx).If(createdAt(key, rev)).Then(clientv3.OpDelete(key)).Commit()
	return err
}
