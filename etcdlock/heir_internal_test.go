package etcdlock

import (
	"context"
	"encoding/json"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// An exchange names its heir if that is in the queue, and goes on without
// naming anybody if it is not, whatever answers are lost.
func TestExchange_Heir(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sure bool
		gone bool // the heir's key is deleted before
		lose func(serve func() error) error
		sent int64
		next bool // the new key names the heir
	}{
		"There":             {sent: 1, next: true},
		"Sure":              {sure: true, sent: 1, next: true},
		"Sure_AnswerLost":   {sure: true, lose: answerLost, sent: 2, next: true},
		"Sure_Gone":         {sure: true, gone: true, sent: 2},
		"There_RequestLost": {lose: func(func() error) error { return errReplyLost }, sent: 2, next: true},
		"There_AnswerLost":  {lose: answerLost, sent: 2, next: true},
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
				sent := x.sent.Add(1)
				// Whoever is sure of its heir has etcd read the queue no more than it must.
				want := 4
				if c.sure && (sent == 1 || !c.gone) {
					want = 3
				}
				if got := len(req.(*pb.TxnRequest).GetSuccess()); got != want {
					t.Errorf("sending %d has %d operations, want %d", sent, got, want)
				}
				if sent == 1 && c.lose != nil {
					return c.lose(serve)
				}
				return serve()
			}, nil)
			var err error
			if x.e, err = x.l.enterQueue(t.Context(), "n", true, nil); err != nil {
				t.Fatal(err)
			}
			of := place{key: x.l.prefix("n") + "heir"}
			resp, err := x.l.cli.Put(t.Context(), of.key, "")
			if err != nil {
				t.Fatal(err)
			}
			of.rev = resp.Header.Revision
			if c.gone { // and somebody else's place has the key
				x.remove(of.key)
				if _, err := x.l.cli.Put(t.Context(), of.key, ""); err != nil {
					t.Fatal(err)
				}
			}
			x.next = x.l.newEntry("n", x.e.lease)
			answered := 0
			successor, released, queued := x.e.exchange(x.next, heir{of, c.sure}, func() { answered++ })
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
			want := int64(0)
			if c.next {
				want = of.rev
			}
			if o.Next != want || nextIn(kvs.Kvs[0].Value) != want {
				t.Errorf("the new key names revision %d, want %d", o.Next, want)
			}
			if lost := c.lose != nil; !lost && successor != of.key {
				t.Errorf("the successor is %q", successor)
			}
			x.next.spawnRelease()
			x.remove(of.key)
			awaitQueue(t, srv, "n", 0)
		})
	}
}

func answerLost(serve func() error) error {
	if err := serve(); err != nil {
		return err
	}
	return errReplyLost
}
