package etcdlock

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

func (v *view) keys() []string {
	v.s.l.stations.mu.Lock()
	defer v.s.l.stations.mu.Unlock()
	keys := make([]string, 0, len(v.places))
	for _, p := range v.places {
		keys = append(keys, p.key)
	}
	return keys
}

// pictureOf returns a view that nothing keeps up to date.
func pictureOf(l *Locker, rev int64, places ...place) *view {
	return &view{s: &station{l: l, name: "n"}, rev: rev, places: places, leash: session.Leash{Cancel: func() {}}}
}

func deletion(key string, rev int64) *clientv3.Event {
	return &clientv3.Event{Type: clientv3.EventTypeDelete, Kv: &mvccpb.KeyValue{Key: []byte(key), ModRevision: rev}}
}

func putting(key string, created, rev int64) *clientv3.Event {
	return &clientv3.Event{Type: clientv3.EventTypePut, Kv: &mvccpb.KeyValue{Key: []byte(key), CreateRevision: created, ModRevision: rev}}
}

// News change the picture once, each of them, and only what they are about.
func TestView_News(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, nil)
	dir := l.prefix("n")
	for name, c := range map[string]struct {
		events []*clientv3.Event
		want   []string
		rev    int64
	}{
		"TwoOfOneRevision":    {[]*clientv3.Event{deletion("a", 6), putting("c", 6, 6)}, []string{"b", "c"}, 6},
		"SeveralRevisions":    {[]*clientv3.Event{putting("c", 6, 6), deletion("a", 7), deletion("c", 9)}, []string{"b"}, 9},
		"ShownAlready":        {[]*clientv3.Event{putting("a", 3, 3), putting("c", 4, 4), deletion("b", 5)}, []string{"a", "b"}, 5},
		"ShownAndNew":         {[]*clientv3.Event{deletion("b", 5), putting("c", 6, 6)}, []string{"a", "b", "c"}, 6},
		"OfNoPlace":           {[]*clientv3.Event{deletion("x", 6)}, []string{"a", "b"}, 6},
		"WrittenAgain":        {[]*clientv3.Event{putting("b", 4, 6)}, []string{"a", "b"}, 6},
		"OfALongerName":       {[]*clientv3.Event{putting("c/1", 6, 6), deletion("c/1", 7)}, []string{"a", "b"}, 7},
		"GoneAndThereOnceAga": {[]*clientv3.Event{deletion("a", 6), putting("a", 7, 7)}, []string{"b", "a"}, 7},
	} {
		for _, ev := range c.events {
			ev.Kv.Key = append([]byte(dir), ev.Kv.Key...)
		}
		v := pictureOf(l, 5, place{dir + "a", 3}, place{dir + "b", 4})
		if v.news(c.events) {
			t.Errorf("%s: it has to be looked at", name)
		}
		got := v.keys()
		for i := range got {
			got[i] = strings.TrimPrefix(got[i], dir)
		}
		if !slices.Equal(got, c.want) || v.rev != c.rev {
			t.Errorf("%s: %v at %d, want %v at %d", name, got, v.rev, c.want, c.rev)
		}
	}
}

// An entry is not looked for in a picture of a time before it, and not taken
// for another that has its key or its revision.
func TestView_Find(t *testing.T) {
	t.Parallel()
	l, _ := newTestLocker(t, nil)
	v := pictureOf(l, 5, place{"a", 3}, place{"b", 4})
	for _, c := range []struct {
		key   string
		rev   int64
		at    int
		known bool
	}{{"b", 4, 1, true}, {"a", 3, 0, true}, {"c", 5, -1, true}, {"b", 3, -1, true}, {"a", 4, -1, true}, {"c", 6, 0, false}} {
		if at, known := v.find(&entry{key: c.key, rev: c.rev}); at != c.at || known != c.known {
			t.Errorf("%s of %d is found at %d, %v", c.key, c.rev, at, known)
		}
	}
}

// watches counts what is being watched in queues.
type watches struct {
	clientv3.Watcher
	open atomic.Int64
	all  atomic.Int64
}

func (w *watches) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	if len(key) < len(session.Prefix) || key[:len(session.Prefix)] != session.Prefix {
		w.all.Add(1)
		w.open.Add(1)
		context.AfterFunc(ctx, func() { w.open.Add(-1) })
	}
	return w.Watcher.Watch(ctx, key, opts...)
}

// However a process parts with a name, it watches its queue no longer.
func TestView_WatchesEnd(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(t *testing.T, l, other *Locker){
		"Waited": func(t *testing.T, l, other *Locker) {
			t.Helper()
			held := lockNow(t, other, "n")
			next := make(chan *Lock)
			go func() { next <- lockNow(t, l, "n") }()
			inLine(t, l, "n", 1)
			unlockNow(t, held)
			unlockNow(t, <-next)
			unlockNow(t, lockNow(t, other, "n")) // it may linger
		},
		"GivenUp": func(t *testing.T, l, other *Locker) {
			t.Helper()
			held := lockNow(t, other, "n")
			ctx, cancel := context.WithCancel(t.Context())
			next := make(chan error)
			go func() {
				_, err := l.Lock(ctx, "n")
				next <- err
			}()
			eventually(t, "the view", func() bool { return seen(l) })
			cancel()
			if err := <-next; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			unlockNow(t, held)
		},
		"Lingered": func(t *testing.T, l, other *Locker) {
			t.Helper()
			unlockNow(t, lockNow(t, l, "n"))
			unlockNow(t, lockNow(t, other, "n"))
		},
		"UsedAgain": func(t *testing.T, l, other *Locker) {
			t.Helper()
			for range 3 {
				unlockNow(t, lockNow(t, l, "n"))
			}
			unlockNow(t, lockNow(t, other, "n"))
		},
		"HeldForLong": func(t *testing.T, l, _ *Locker) {
			t.Helper()
			k := lockNow(t, l, "n")
			eventually(t, "the view", func() bool { return seen(l) })
			l.linger = 0
			unlockNow(t, k)
		},
		"Lost": func(t *testing.T, l, _ *Locker) {
			t.Helper()
			k := lockNow(t, l, "n")
			eventually(t, "the view", func() bool { return seen(l) })
			if _, err := l.cli.Delete(t.Context(), k.held.parts[0].turn.e.key); err != nil {
				t.Fatal(err)
			}
			<-k.Context().Done()
			_ = k.Unlock(t.Context()) // lost
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			w := &watches{}
			l := lockerOn(t, srv, &Options{Linger: time.Hour}, nil, func(cli *clientv3.Client) {
				w.Watcher, cli.Watcher = cli.Watcher, w
			})
			other := lockerOn(t, srv, &Options{Linger: NoLinger}, nil, nil)
			use(t, l, other)
			awaitQueue(t, srv, "n", 0)
			eventually(t, "the end of the watches", func() bool { return w.open.Load() == 0 })
			if w.all.Load() == 0 {
				t.Error("nothing was watched: the test proves nothing")
			}
		})
	}
}

// seen reports whether there is a picture of the queue of "n".
func seen(l *Locker) bool {
	l.stations.mu.Lock()
	defer l.stations.mu.Unlock()
	s := l.stations.byName["n"]
	return s != nil && s.view != nil && s.view.rev > 0
}
