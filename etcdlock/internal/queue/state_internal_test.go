package queue

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// The states of a node follow one another as the documentation of the package tells, and
// nothing comes after gone.
func TestNode_States(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	lost := false
	sp := spaceOn(t, srv, func(_ context.Context, req any, serve func() error) error {
		if step(req) == "Enqueue" && lost {
			return errReplyLost
		}
		return serve()
	}, nil)
	sp.SweepDelay = time.Millisecond
	q := queueOf(t, sp)
	is := func(n *Node, want state) {
		t.Helper()
		if !n.is(want) {
			t.Fatalf("the state is %d, want %d", n.state.Load(), want)
		}
	}
	first, second := enqueued(t, q), enqueued(t, q)
	is(first, owns)
	is(second, queued)
	is(q.newNode(first.lease), unsent)
	done := make(chan error)
	go func() { done <- second.Await(t.Context()) }()
	first.End()
	next, released, onward := first.HandOff(func() {})
	if released != nil || onward != nil {
		t.Fatal(released, onward)
	}
	is(first, gone)
	is(next, queued)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	is(second, owns)
	second.Deleted()
	is(second, gone)
	second.become(owns)
	is(second, gone)
	if err := second.Await(t.Context()); !errors.Is(err, session.ErrLost) {
		t.Errorf("a place that is gone is waited for: %v", err)
	}
	removed(t, sp, second.key)
	if err := next.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := next.Release(nil); err != nil {
		t.Fatal(err)
	}
	is(next, gone)
	next.End()

	lost = true
	over, cancel := context.WithCancel(t.Context())
	n := q.newNode(first.lease)
	if err := n.send(over, anyQueue); !errors.Is(err, errReplyLost) {
		t.Fatal(err)
	}
	is(n, maybeQueued)
	cancel()
	if err := n.enqueue(over, anyQueue); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	is(n, gone)
	awaitQueue(t, srv, 0)
}
