package etcdlock

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
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
	return &view{s: &station{l: l, name: "n"}, rev: rev, places: places, stop: func() {}}
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
		"GoneAndThereOnceAga": {[]*clientv3.Event{deletion("a", 6), putting("a", 7, 7)}, []string{"b", "a"}, 7},
	} {
		v := pictureOf(l, 5, place{"a", 3}, place{"b", 4})
		if v.news(c.events) {
			t.Errorf("%s: it has to be looked at", name)
		}
		if got := v.keys(); !slices.Equal(got, c.want) || v.rev != c.rev {
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

// frozen answers what is asked of one member alone as it did the first time:
// a member that has not heard of anything since.
type frozen struct {
	clientv3.KV
	mu  sync.Mutex
	get *clientv3.GetResponse
	txn *clientv3.TxnResponse
}

func (f *frozen) Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	resp, err := f.KV.Get(ctx, key, opts...)
	if err != nil || !clientv3.OpGet(key, opts...).IsSerializable() {
		return resp, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.get == nil {
		f.get = resp
	}
	return f.get, nil
}

func (f *frozen) Txn(ctx context.Context) clientv3.Txn { return &frozenTxn{Txn: f.KV.Txn(ctx), f: f} }

type frozenTxn struct {
	clientv3.Txn
	f     *frozen
	local bool
}

func (t *frozenTxn) If(cmps ...clientv3.Cmp) clientv3.Txn { t.Txn = t.Txn.If(cmps...); return t }
func (t *frozenTxn) Else(ops ...clientv3.Op) clientv3.Txn { t.Txn = t.Txn.Else(ops...); return t }
func (t *frozenTxn) Then(ops ...clientv3.Op) clientv3.Txn {
	t.local = !slices.ContainsFunc(ops, func(op clientv3.Op) bool { return !op.IsSerializable() })
	t.Txn = t.Txn.Then(ops...)
	return t
}

func (t *frozenTxn) Commit() (*clientv3.TxnResponse, error) {
	resp, err := t.Txn.Commit()
	if err != nil || !t.local {
		return resp, err
	}
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	if t.f.txn == nil {
		t.f.txn = resp
	}
	return t.f.txn, nil
}

// A member that lags behind is asked for what it knows and, when that is too
// old, the cluster is asked.
func TestView_MemberLagsBehind(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	l := lockerOn(t, srv, nil, nil, func(cli *clientv3.Client) { cli.KV = &frozen{KV: cli.KV} })
	ctx := t.Context()
	if _, err := l.cli.Put(ctx, l.prefix("n")+"before", ""); err != nil {
		t.Fatal(err)
	}
	e, err := l.enterQueue(ctx, "n", true, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := pictureOf(l, 0)
	if _, err := v.load(ctx, srv.Revision()); err != nil {
		t.Fatal(err)
	}
	if err := e.check(ctx, srv.Revision()); err != nil {
		t.Fatal(err)
	}
	if got := v.keys(); !slices.Equal(got, []string{e.pred, e.key}) {
		t.Fatalf("the queue is %v", got)
	}
	if _, err := l.cli.Delete(ctx, e.pred); err != nil {
		t.Fatal(err)
	}
	// By the revision that a watch told, and without one.
	for _, since := range []int64{srv.Revision(), 0} {
		before := e.pred
		if _, err := v.load(ctx, since); err != nil {
			t.Fatal(err)
		}
		if got := v.keys(); !slices.Equal(got, []string{e.key}) {
			t.Errorf("since %d: the queue is %v, the picture is that of the member", since, got)
		}
		if err := e.check(ctx, since); err != nil {
			t.Fatal(err)
		}
		if e.pred != "" {
			t.Errorf("since %d: %s is before it, says the member", since, e.pred)
		}
		e.pred = before
	}
	e.spawnRelease()
}

// watches counts what is being watched in queues.
type watches struct {
	clientv3.Watcher
	open atomic.Int64
	all  atomic.Int64
}

func (w *watches) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	if len(key) < len(sessionPrefix) || key[:len(sessionPrefix)] != sessionPrefix {
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

// Who has many ahead watches its predecessor alone, and is not told of all that
// happens before it.
func TestView_FarAway(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	l := lockerOn(t, srv, nil, nil, nil)
	var ahead []string
	for _, who := range []string{"a", "b", "c", "d"} {
		ahead = append(ahead, l.prefix("n")+who)
		if _, err := l.cli.Put(t.Context(), l.prefix("n")+who, ""); err != nil {
			t.Fatal(err)
		}
	}
	e, err := l.enterQueue(t.Context(), "n", true, nil)
	if err != nil {
		t.Fatal(err)
	}
	if e.ahead != nearEnough+1 {
		t.Fatalf("%d are ahead", e.ahead)
	}
	s := &station{l: l, name: "n"}
	l.stations.mu.Lock()
	s.look()
	v := s.view
	l.stations.mu.Unlock()
	done := make(chan error)
	go func() { done <- s.awaitInView(t.Context(), e) }()
	eventually(t, "the end of the view", func() bool {
		l.stations.mu.Lock()
		defer l.stations.mu.Unlock()
		return s.view == nil && v.failure != nil
	})
	for _, key := range ahead {
		if _, err := l.cli.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	e.spawnRelease()
}

// What etcd refuses to show is told to who waits for it, who then stands in the
// queue no longer; and when etcd is ready to show it again, everything works.
func TestView_Refused(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	var refuses atomic.Bool
	l := lockerOn(t, srv, &Options{TTL: time.Hour}, func(_ context.Context, req any, serve func() error) error {
		if step(req) == "View" && refuses.Load() {
			return status.Error(codes.PermissionDenied, "not for you")
		}
		return serve()
	}, nil)
	other := lockerOn(t, srv, nil, nil, nil)
	held := lockNow(t, other, "n")
	refuses.Store(true)
	if _, err := l.Lock(t.Context(), "n"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Lock: %v", err)
	}
	awaitQueue(t, srv, "n", 1)
	refuses.Store(false)
	next := make(chan *Lock)
	go func() { next <- lockNow(t, l, "n") }()
	awaitQueue(t, srv, "n", 2)
	unlockNow(t, held)
	unlockNow(t, <-next)
}

// That etcd once refused to show the queue says nothing to who comes later.
func TestView_RefusedBefore(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	l, other := lockerOn(t, srv, nil, nil, nil), lockerOn(t, srv, nil, nil, nil)
	held := lockNow(t, other, "n")
	e, err := l.enterQueue(t.Context(), "n", true, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := pictureOf(l, 0)
	s := v.s
	s.view = v
	v.fail(errors.New("not for you"))
	done := make(chan error)
	go func() { done <- s.awaitInView(t.Context(), e) }()
	unlockNow(t, held)
	if err := <-done; err != nil {
		t.Errorf("it got what befell another: %v", err)
	} else {
		e.spawnRelease()
	}
	l.stations.mu.Lock()
	s.lookAway()
	l.stations.mu.Unlock()
}

// Where no watch stands for long, looking from time to time has to do.
func TestView_WithoutWatches(t *testing.T) {
	t.Parallel()
	for name, lock := range map[string]func(context.Context, *Locker) (*Lock, error){
		"View":  func(ctx context.Context, l *Locker) (*Lock, error) { return l.Lock(ctx, "n") },
		"Await": func(ctx context.Context, l *Locker) (*Lock, error) { return l.LockFor(ctx, time.Minute, "n") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			l := lockerOn(t, srv, nil, func(_ context.Context, req any, serve func() error) error {
				if step(req) == "Watch" {
					return status.Error(codes.Unknown, "no watches here")
				}
				return serve()
			}, nil)
			other := lockerOn(t, srv, nil, nil, nil)
			held := lockNow(t, other, "n")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			next := make(chan *Lock)
			go func() {
				k, err := lock(ctx, l)
				if err != nil {
					t.Error(err)
				}
				next <- k
			}()
			awaitQueue(t, srv, "n", 2)
			unlockNow(t, held)
			if k := <-next; k != nil {
				unlockNow(t, k)
			}
		})
	}
}
