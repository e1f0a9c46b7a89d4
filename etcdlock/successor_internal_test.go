package etcdlock

import (
	"context"
	"encoding/json"
	"testing"
)

// An exchange names its successor if that has a key in the queue, and goes on without
// naming anybody if it has not, whatever answers are lost.
func TestExchange_Successor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gone bool // another lease has the key that is in the queue
		lose func(serve func() error) error
		sent int64
	}{
		"There":             {sent: 1},
		"There_RequestLost": {lose: func(func() error) error { return errReplyLost }, sent: 2},
		"There_AnswerLost":  {lose: answerLost, sent: 2},
		"Gone":              {gone: true, sent: 2},
		"Gone_RequestLost":  {gone: true, lose: func(func() error) error { return errReplyLost }, sent: 3},
		"Gone_AnswerLost":   {gone: true, lose: answerLost, sent: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			x := &exchanging{t: t}
			x.l = lockerOn(t, srv, nil, func(_ context.Context, req any, serve func() error) error {
				if step(req) != "Exchange" {
					return serve()
				}
				if sent := x.sent.Add(1); sent == 1 && c.lose != nil {
					return c.lose(serve)
				}
				return serve()
			}, nil)
			var err error
			if x.e, err = x.l.enterQueue(t.Context(), "n"); err != nil {
				t.Fatal(err)
			}
			lease, want := "ab", "ab"
			if c.gone {
				lease, want = "abc", ""
			}
			key := x.l.prefix("n") + lease + "-5"
			if _, err := x.l.cli.Put(t.Context(), key, ""); err != nil {
				t.Fatal(err)
			}
			x.next = x.l.newEntry("n", x.e.lease)
			answered := 0
			holder, released, queued := x.e.exchange(x.next, "ab", func() { answered++ })
			x.e.end()
			if released != nil || queued != nil || answered != 1 {
				t.Fatalf("released: %v, queued: %v, told of %d answers", released, queued, answered)
			}
			if got := x.sent.Load(); got != c.sent {
				t.Errorf("it took %d requests, want %d", got, c.sent)
			}
			awaitQueue(t, srv, "n", 2)
			kvs, err := x.l.cli.Get(t.Context(), x.next.key)
			if err != nil || len(kvs.Kvs) != 1 {
				t.Fatal(kvs, err)
			}
			var o owner
			if err := json.Unmarshal(kvs.Kvs[0].Value, &o); err != nil {
				t.Fatal(err)
			}
			if o.Successor != want {
				t.Errorf("the new key names lease %q, want %q", o.Successor, want)
			}
			if lost := c.lose != nil; !lost && holder != lease {
				t.Errorf("the owner is %q", holder)
			}
			x.next.spawnRelease()
			x.remove(key)
			awaitQueue(t, srv, "n", 0)
		})
	}
}

// An entry takes a name of its lease for its own only if no other key of the lease
// can be in the queue: not one that its process leaves behind, nor one that a
// request without an answer may put there.
func TestEntry_Sole(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		also   bool // another key of the lease is on its way out
		unsure bool
		sole   bool
	}{
		"Alone":   {sole: true},
		"Another": {also: true},
		"Unsure":  {unsure: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			l := lockerOn(t, srv, nil, nil, nil)
			e, err := l.enterQueue(t.Context(), "n")
			if err != nil {
				t.Fatal(err)
			}
			if !e.sole {
				t.Error("the first is not alone")
			}
			if c.also {
				other, err := l.enterQueue(t.Context(), "n")
				if err != nil {
					t.Fatal(err)
				}
				if other.sole {
					t.Error("the second is alone")
				}
				defer other.spawnRelease()
			}
			e.unsure = c.unsure
			next := l.newEntry("n", e.lease)
			if next.sole {
				t.Error("it is alone before the other has gone")
			}
			if _, released, queued := e.exchange(next, "", func() {}); released != nil || queued != nil {
				t.Fatal(released, queued)
			}
			e.end()
			if next.sole != c.sole {
				t.Errorf("after the exchange it is alone: %v", next.sole)
			}
			next.spawnRelease()
		})
	}
}

func answerLost(serve func() error) error {
	if err := serve(); err != nil {
		return err
	}
	return errReplyLost
}
