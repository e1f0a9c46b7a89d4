package queue

import (
	"context"
	"testing"
)

// An exchange names its successor if that has a key in the queue, and goes on without
// naming anybody if it has not, whatever answers are lost.
func TestHandOff_Successor(t *testing.T) {
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
			x.sp = spaceOn(t, srv, func(_ context.Context, req any, serve func() error) error {
				if step(req) != "Exchange" {
					return serve()
				}
				if sent := x.sent.Add(1); sent == 1 && c.lose != nil {
					return c.lose(serve)
				}
				return serve()
			}, nil)
			q := queueOf(t, x.sp)
			x.n = enqueued(t, q)
			lease, want := "ab", "ab"
			if c.gone {
				lease, want = "abc", ""
			}
			key := foreign(t, x.sp, lease+"-5")
			x.next = q.newNode(x.n.lease)
			answered := 0
			holder, released, queued := x.n.handOff(x.next, "ab", func() { answered++ })
			x.n.End()
			if released != nil || queued != nil || answered != 1 {
				t.Fatalf("released: %v, queued: %v, told of %d answers", released, queued, answered)
			}
			if got := x.sent.Load(); got != c.sent {
				t.Errorf("it took %d requests, want %d", got, c.sent)
			}
			awaitQueue(t, srv, 2)
			kvs, err := x.sp.Client.Get(t.Context(), x.next.key)
			if err != nil || len(kvs.Kvs) != 1 {
				t.Fatal(kvs, err)
			}
			o := parse(kvs.Kvs[0].Value)
			if o.Successor != want {
				t.Errorf("the new key names lease %q, want %q", o.Successor, want)
			}
			if lost := c.lose != nil; !lost && holder != lease {
				t.Errorf("the owner is %q", holder)
			}
			x.next.Drop()
			x.remove(key)
			awaitQueue(t, srv, 0)
		})
	}
}

// A node takes the name of its lease for its own only if no other key of the lease
// can be in the queue: not one that its process leaves behind, nor one that a
// request without an answer may put there.
func TestNode_Others(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		also bool // another key of the lease is on its way out
		late bool
		want bool
	}{
		"Alone":   {},
		"Another": {also: true, want: true},
		"Late":    {late: true, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := queueOf(t, spaceOn(t, newServer(t), nil, nil))
			n := enqueued(t, q)
			if n.others != 0 {
				t.Error("the first is not alone")
			}
			if c.also {
				other := enqueued(t, q)
				if other.others == 0 {
					t.Error("the second is alone")
				}
				defer other.Drop()
			}
			n.late = c.late
			next := q.newNode(n.lease)
			if next.others == 0 {
				t.Error("it is alone before the other has gone")
			}
			if _, released, queued := n.handOff(next, "", func() {}); released != nil || queued != nil {
				t.Fatal(released, queued)
			}
			n.End()
			if others := next.others > 0; others != c.want {
				t.Errorf("after the exchange there are others: %v", others)
			}
			next.Drop()
		})
	}
}
