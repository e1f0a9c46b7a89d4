package etcdlock

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
	"github.com/holdfast-go/holdfast/internal/etcdtest"
	"github.com/holdfast-go/holdfast/internal/memetcd"
)

var (
	errReplyLost = etcdtest.ErrReplyLost
	newServer    = etcdtest.NewServer
	step         = etcdtest.Step
	eventually   = etcdtest.Eventually
	answerLost   = etcdtest.AnswerLost
)

// newTestLocker returns a Locker on an etcd in memory, whose clock the test can
// move forward, as it goes forward while the machine is suspended.
func newTestLocker(t *testing.T, opts *Options) (l *Locker, suspend func(time.Duration)) {
	t.Helper()
	var slept atomic.Int64
	awake := session.NewClock()
	l = lockerWith(t, newServer(t), opts, func() time.Duration { return awake() + time.Duration(slept.Load()) }, nil, nil)
	return l, func(d time.Duration) { slept.Add(int64(d)) }
}

// lockerOn returns a Locker on a client of its own, whose requests go through
// intercept. Nothing has been asked yet when adjust changes the client. Either
// may be nil.
func lockerOn(t *testing.T, srv *memetcd.Server, opts *Options, intercept memetcd.Interceptor, adjust func(*clientv3.Client)) *Locker {
	t.Helper()
	return lockerWith(t, srv, opts, session.NewClock(), intercept, adjust)
}

func lockerWith(t *testing.T, srv *memetcd.Server, opts *Options, clock session.Clock, intercept memetcd.Interceptor, adjust func(*clientv3.Client)) *Locker {
	t.Helper()
	cli := srv.NewClient(context.Background(), &memetcd.ClientOptions{Intercept: intercept})
	if adjust != nil {
		adjust(cli)
	}
	conf, err := opts.settings()
	if err != nil {
		t.Fatal(err)
	}
	l := newLocker(cli, conf, clock)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			t.Error(err)
		}
		_ = cli.Close() // says only that its context is over
	})
	return l
}

// awaitQueue waits until n keys stand in the queue of the name.
func awaitQueue(t *testing.T, srv *memetcd.Server, name string, n int) {
	t.Helper()
	etcdtest.AwaitQueue(t, srv, defaultNamespace+name+"/", n)
}

// inLine waits until n goroutines stand in line for the name.
func inLine(t *testing.T, l *Locker, name string, n int) {
	t.Helper()
	eventually(t, "the line", func() bool { return l.cohorts.Status(name).InLine == n })
}

// wanted waits until the hold of the name knows that another process waits.
func wanted(t *testing.T, l *Locker, name string) {
	t.Helper()
	eventually(t, "the hold to know", func() bool { return l.cohorts.Status(name).Wanted })
}

// lose takes the hold of a name away.
func lose(t *testing.T, l *Locker, name string) {
	t.Helper()
	n := l.cohorts.Status(name).Node
	n.Deleted()
	if _, err := clientOf(l).Delete(t.Context(), n.Member().Key); err != nil {
		t.Fatal(err)
	}
}

func clientOf(l *Locker) *clientv3.Client { return l.queues.Client }

func lockNow(t *testing.T, l *Locker, name string) *Lock {
	t.Helper()
	k, err := l.Lock(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func unlockNow(t *testing.T, k *Lock) {
	t.Helper()
	if err := k.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// turnOf returns the number of the turn of a Lock of one name.
func turnOf(k *Lock) int64 { return k.held.parts[0].turn.N }
