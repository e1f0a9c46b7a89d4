package etcdlock

import (
	"context"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// nearEnough is how many may be ahead for a waiter to look at the whole queue.
// With more of them it watches the one before alone: in a long queue everybody
// would be told of every change, and wait for what is far away.
const nearEnough = 3

// view is a picture of the queue of a name, kept by one watch on all of it. It
// shows the queue as it was at one revision: who owned the name at that one
// owns it until its key goes, so whoever is first in the picture need not ask.
//
// A station has one while its hold is used more than for a moment, or while it
// waits near the head of the queue. stations.mu guards what changes in it.
type view struct {
	s       *station
	places  []place // by create revision
	rev     int64   // 0 as long as there is no picture
	leash   session.Leash
	failure error         // why there will be no picture any more
	changed chan struct{} // closed at the next change; nil while nobody waits for it
}

type place struct {
	key string
	rev int64
}

// look starts a view of the queue, unless there is one. The caller holds the
// mutex.
func (s *station) look() {
	if s.view != nil {
		return
	}
	ctx, stop := context.WithCancel(s.l.session.Watching())
	v := &view{s: s}
	v.leash.Cancel = stop
	sight := session.Sight{
		Key: s.l.prefix(s.name), Opts: []clientv3.OpOption{clientv3.WithPrefix()}, Lasting: &v.leash, News: v.news, Look: v.load,
	}
	follow := func() {
		defer stop()
		v.fail(s.l.session.Follow(ctx, sight))
	}
	if s.l.session.Spawn(follow) {
		s.view = v
	} else {
		stop()
	}
}

// lookAway ends the view. The caller holds the mutex.
func (s *station) lookAway() {
	if s.view != nil {
		s.view.leash.End()
		s.view = nil
	}
}

// load paints the picture anew, as things were at the revision since or later,
// or with 0 as they are now, as soon as etcd tells.
func (v *view) load(ctx context.Context, since int64) (bool, error) {
	var pace session.Backoff
	for {
		resp, err := v.get(ctx, since > 0)
		if err == nil && resp.Header.Revision < since { // another member, which lags behind
			resp, err = v.get(ctx, false)
		}
		if err == nil {
			v.change(func() { v.show(resp) })
			return false, nil
		}
		if v.s.l.session.Final(err) || !pace.Wait(ctx) {
			return false, err
		}
	}
}

func (v *view) show(resp *clientv3.GetResponse) {
	v.places = v.places[:0]
	for _, kv := range queueIn(v.s.l.prefix(v.s.name), resp.Kvs) {
		v.places = append(v.places, place{string(kv.Key), kv.CreateRevision})
	}
	v.rev = resp.Header.Revision
}

func (v *view) get(ctx context.Context, local bool) (resp *clientv3.GetResponse, err error) {
	opts := append(allByAge(), clientv3.WithKeysOnly())
	if local {
		opts = append(opts, clientv3.WithSerializable())
	}
	l := v.s.l
	err = l.session.Call(ctx, func(ctx context.Context) (err error) {
		resp, err = l.cli.Get(ctx, l.prefix(v.s.name), opts...)
		return err
	})
	return resp, err
}

// news brings the picture up to date.
func (v *view) news(events []*clientv3.Event) (unclear bool) {
	v.change(func() {
		shown := v.rev // several events may be of one revision
		for _, ev := range events {
			if ev.Kv.ModRevision <= shown {
				continue
			}
			v.rev = ev.Kv.ModRevision
			at := slices.IndexFunc(v.places, func(p place) bool { return p.key == string(ev.Kv.Key) })
			switch {
			case ev.IsCreate() && inQueue(v.s.l.prefix(v.s.name), string(ev.Kv.Key)):
				v.places = append(v.places, place{string(ev.Kv.Key), ev.Kv.CreateRevision})
			case ev.Type == clientv3.EventTypeDelete && at >= 0:
				v.places = slices.Delete(v.places, at, at+1)
			}
		}
	})
	return false
}

// fail ends a view that etcd refuses.
func (v *view) fail(err error) { v.change(func() { v.failure = err }) }

// change changes the picture and shows it to whom it matters.
func (v *view) change(f func()) {
	s := v.s
	s.l.stations.mu.Lock()
	f()
	if v.changed != nil {
		close(v.changed)
		v.changed = nil
	}
	var leaves *hold
	if s.view == v && s.hold != nil {
		leaves = s.hold.regard(v)
	}
	s.l.stations.mu.Unlock()
	s.l.letGo(leaves)
}

// find returns the entry's place in the picture, -1 if it is gone from there.
// It reports false if the picture does not show the entry's time.
func (v *view) find(e *entry) (at int, known bool) {
	if v.rev < e.rev {
		return 0, false
	}
	return slices.IndexFunc(v.places, func(p place) bool { return p.rev == e.rev && p.key == e.key }), true
}

// awaitInView waits, as await does, until the entry owns its name. With many
// ahead, it leaves that to await.
func (s *station) awaitInView(ctx context.Context, e *entry) error {
	if e.ahead > nearEnough {
		return s.awaitAfar(ctx, e)
	}
	e.reached() // the view shows its own key too
	for first := true; ; first = false {
		s.l.stations.mu.Lock()
		if ctx.Err() != nil { // called off, and nobody ends a view of a station that is forgotten
			s.l.stations.mu.Unlock()
			e.spawnRelease()
			return ctx.Err()
		}
		if first && s.view != nil && s.view.failure != nil { // which was for others
			s.lookAway()
		}
		if first && s.before != nil { // the view tells more
			s.before.end()
			s.before = nil
		}
		s.look()
		v := s.view
		at, known := -1, false
		if v != nil {
			at, known = v.find(e)
		}
		switch {
		case v == nil:
			s.l.stations.mu.Unlock()
			return ErrClosed
		case v.failure != nil:
			s.l.stations.mu.Unlock()
			e.spawnRelease()
			return v.failure
		case known && at < 0:
			s.l.stations.mu.Unlock()
			e.deleted()
			return context.Cause(e.ctx)
		case known && at == 0:
			s.l.stations.mu.Unlock()
			return nil
		}
		if known {
			e.waited = e.waited || !strings.HasPrefix(v.places[at-1].key, e.leasePrefix())
		}
		if v.changed == nil {
			v.changed = make(chan struct{})
		}
		changed := v.changed
		s.l.stations.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			e.spawnRelease()
			return ctx.Err()
		case <-e.ctx.Done():
			return e.ended()
		}
	}
}
