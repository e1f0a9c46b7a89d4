package queue

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// watch follows a scope of a queue: all of it, of which it keeps a snapshot, or the keys of
// the predecessor's lease, of which it keeps the last departure. A long queue costs
// each waiter one notice a round that way, and no watch made and called off.
// The mutex of the queue guards what changes in it.
type watch struct {
	q     *Queue
	scope session.Scope // here and not on the stack of the goroutine that waits, which is twice as large then
	whole bool          // the scope is the queue
	leash session.Leash

	snapshot  snapshot      // of the whole queue
	departure *departure    // of the predecessor, until somebody has taken it
	failure   error         // why there is no news any more
	changed   chan struct{} // closed at the next change; nil while nobody waits for it
}

// departure tells that the predecessor has gone, or may have.
type departure struct {
	rev       int64  // when, 0 if that is not known
	key       string // which key, if that is known
	successor string // the lease that was named as the next owner, if one was
}

// startWatch watches the keys that begin like that, or the one key if it cannot be told what
// all of its lease begin with. It returns nil if the session is stopped. The caller holds the
// mutex.
func (q *Queue) startWatch(key string, whole bool) *watch {
	keys, all := key, whole
	if !whole {
		keys, all = keysOf(key)
	}
	ctx, stop := context.WithCancel(q.sp.Session.Watching())
	w := &watch{q: q, whole: whole}
	w.leash.Cancel = stop
	w.scope = session.Scope{Key: keys, Lasting: &w.leash, News: w.news, Read: w.read}
	if all {
		w.scope.Opts = []clientv3.OpOption{clientv3.WithPrefix()}
	}
	run := func() {
		defer stop()
		w.fail(q.sp.Session.Watch(ctx, &w.scope))
	}
	if !q.sp.Session.Spawn(run) {
		stop()
		return nil
	}
	return w
}

// end ends the watch, if there is one.
func (w *watch) end() {
	if w != nil {
		w.leash.End()
	}
}

// covers reports whether the key is in the scope of a predecessor's watch.
func (w *watch) covers(key string) bool {
	keys, _ := keysOf(key)
	return w != nil && w.scope.Key == keys
}

// news brings what the watch shows up to date.
func (w *watch) news(events []*clientv3.Event) (unclear bool) {
	if w.whole {
		w.change(func() { w.snapshot.apply(w.q.path, events) })
		return false
	}
	var d departure
	for _, ev := range events {
		switch c := decode(ev); {
		case !c.put:
			d = departure{rev: c.rev, key: string(c.key)}
		case c.rev == d.rev: // an exchange, which may name a successor
			d.successor = parse(c.value).Successor
		}
	}
	if d.rev > 0 {
		w.depart(&d)
	}
	return false
}

// read finds out how things stand, at the revision since or later.
func (w *watch) read(ctx context.Context, since int64) (bool, error) {
	if w.whole {
		return false, w.load(ctx, since)
	}
	w.depart(&departure{rev: since})
	return false, nil
}

// depart replaces the departure, whether or not anybody has taken it.
func (w *watch) depart(d *departure) { w.change(func() { w.departure = d }) }

// fail notes that there will be no news any more.
func (w *watch) fail(err error) { w.change(func() { w.failure = err }) }

// change changes what the watch shows, and tells the waiters that it matters to.
func (w *watch) change(f func()) {
	w.q.mu.Lock()
	f()
	changed := w.changed
	w.changed = nil
	w.q.mu.Unlock()
	if changed != nil {
		close(changed) // after the mutex, which the one that wakes up takes first
	}
	if w.whole && w.q.told != nil {
		w.q.told()
	}
}

// next returns what is closed at the next change. The caller holds the mutex.
func (w *watch) next() <-chan struct{} {
	if w.changed == nil {
		w.changed = make(chan struct{})
	}
	return w.changed
}

// load takes the snapshot again, as things were at the revision since or later,
// or with 0 as they are now, as soon as etcd tells.
func (w *watch) load(ctx context.Context, since int64) error {
	sp, path := w.q.sp, w.q.path
	read := func(local bool) (*clientv3.GetResponse, error) {
		opts := append(allByAge(), clientv3.WithKeysOnly())
		if local {
			opts = append(opts, clientv3.WithSerializable())
		}
		// Not on ctx, which the watch keeps: a context that had a child once is 250 bytes larger.
		return sp.get(sp.Session.Watching(), path, opts...)
	}
	var pace session.Backoff
	for {
		resp, err := read(since > 0)
		if err == nil && resp.Header.Revision < since { // another member, which lags behind
			resp, err = read(false)
		}
		if err == nil {
			w.change(func() { w.snapshot.take(path, resp) })
			return nil
		}
		if sp.Session.Final(err) || !pace.Wait(ctx) {
			return err
		}
	}
}
