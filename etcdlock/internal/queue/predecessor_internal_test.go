package queue

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// What the queue has is for the wait under way: one that was called off changes
// none of it, and ends the watch that it made.
func TestAwait_CalledOff(t *testing.T) {
	t.Parallel()
	for name, begun := range map[string]bool{"Before": false, "Meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var began, ended atomic.Int64 // watches of the predecessor
			sp := spaceOn(t, newServer(t), func(_ context.Context, req any, serve func() error) error {
				if r, ok := req.(*pb.WatchRequest); ok {
					if r.GetCancelRequest() != nil {
						ended.Add(1)
					} else if strings.HasSuffix(string(r.GetCreateRequest().GetKey()), "before-") {
						began.Add(1)
					}
				}
				return serve()
			}, nil)
			q := queueOf(t, sp)
			pred := foreign(t, sp, "before-0")
			n := enqueued(t, q)
			n.ahead = unknown
			ctx, callOff := context.WithCancel(t.Context())
			if !begun {
				callOff()
			}
			done := make(chan error)
			go func() { done <- n.Await(ctx) }()
			if begun {
				eventually(t, "a watch", func() bool { return began.Load() == 1 })
			}
			q.mu.Lock()
			w := q.startWatch(pred, false)
			q.predecessor = w
			q.watchAll()
			all := q.snapshots
			q.mu.Unlock()
			callOff()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if begun {
				eventually(t, "the end of its watch", func() bool { return ended.Load() > 0 })
			}
			q.mu.Lock()
			if q.predecessor != w || q.snapshots != all {
				t.Error("it has changed what another has")
			}
			q.mu.Unlock()
		})
	}
}

// What comes to be known when the queue is closed is kept by nobody, nor is a watch.
func TestQueue_Closed(t *testing.T) {
	t.Parallel()
	sp := spaceOn(t, newServer(t), nil, nil)
	q := sp.Queue("n", nil)
	q.Watch()
	q.mu.Lock()
	w, all := q.startWatch("before", false), q.snapshots
	q.predecessor, q.successor = w, "behind"
	q.mu.Unlock()
	q.Close()
	q.succeeded("behind", "self")
	q.mu.Lock()
	late := q.startWatch("before", false)
	q.mu.Unlock()
	q.giveBack(t.Context(), late, nil)
	if q.predecessor != nil || q.successor != "" || q.snapshots != nil {
		t.Error("it knows of those around")
	}
	for _, w := range []*watch{w, all, late} {
		eventually(t, "the end of a watch", func() bool {
			q.mu.Lock()
			defer q.mu.Unlock()
			return w.failure != nil
		})
	}
}

// Who was called off keeps the watch that another has, also if it came to own the name.
func TestQueue_GiveBackCalledOff(t *testing.T) {
	t.Parallel()
	q := queueOf(t, spaceOn(t, newServer(t), nil, nil))
	ctx, callOff := context.WithCancel(t.Context())
	callOff()
	q.mu.Lock()
	others, w := q.startWatch("before", false), q.startWatch("before", false)
	q.predecessor = others
	q.mu.Unlock()
	q.giveBack(ctx, w, nil)
	if q.predecessor != others || q.borrow(ctx) != nil {
		t.Fatal("it has changed what another has")
	}
	eventually(t, "the end of its watch", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return w.failure != nil
	})
}

// Forget ends the watch of the predecessor, and no other, and names nobody.
func TestQueue_Forget(t *testing.T) {
	t.Parallel()
	q := queueOf(t, spaceOn(t, newServer(t), nil, nil))
	q.Watch()
	q.mu.Lock()
	w := q.startWatch("before", false)
	q.predecessor, q.successor = w, "behind"
	q.mu.Unlock()
	q.Forget()
	q.mu.Lock()
	if q.predecessor != nil || q.successor != "" || q.snapshots == nil {
		t.Error("it knows of those around still, or no snapshots")
	}
	q.mu.Unlock()
	eventually(t, "the end of the watch", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return w.failure != nil
	})
}

// The lease that owned the name after the last exchange is expected behind the next.
func TestQueue_ExpectedSuccessor(t *testing.T) {
	t.Parallel()
	q := queueOf(t, spaceOn(t, newServer(t), nil, nil))
	if got := q.expectedSuccessor(); got != "" {
		t.Errorf("at first, %q is expected", got)
	}
	for _, c := range []struct{ owner, want string }{
		{"a", "a"}, {"b", "b"}, {"", ""}, {"a", "a"}, {"ee", ""}, // another library, and the process itself
	} {
		q.succeeded(c.owner, "ee")
		if got := q.expectedSuccessor(); got != c.want {
			t.Errorf("once %q owned the name, %q is expected, want %q", c.owner, got, c.want)
		}
	}
}
