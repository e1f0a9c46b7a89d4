package etcdlock

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// sweepDelay is longer than an etcd server takes to answer or drop a request
// (5 s and two elections): what has not landed by then never will.
const sweepDelay = 10 * time.Second

// abandon removes the key of an entry whose enqueueing has no known outcome:
// now, and whenever a transaction that is still under way somewhere lands. It
// stops when the lease ends, which removes the key for good.
func (e *entry) abandon() {
	e.end()
	e.l.session.Spawn(func() {
		if e.sweep() {
			e.sweepLast()
		}
	})
}

// leave is called when the entry's key is out of the queue. It removes what a
// sending of the enqueueing without an answer may still put there: its
// condition holds again now that the key is gone.
func (e *entry) leave() {
	switch {
	case !e.left.CompareAndSwap(false, true):
	case e.unsure:
		e.l.session.Spawn(e.sweepLast)
	default:
		e.vacate()
	}
}

// sweepLast sweeps whenever a transaction that was still under way somewhere has
// landed, because its key may be in front of others, and once more when all must
// have landed.
func (e *entry) sweepLast() {
	e.sweepLate()
	switch {
	case e.lease.Ctx().Err() != nil || !e.sweep():
	case e.stray: // an earlier sweep may land yet
		e.lease.Slots.Spend(e.name, e.number)
	default:
		e.vacate()
	}
}

// sweepLate watches the key, and deletes it as soon as it is there, until nothing
// can put it there any more or the lease ends.
func (e *entry) sweepLate() {
	ctx, cancel := context.WithTimeout(e.lease.Ctx(), e.l.sweepDelay)
	defer cancel()
	_ = e.l.session.Follow(ctx, session.Sight{
		Key: e.key, Opts: []clientv3.OpOption{clientv3.WithFilterDelete()},
		Look: func(context.Context, int64) (bool, error) {
			e.sweep()
			return false, nil
		},
	})
	<-ctx.Done() // also if etcd refuses to tell
}

// sweep deletes the key, whatever its revision: nobody else has this key before
// the entry vacates it. It reports false when it had to give up.
func (e *entry) sweep() bool {
	var pace session.Backoff
	for {
		err := e.l.session.Call(e.lease.Ctx(), func(ctx context.Context) error {
			_, err := e.l.cli.Delete(ctx, e.key)
			return err
		})
		if err == nil {
			return true
		}
		e.stray = true // it may land yet, and delete what it finds
		if e.l.session.Final(err) || !pace.Wait(e.lease.Ctx()) {
			return false
		}
	}
}
