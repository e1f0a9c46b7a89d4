package queue

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// Who has many ahead watches its predecessor alone, and is not told of all that
// happens before it.
func TestAwait_FarAway(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	sp := spaceOn(t, srv, nil, nil)
	var ahead []string
	for who := range nearEnough + 1 {
		ahead = append(ahead, foreign(t, sp, strconv.Itoa(who)))
	}
	q := queueOf(t, sp)
	n := enqueued(t, q)
	if n.ahead != nearEnough+1 {
		t.Fatalf("%d are ahead", n.ahead)
	}
	q.Watch()
	q.mu.Lock()
	w := q.snapshots
	q.mu.Unlock()
	done := make(chan error)
	go func() { done <- n.Await(t.Context()) }()
	eventually(t, "the end of the snapshots", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.snapshots == nil && w.failure != nil
	})
	behind := foreign(t, sp, "behind")
	for _, key := range ahead {
		removed(t, sp, key)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !n.HasSuccessor() || !n.Waited() {
		t.Errorf("it knows of somebody behind: %v, and of one that it waited for: %v", n.HasSuccessor(), n.Waited())
	}
	removed(t, sp, behind)
	n.Drop()
}

// An owner that has the snapshot knows from its first moment who is behind, and whether a try
// is: its goroutines could hand the hold on for a minute otherwise.
func TestAwait_KnowsWhoIsBehind(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key  string // behind it
		want Standing
	}{
		"Nobody": {"", Standing{Known: true}},
		"Other":  {"other-0", Standing{Known: true, Successor: true}},
		"Try":    {"other-0" + askMark, Standing{Known: true, Successor: true, Asked: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sp := spaceOn(t, newServer(t), nil, nil)
			pred := foreign(t, sp, "before")
			q := queueOf(t, sp)
			n := enqueued(t, q)
			if s := n.Standing(); s != (Standing{}) {
				t.Errorf("without a snapshot it knows %+v", s)
			}
			places := 2
			if c.key != "" {
				foreign(t, sp, c.key)
				places++
			}
			done := make(chan error)
			go func() { done <- n.Await(t.Context()) }()
			eventually(t, "the snapshot", func() bool { return q.shows(places) })
			removed(t, sp, pred)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if s := n.Standing(); s != c.want || n.HasSuccessor() != c.want.Successor {
				t.Errorf("it knows %+v, want %+v", s, c.want)
			}
			n.Drop()
			eventually(t, "the snapshot without it", func() bool { return n.Standing().Missing })
		})
	}
}

// Who waits near the head learns from the snapshot that somebody has deleted its
// key, and from its lease that this is over.
func TestAwait_PlaceTakenAway(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(t *testing.T, sp *Space, n *Node){
		"KeyDeleted": func(t *testing.T, sp *Space, n *Node) { removed(t, sp, n.key) },
		"LeaseLost":  func(_ *testing.T, _ *Space, n *Node) { n.lease.Lose(errors.New("the test says so")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			sp, other := spaceOn(t, srv, nil, nil), spaceOn(t, srv, nil, nil)
			first := enqueued(t, queueOf(t, other))
			q := queueOf(t, sp)
			n := enqueued(t, q)
			done := make(chan error)
			go func() { done <- n.Await(t.Context()) }()
			eventually(t, "the snapshot", func() bool { return q.shows(2) })
			take(t, sp, n)
			if err := <-done; !errors.Is(err, session.ErrLost) {
				t.Errorf("it got %v", err)
			}
			if !errors.Is(context.Cause(n.Context()), session.ErrLost) {
				t.Errorf("its context says %v", context.Cause(n.Context()))
			}
			released(t, first)
			awaitQueue(t, srv, 0)
		})
	}
}

// That etcd once refused to show the queue says nothing to who comes later.
func TestAwait_RefusedBefore(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	sp, other := spaceOn(t, srv, nil, nil), spaceOn(t, srv, nil, nil)
	first := enqueued(t, queueOf(t, other))
	q := queueOf(t, sp)
	n := enqueued(t, q)
	q.snapshots = &watch{q: q, whole: true, leash: session.Leash{Cancel: func() {}}}
	q.snapshots.fail(errors.New("not for you"))
	done := make(chan error)
	go func() { done <- n.Await(t.Context()) }()
	released(t, first)
	if err := <-done; err != nil {
		t.Errorf("it got what befell another: %v", err)
	} else {
		n.Drop()
	}
}

// A wait that was called off begins no watch: the queue may be forgotten, and
// nobody would end it. It gives its place back.
func TestAwait_CalledOffBefore(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]int64{"Near": 1, "Far": unknown} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			sp, other := spaceOn(t, srv, nil, nil), spaceOn(t, srv, nil, nil)
			first := enqueued(t, queueOf(t, other))
			q := queueOf(t, sp)
			n := enqueued(t, q)
			n.ahead = ahead
			ctx, callOff := context.WithCancel(t.Context())
			callOff()
			if err := n.Await(ctx); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			q.mu.Lock()
			if q.snapshots != nil || q.predecessor != nil {
				t.Error("it has begun a watch")
			}
			q.mu.Unlock()
			awaitQueue(t, srv, 1)
			released(t, first)
		})
	}
}

// Who queues behind its own process, and then behind another, knows in the end
// that another had to leave first.
func TestAwait_BehindOwnThenAnother(t *testing.T) {
	t.Parallel()
	sp := spaceOn(t, newServer(t), nil, nil)
	another := foreign(t, sp, "another")
	q := queueOf(t, sp)
	own, n := enqueued(t, q), enqueued(t, q)
	if n.Waited() {
		t.Error("its own process is taken for another")
	}
	done := make(chan error)
	go func() { done <- n.Await(t.Context()) }()
	eventually(t, "the snapshot", func() bool { return q.shows(3) })
	own.Drop()
	eventually(t, "the snapshot without the first", func() bool { return q.shows(2) })
	removed(t, sp, another)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !n.Waited() {
		t.Error("it does not know that it waited for another")
	}
	n.Drop()
}

// Once the session is stopped, nobody waits.
func TestAwait_Stopped(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	for name, ahead := range map[string]int64{"Near": 1, "Far": unknown} {
		sp := spaceOn(t, srv, nil, nil)
		foreign(t, sp, "before-0")
		n := enqueued(t, queueOf(t, sp))
		n.ahead = ahead
		if err := sp.Session.Stop(session.ErrClosed); err != nil {
			t.Error(err)
		}
		if err := n.Await(context.Background()); !errors.Is(err, session.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
