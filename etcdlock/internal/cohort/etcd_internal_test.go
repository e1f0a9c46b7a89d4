package cohort

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock/internal/queue"
	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
	"github.com/holdfast-go/holdfast/internal/etcdtest"
	"github.com/holdfast-go/holdfast/internal/memetcd"
)

// onEtcd returns Cohorts that stand in the queues of an etcd in memory.
func onEtcd(t *testing.T, srv *memetcd.Server, linger time.Duration, maxTurns int, intercept memetcd.Interceptor) (*Cohorts, *queue.Space) {
	t.Helper()
	cli := srv.NewClient(context.Background(), &memetcd.ClientOptions{Intercept: intercept})
	closing, refuse := context.WithCancelCause(context.Background())
	var a *Cohorts
	var sp *queue.Space
	s := session.New(session.Config{
		Client: cli, Clock: session.NewClock(), TTL: 10 * time.Second, RequestTimeout: 3 * time.Second,
		Sentinel: func() string { return sp.Sentinel() }, KeptAlive: func(time.Duration, error) {},
		Lost: func(*session.Lease) { a.LeaseLost() },
	})
	sp = queue.NewSpace(queue.Config{
		Client: cli, Session: s, Namespace: "holdfast/", Lingers: linger > 0,
		RequestTimeout: 3 * time.Second, Unknown: func(string, string, error) {},
	})
	a = New(Config{
		Queue: func(name string, told func()) Queue { return Global(sp.Queue(name, told)) },
		Spawn: s.Spawn, Closing: closing, Linger: linger, MaxTurns: maxTurns, MaxHold: 20 * time.Millisecond,
		Lost: func(string, error) {},
	})
	t.Cleanup(func() {
		refuse(session.ErrClosed)
		a.Rush()
		if err := s.Stop(session.ErrClosed); err != nil {
			t.Error(err)
		}
		_ = cli.Close() // says only that its context is over
	})
	return a, sp
}

// Where rounds take long, a short queue is looked at as a whole, by one watch that
// stays: every wait and every hold would need watches of its own.
func TestEtcd_SlowRounds(t *testing.T) {
	t.Parallel()
	srv := etcdtest.NewServer(t)
	var sent etcdtest.Counted
	var wg sync.WaitGroup
	before, _ := onEtcd(t, srv, 50*time.Millisecond, 32, nil)
	first := lock(t, before, "n") // until all are there
	for range 2 {
		a, _ := onEtcd(t, srv, 50*time.Millisecond, 1, sent.Intercept)
		for range 2 { // so that one is in line when the other leaves
			wg.Go(func() {
				for range 4 {
					turn := lock(t, a, "n")
					eventually(t, "the hold to be watched for its age", func() bool {
						a.mu.Lock()
						defer a.mu.Unlock()
						return a.byName["n"].hold.guard == nil
					})
					unlock(t, turn)
				}
			})
		}
	}
	etcdtest.AwaitQueue(t, srv, "holdfast/n/", 3)
	unlock(t, first)
	wg.Wait()
	if got, handovers := sent.Watches.Load(), sent.Exchanges.Load(); handovers < 8 || got > 10 {
		t.Errorf("%d watches in %d handovers", got, handovers)
	}
}

// A hold whose key was deleted by hand leaves while goroutines are in line, who
// may be given that very key again.
func TestEtcd_DeletedKeyIsHandedOff(t *testing.T) {
	t.Parallel()
	a, sp := onEtcd(t, etcdtest.NewServer(t), time.Hour, 32, nil)
	turn := lock(t, a, "n")
	former := turn.Node
	unlock(t, turn)
	a.mu.Lock()
	c := a.byName["n"]
	if _, err := sp.Client.Delete(t.Context(), former.Member().Key); err != nil {
		t.Error(err)
	}
	former.Deleted() // as the snapshot finds, which has not told the hold yet
	w := &Waiter{turn: new(Turn), served: make(chan error, 1)}
	c.line.PushBack(w)
	leaves := c.advance()
	a.mu.Unlock()
	if leaves == nil {
		t.Fatal("the hold stays")
	}
	if err := leaves.Release(); !errors.Is(err, session.ErrLost) {
		t.Errorf("the release says %v", err)
	}
	if err := <-w.served; err != nil {
		t.Fatal(err)
	}
	if got, was := w.turn.Node.Member(), former.Member(); got.Key != was.Key || got.Revision <= was.Revision {
		t.Errorf("the next hold has key %s, token %d after %s, %d", got.Key, got.Revision, was.Key, was.Revision)
	}
	unlock(t, w.turn)
}
