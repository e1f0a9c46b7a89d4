package queue

import (
	"errors"
	"fmt"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
	"github.com/holdfast-go/holdfast/internal/etcdtest"
)

func TestKeysOf(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]struct {
		keys string
		all  bool
	}{
		"holdfast/n/694d-7":   {"holdfast/n/694d-", true},
		"holdfast/a-b/694d-7": {"holdfast/a-b/694d-", true},
		"n/694d":              {"n/694d", false}, // concurrency.Mutex
		"a-b/694d":            {"a-b/694d", false},
	} {
		if keys, all := keysOf(key); keys != want.keys || all != want.all {
			t.Errorf("keysOf(%q) = %q, %v", key, keys, all)
		}
	}
}

func putValue(key, value string, rev int64) *clientv3.Event {
	ev := putting(key, rev, rev)
	ev.Kv.Value = []byte(value)
	return ev
}

// What the watch of a predecessor makes of its notices.
func TestWatch_Departure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		events []*clientv3.Event
		want   departure // the zero one for no news
	}{
		"Put":     {[]*clientv3.Event{putValue("k-1", "{}", 7)}, departure{}},
		"Deleted": {[]*clientv3.Event{deletion("k-0", 7)}, departure{rev: 7, key: "k-0"}},
		"PutAndDeleted": {
			[]*clientv3.Event{putValue("k-1", `{"successor":"3"}`, 7), deletion("k-1", 8)}, departure{rev: 8, key: "k-1"},
		},
		"Exchanged": {
			[]*clientv3.Event{deletion("k-0", 7), putValue("k-1", `{"successor":"5","host":"h"}`, 7)}, departure{rev: 7, key: "k-0", successor: "5"},
		},
		"ExchangedForNobody": {
			[]*clientv3.Event{deletion("k-0", 7), putValue("k-1", `{"host":"h"}`, 7)}, departure{rev: 7, key: "k-0"},
		},
		"AnotherLibrary": {
			[]*clientv3.Event{deletion("k", 7), putValue("k", "anything", 7)}, departure{rev: 7, key: "k"},
		},
		"Unreadable": {
			[]*clientv3.Event{deletion("k-0", 7), putValue("k-1", `{"successor":"5`, 7)}, departure{rev: 7, key: "k-0"},
		},
		// It did not give its place for the new one.
		"DeletedAndPutLater": {
			[]*clientv3.Event{deletion("k-0", 7), putValue("k-1", `{"successor":"5"}`, 8)}, departure{rev: 7, key: "k-0"},
		},
		"TwoExchanges": {
			[]*clientv3.Event{deletion("k-0", 7), putValue("k-1", `{"successor":"5"}`, 7), deletion("k-1", 9), putValue("k-0", `{"successor":"8"}`, 9)},
			departure{rev: 9, key: "k-1", successor: "8"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &watch{q: &Queue{}}
			if w.news(c.events) {
				t.Error("somebody must look")
			}
			if fresh := w.departure != nil; fresh != (c.want.rev > 0) || fresh && *w.departure != c.want {
				t.Errorf("the news is %+v, want %+v", w.departure, c.want)
			}
		})
	}
}

// News that is older than what is known is none, an uncertain one is, and each is for one.
func TestWatch_Fresh(t *testing.T) {
	t.Parallel()
	w := &watch{q: &Queue{}}
	n := &Node{asOf: 6, pred: "k-0", lease: &session.Lease{}}
	for _, c := range []struct {
		d    departure
		want verdict
	}{{departure{rev: 6}, nothing}, {departure{rev: 7}, unclear}, {departure{}, unclear}, {departure{rev: 5, key: "k-0"}, nothing}} {
		w.depart(&c.d)
		if got, since := w.verdict(n); got != c.want || got == unclear && since != c.d.rev {
			t.Errorf("%+v is seen as %v of %d", c.d, got, since)
		}
		if got, _ := w.verdict(n); got != nothing {
			t.Errorf("%+v is news twice", c.d)
		}
	}
	n.asOf = 0
	if got, since := w.verdict(n); got != unclear || since != 0 {
		t.Errorf("without a predecessor it sees %v of %d", got, since)
	}
}

// Who is named by the one before it owns the name without asking. Whatever
// else happens there makes it ask.
func TestAwait_Named(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gone      string // of the two keys of the one before
		successor string // appended to the waiter's lease
		spoil     func(n *Node)
		checks    int64
	}{
		"Named":        {gone: "before-1"},
		"AnotherNamed": {gone: "before-1", successor: "0", checks: 1},
		"AnotherGone":  {gone: "before-0", checks: 2}, // the waiter stands behind before-1
		// The key that was found there may be another one of the lease, or not
		// the one that the waiter knows.
		"NotAlone": {gone: "before-1", spoil: func(n *Node) { n.others = 1 }, checks: 1},
		"Late":     {gone: "before-1", spoil: func(n *Node) { n.late = true }, checks: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			var sent etcdtest.Counted
			sp := spaceOn(t, srv, sent.Intercept, nil)
			q := queueOf(t, sp)
			foreign(t, sp, "before-0")
			pred := foreign(t, sp, "before-1")
			q.mu.Lock()
			w := q.startWatch(pred, false)
			q.predecessor = w
			q.mu.Unlock()
			// As from an earlier wait: the watch stands before the key does.
			eventually(t, "the watch", func() bool {
				q.mu.Lock()
				defer q.mu.Unlock()
				return w.departure != nil && w.departure.rev > 0
			})
			if c.gone == "before-1" { // its place alone is left
				removed(t, sp, sp.Path("n")+"before-0")
			}
			n := enqueued(t, q)
			n.ahead = unknown
			if c.spoil != nil {
				c.spoil(n)
			}
			done := make(chan error, 1)
			go func() { done <- n.Await(t.Context()) }()
			value := fmt.Sprintf(`{"successor":%q}`, n.lease.Name()+c.successor)
			_, err := sp.Client.Txn(t.Context()).Then(clientv3.OpDelete(sp.Path("n")+c.gone), clientv3.OpPut(sp.Path("n")+"before-2", value)).Commit()
			if err != nil {
				t.Fatal(err)
			}
			if c.gone != "before-1" {
				eventually(t, "a check", func() bool { return sent.Checks.Load() == 1 })
				select {
				case err := <-done:
					t.Fatalf("it did not wait for who is before it: %v", err)
				default:
				}
				removed(t, sp, pred)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if got := sent.Checks.Load(); got != c.checks {
				t.Errorf("it asked %d times, want %d", got, c.checks)
			}
			if !n.is(owns) || !n.HasSuccessor() {
				t.Errorf("before it is %q, somebody behind: %v", n.pred, n.HasSuccessor())
			}
			n.Drop()
		})
	}
}

// A watch that has failed while nobody waited is none for the next wait.
func TestAwait_FailedBefore(t *testing.T) {
	t.Parallel()
	sp := spaceOn(t, newServer(t), nil, nil)
	q := queueOf(t, sp)
	pred := foreign(t, sp, "before-0")
	n := enqueued(t, q)
	n.ahead = unknown
	w := &watch{q: q, leash: session.Leash{Cancel: func() {}}, failure: errors.New("the test says so")}
	w.scope.Key, _ = keysOf(pred)
	q.predecessor = w
	done := make(chan error, 1)
	go func() { done <- n.Await(t.Context()) }()
	removed(t, sp, pred)
	if err := <-done; err != nil {
		t.Error(err)
	}
	n.Drop()
}
