package etcdlock

import (
	"context"
	"strings"
	"sync/atomic"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// neighbour watches the keys that one lease has in a queue: those of whoever
// stands before an entry. Processes that go on wanting a name stand in the same
// order round after round, so the watch outlives the entry. A long queue costs
// each of them one notice a round that way, and no watch made and called off.
type neighbour struct {
	keys    string // what the keys begin with, or the only one
	leash   session.Leash
	news    chan change // room for the last one
	failure error       // why there is no news any more; set before news is closed
	failed  atomic.Bool // there will be none
}

// change tells that one of the keys has gone, or may have.
type change struct {
	rev       int64  // when, 0 if that is not known
	gone      string // the key, if it is known
	successor string // the lease that was named as the next, if one was
}

// keysOf returns what all keys of the lease that the key is on begin with, as
// far as it can be told from the key.
func keysOf(key string) (keys string, all bool) {
	if at := strings.LastIndexByte(key, '-'); at > strings.LastIndexByte(key, '/') {
		return key[:at+1], true
	}
	return key, false
}

// leaseOf returns the lease that the key is on, "" if that cannot be told.
func leaseOf(key string) string {
	keys, all := keysOf(key)
	if !all {
		return ""
	}
	return keys[strings.LastIndexByte(keys, '/')+1 : len(keys)-1]
}

// watches reports whether it is the neighbour that has the key.
func (n *neighbour) watches(key string) bool {
	keys, _ := keysOf(key)
	return n != nil && n.keys == keys
}

// watchNeighbour watches the keys of whoever has the key given. It returns nil
// if the Locker is closed.
func (l *Locker) watchNeighbour(key string) *neighbour {
	keys, all := keysOf(key)
	ctx, stop := context.WithCancel(l.session.Watching())
	n := &neighbour{keys: keys, news: make(chan change, 1)}
	n.leash.Cancel = stop
	v := session.Sight{Key: keys, Lasting: &n.leash, News: n.take, Look: func(_ context.Context, since int64) (bool, error) {
		n.tell(change{rev: since})
		return false, nil
	}}
	if all {
		v.Opts = append(v.Opts, clientv3.WithPrefix())
	}
	follow := func() {
		defer stop()
		n.fail(l.session.Follow(ctx, v))
	}
	if !l.session.Spawn(follow) {
		stop()
		return nil
	}
	return n
}

// fail notes that there will be no news any more.
func (n *neighbour) fail(err error) {
	n.failure = err
	n.failed.Store(true)
	close(n.news)
}

// take takes in what the watch tells.
func (n *neighbour) take(events []*clientv3.Event) bool {
	var c change
	for _, ev := range events {
		switch rev := ev.Kv.ModRevision; {
		case ev.Type == clientv3.EventTypeDelete:
			c = change{rev: rev, gone: string(ev.Kv.Key)}
		case rev == c.rev: // an exchange, which may name a successor
			c.successor = ownerIn(ev.Kv.Value).Successor
		}
	}
	if c.rev > 0 {
		n.tell(c)
	}
	return false
}

// tell replaces the news that nobody has taken.
func (n *neighbour) tell(c change) {
	for {
		select {
		case n.news <- c:
			return
		default:
		}
		select {
		case <-n.news:
		default:
		}
	}
}

// await waits for something that may have happened after the revision.
func (n *neighbour) await(ctx context.Context, after int64) (change, error) {
	for {
		select {
		case c, open := <-n.news:
			switch {
			case !open:
				return change{}, n.failure
			case c.rev == 0 || c.rev > after:
				return c, nil
			}
		case <-ctx.Done():
			return change{}, ctx.Err()
		}
	}
}

// end ends the watch, if there is one.
func (n *neighbour) end() {
	if n != nil {
		n.leash.End()
	}
}

// await waits until the entry owns its name. It goes on with the watch given, if
// that is of whom it stands behind, and returns the one it has in the end.
func (e *entry) await(ctx context.Context, n *neighbour) (*neighbour, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(e.ctx, func() { cancel(context.Cause(e.ctx)) })()
	if n != nil && n.failed.Load() { // while nobody waited
		n.end()
		n = nil
	}
	for e.pred != "" {
		var c change
		var err error
		if e.asOf > 0 { // else it is not known who is before
			if !n.watches(e.pred) {
				n.end()
				if n = e.l.watchNeighbour(e.pred); n == nil {
					return nil, ErrClosed
				}
			}
			c, err = n.await(ctx, e.asOf)
		}
		switch {
		case err != nil:
		case c.gone == e.pred && c.successor == e.lease.Name() && e.sole && !e.unsure:
			e.named(c.rev)
		default:
			err = e.checkAgain(ctx, c.rev)
		}
		switch {
		case err == nil:
		case e.ctx.Err() == nil:
			e.spawnRelease()
			return n, err
		default:
			return n, e.ended()
		}
	}
	return n, nil
}

// named takes in that who was before the entry left with an exchange that found
// a key of the entry's lease in the queue and named that. It was the entry's, as
// no other can be there. Only an owner exchanges, and nobody was between the
// two, so the name is the entry's from that revision on, as a check would tell.
// The owner is in the queue again, behind.
func (e *entry) named(rev int64) { e.pred, e.asOf, e.behind = "", rev, true }

// checkAgain is check, until there is an answer.
func (e *entry) checkAgain(ctx context.Context, since int64) error {
	var pace session.Backoff
	for {
		err := e.check(ctx, since)
		if err == nil || e.l.session.Final(err) {
			return err
		}
		if !pace.Wait(ctx) {
			return ctx.Err()
		}
		since = 0
	}
}
