package queue

import (
	"context"
	"slices"
	"sync"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
)

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

// keys returns what the snapshot shows.
func (s *snapshot) keys() []string {
	keys := make([]string, 0, len(s.places))
	for _, p := range s.places {
		keys = append(keys, p.key)
	}
	return keys
}

// A member that lags behind is asked for what it knows and, when that is too
// old, the cluster is asked.
func TestLag_MemberIsBehind(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	sp := spaceOn(t, srv, nil, func(cli *clientv3.Client) { cli.KV = &frozen{KV: cli.KV} })
	ctx := t.Context()
	pred := foreign(t, sp, "before")
	q := queueOf(t, sp)
	n := enqueued(t, q)
	w := &watch{q: q, whole: true}
	if err := w.load(ctx, srv.Revision()); err != nil {
		t.Fatal(err)
	}
	if err := n.check(ctx, srv.Revision()); err != nil {
		t.Fatal(err)
	}
	if got := w.snapshot.keys(); n.pred != pred || !slices.Equal(got, []string{pred, n.key}) {
		t.Fatalf("the queue is %v", got)
	}
	removed(t, sp, pred)
	// By the revision that a watch told, and without one.
	for _, since := range []int64{srv.Revision(), 0} {
		if err := w.load(ctx, since); err != nil {
			t.Fatal(err)
		}
		if got := w.snapshot.keys(); !slices.Equal(got, []string{n.key}) {
			t.Errorf("since %d: the queue is %v, the snapshot is that of the member", since, got)
		}
		if err := n.check(ctx, since); err != nil {
			t.Fatal(err)
		}
		if !n.is(owns) {
			t.Errorf("since %d: %s is before it, says the member", since, n.pred)
		}
		n.become(queued)
	}
	n.Drop()
}

// The member that a watch is on may lag behind the place in the queue itself:
// that it does not know the key is no sign that somebody deleted it.
func TestLag_WatchIsOlderThanThePlace(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	slow := &frozen{}
	sp := spaceOn(t, srv, nil, func(cli *clientv3.Client) { slow.KV = cli.KV; cli.KV = slow })
	ctx := t.Context()
	watched := srv.Revision() // what the watch's notice says
	old, err := slow.KV.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision("n"), ">", 0)).Commit()
	if err != nil {
		t.Fatal(err)
	}
	slow.txn = old
	if slow.get, err = slow.KV.Get(ctx, sp.Path("n"), clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	pred := foreign(t, sp, "before")
	q := queueOf(t, sp)
	n := enqueued(t, q)
	if err := n.check(ctx, watched); err != nil {
		t.Errorf("it is taken for deleted: %v", err)
	}
	w := &watch{q: q, whole: true}
	if err := w.load(ctx, watched); err != nil {
		t.Fatal(err)
	}
	if _, known := w.snapshot.find(n.place()); known {
		t.Error("a snapshot from before the place says something about it")
	}
	removed(t, sp, pred)
	n.Drop()
}
