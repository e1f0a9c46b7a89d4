package queue

import (
	"context"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
	"github.com/holdfast-go/holdfast/internal/etcdtest"
	"github.com/holdfast-go/holdfast/internal/memetcd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errReplyLost = etcdtest.ErrReplyLost
	newServer    = etcdtest.NewServer
	step         = etcdtest.Step
	eventually   = etcdtest.Eventually
	answerLost   = etcdtest.AnswerLost
)

// spaceOn returns a Space on a client and a session of its own, whose requests go through
// intercept. Nothing has been asked yet when adjust changes the client. Either may be nil.
func spaceOn(t *testing.T, srv *memetcd.Server, intercept memetcd.Interceptor, adjust func(*clientv3.Client)) *Space {
	t.Helper()
	cli := srv.NewClient(context.Background(), &memetcd.ClientOptions{Intercept: intercept})
	if adjust != nil {
		adjust(cli)
	}
	var sp *Space
	s := session.New(session.Config{
		Client: cli, Clock: session.NewClock(), TTL: 10 * time.Second, RequestTimeout: 3 * time.Second,
		Sentinel: func() string { return sp.Sentinel() }, KeptAlive: func(time.Duration, error) {}, Lost: func(*session.Lease) {},
	})
	sp = NewSpace(Config{
		Client: cli, Session: s, Namespace: "holdfast/", Self: Owner{Host: "h", PID: 1},
		Lingers: true, RequestTimeout: 3 * time.Second, Unknown: func(string, string, error) {},
	})
	t.Cleanup(func() {
		if err := s.Stop(session.ErrClosed); err != nil {
			t.Error(err)
		}
		_ = cli.Close() // says only that its context is over
	})
	return sp
}

// queueOf returns the queue of "n".
func queueOf(t *testing.T, sp *Space) *Queue {
	t.Helper()
	q := sp.Queue("n", nil)
	t.Cleanup(q.Close)
	return q
}

func enqueued(t *testing.T, q *Queue) *Node {
	t.Helper()
	n, err := q.Enqueue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func released(t *testing.T, n *Node) {
	t.Helper()
	n.End()
	if err := n.Release(nil); err != nil {
		t.Error(err)
	}
}

// foreign puts a key into the queue of "n".
func foreign(t *testing.T, sp *Space, key string) string {
	t.Helper()
	key = sp.Path("n") + key
	if _, err := sp.Client.Put(t.Context(), key, ""); err != nil {
		t.Fatal(err)
	}
	return key
}

func removed(t *testing.T, sp *Space, key string) {
	t.Helper()
	if _, err := sp.Client.Delete(context.Background(), key); err != nil {
		t.Error(err)
	}
}

// awaitQueue waits until so many keys stand in the queue of "n".
func awaitQueue(t *testing.T, srv *memetcd.Server, n int) {
	t.Helper()
	etcdtest.AwaitQueue(t, srv, "holdfast/n/", n)
}

// shows reports whether there is a snapshot of the queue that someone waits with, of so many places.
func (q *Queue) shows(places int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.snapshots
	return w != nil && w.changed != nil && w.snapshot.rev > 0 && len(w.snapshot.places) == places
}
