package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
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

// What a neighbour makes of the notices of its watch.
func TestNeighbour_Take(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		events []*clientv3.Event
		want   change // the zero one for no news
	}{
		"Put":     {[]*clientv3.Event{putValue("k-1", "{}", 7)}, change{}},
		"Deleted": {[]*clientv3.Event{deletion("k-0", 7)}, change{rev: 7, gone: "k-0"}},
		"PutAndDeleted": {
			[]*clientv3.Event{putValue("k-1", `{"successor":"3"}`, 7), deletion("k-1", 8)}, change{rev: 8, gone: "k-1"},
		},
		"Exchanged": {
			[]*clientv3.Event{deletion("k-0", 7), putValue("k-1", `{"successor":"5","host":"h"}`, 7)}, change{rev: 7, gone: "k-0", successor: "5"},
		},
		"ExchangedForNobody": {
			[]*clientv3.Event{deletion("k-0", 7), putValue("k-1", `{"host":"h"}`, 7)}, change{rev: 7, gone: "k-0"},
		},
		"AnotherLibrary": {
			[]*clientv3.Event{deletion("k", 7), putValue("k", "anything", 7)}, change{rev: 7, gone: "k"},
		},
		"Unreadable": {
			[]*clientv3.Event{deletion("k-0", 7), putValue("k-1", `{"successor":"5`, 7)}, change{rev: 7, gone: "k-0"},
		},
		// It did not give its place for the new one.
		"DeletedAndPutLater": {
			[]*clientv3.Event{deletion("k-0", 7), putValue("k-1", `{"successor":"5"}`, 8)}, change{rev: 7, gone: "k-0"},
		},
		"TwoExchanges": {
			[]*clientv3.Event{deletion("k-0", 7), putValue("k-1", `{"successor":"5"}`, 7), deletion("k-1", 9), putValue("k-0", `{"successor":"8"}`, 9)},
			change{rev: 9, gone: "k-1", successor: "8"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := &neighbour{news: make(chan change, 1)}
			n.tell(change{rev: 1})
			if n.take(c.events) {
				t.Error("somebody is to look")
			}
			got := <-n.news
			if c.want.rev == 0 {
				c.want = change{rev: 1}
			}
			if got != c.want {
				t.Errorf("the news is %+v, want %+v", got, c.want)
			}
		})
	}
}

// News that is older than what is known is none, and an uncertain one is.
func TestNeighbour_Await(t *testing.T) {
	t.Parallel()
	n := &neighbour{news: make(chan change, 1)}
	n.tell(change{rev: 6})
	done := make(chan change)
	go func() {
		c, err := n.await(t.Context(), 6)
		if err != nil {
			t.Error(err)
		}
		done <- c
	}()
	eventually(t, "the old news to be taken", func() bool { return len(n.news) == 0 })
	n.tell(change{rev: 7})
	if c := <-done; c.rev != 7 {
		t.Errorf("it got %+v", c)
	}
	n.tell(change{})
	if c, err := n.await(t.Context(), 6); err != nil || c != (change{}) {
		t.Errorf("it got %+v, %v", c, err)
	}
}

// counted counts the requests of the protocol's steps that concern queues.
type counted struct{ checks, watches, exchanges atomic.Int64 }

func (c *counted) intercept(_ context.Context, req any, serve func() error) error {
	switch step(req) {
	case "Check":
		c.checks.Add(1)
	case "Watch":
		c.watches.Add(1)
	case "Exchange":
		c.exchanges.Add(1)
	}
	return serve()
}

// Who is named by the one before it owns the name without asking. Whatever
// else happens there makes it ask.
func TestAwait_Named(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gone      string // of the two keys of the one before
		successor string // appended to the waiter's lease
		spoil     func(e *entry)
		checks    int64
	}{
		"Named":        {gone: "before-1"},
		"AnotherNamed": {gone: "before-1", successor: "0", checks: 1},
		"AnotherGone":  {gone: "before-0", checks: 2}, // the waiter stands behind before-1
		// The key that was found there may be another one of the lease, or not
		// the one that the waiter knows.
		"NotAlone": {gone: "before-1", spoil: func(e *entry) { e.sole = false }, checks: 1},
		"Unsure":   {gone: "before-1", spoil: func(e *entry) { e.unsure = true }, checks: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			var sent counted
			l := lockerOn(t, srv, nil, sent.intercept, nil)
			key := func(k string) string { return l.prefix("n") + k }
			for _, k := range []string{"before-0", "before-1"} {
				if _, err := l.cli.Put(t.Context(), key(k), ""); err != nil {
					t.Fatal(err)
				}
			}
			n := l.watchNeighbour(key("before-1"))
			defer n.end()
			// As from an earlier wait: the watch stands before the key does.
			if c := <-n.news; c.rev == 0 {
				t.Fatalf("it begins with %+v", c)
			}
			if c.gone == "before-1" { // its place alone is left
				if _, err := l.cli.Delete(t.Context(), key("before-0")); err != nil {
					t.Fatal(err)
				}
			}
			e, err := l.enterQueue(t.Context(), "n")
			if err != nil {
				t.Fatal(err)
			}
			if c.spoil != nil {
				c.spoil(e)
			}
			done := make(chan error, 1)
			go func() {
				_, err := e.await(t.Context(), n)
				done <- err
			}()
			value := fmt.Sprintf(`{"successor":%q}`, e.lease.Name()+c.successor)
			_, err = l.cli.Txn(t.Context()).Then(clientv3.OpDelete(key(c.gone)), clientv3.OpPut(key("before-2"), value)).Commit()
			if err != nil {
				t.Fatal(err)
			}
			if c.gone != "before-1" {
				eventually(t, "a check", func() bool { return sent.checks.Load() == 1 })
				select {
				case err := <-done:
					t.Fatalf("it did not wait for who is before it: %v", err)
				default:
				}
				if _, err := l.cli.Delete(t.Context(), key("before-1")); err != nil {
					t.Fatal(err)
				}
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if got := sent.checks.Load(); got != c.checks {
				t.Errorf("it asked %d times, want %d", got, c.checks)
			}
			if e.pred != "" || !e.behind {
				t.Errorf("before it is %q, somebody behind: %v", e.pred, e.behind)
			}
			e.spawnRelease()
		})
	}
}

// A watch that has failed while nobody waited is none for the next wait.
func TestNeighbour_FailedBefore(t *testing.T) {
	t.Parallel()
	l := lockerOn(t, newServer(t), nil, nil, nil)
	e := behindAnother(t, l)
	before := e.pred
	n := &neighbour{leash: session.Leash{Cancel: func() {}}, news: make(chan change, 1)}
	n.keys, _ = keysOf(before)
	n.fail(errors.New("the test says so"))
	done := make(chan error, 1)
	go func() {
		n, err := e.await(t.Context(), n)
		n.end()
		done <- err
	}()
	if _, err := l.cli.Delete(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	e.spawnRelease()
}

// A hold that nobody waits for needs no neighbour.
func TestNeighbour_IsForgotten(t *testing.T) {
	t.Parallel()
	l := lockerOn(t, newServer(t), nil, nil, nil)
	n := l.watchNeighbour("before")
	l.stations.mu.Lock()
	s := l.at("n")
	s.before, s.successor = n, "behind"
	l.stations.mu.Unlock()
	k := lockNow(t, l, "n")
	l.stations.mu.Lock()
	if s.before != nil || s.successor != "" {
		t.Error("it has neighbours still")
	}
	l.stations.mu.Unlock()
	eventually(t, "the end of the watch", func() bool {
		select {
		case _, open := <-n.news:
			return !open
		default:
			return false
		}
	})
	unlockNow(t, k)
}
