package etcdlock

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
	"github.com/holdfast-go/holdfast/internal/etcdtest"
	"github.com/holdfast-go/holdfast/internal/memetcd"
)

// mayhem is an etcd with a long queue of Lockers, of which each does everything
// that Lockers do, while messages get lost, streams break and places are taken
// away.
type mayhem struct {
	t     *testing.T
	srv   *memetcd.Server
	until time.Time
	slow  sync.WaitGroup // requests that land when their sender has an error already

	mu      sync.Mutex
	inside  map[int64]int64 // who is, by token
	evicted map[int64]bool  // tokens of holds that were taken away
	last    FencingToken

	holds, evictions, failed atomic.Int64
}

// intercept loses one message in a hundred, or lets it land late.
func (m *mayhem) intercept(_ context.Context, req any, serve func() error) error {
	_, writes := req.(*pb.TxnRequest)
	switch chance := rand.IntN(1000); {
	case m.over():
		return serve()
	case chance < 5:
		return errReplyLost
	case chance < 10:
		return answerLost(serve)
	case chance < 12 && writes && os.Getenv("HOLDFAST_SOAK") != "":
		m.slow.Go(func() {
			session.Pause(context.Background(), rand.N(20*time.Millisecond))
			_ = serve()
		})
		return errReplyLost
	case chance < 20:
		session.Pause(context.Background(), rand.N(2*time.Millisecond))
	}
	return serve()
}

func (m *mayhem) over() bool { return time.Now().After(m.until) }

// critical notes who holds the lock: nobody else but those whose places were
// taken away.
func (m *mayhem) critical(k *Lock) {
	token, turn := k.Token(), turnOf(k)
	m.mu.Lock()
	for other, n := range m.inside {
		if n > 0 && !m.evicted[other] && !m.evicted[token] {
			m.t.Errorf("token %d holds the lock, and so does %d", token, other)
		}
	}
	if !m.evicted[token] {
		if token < m.last.Revision || token == m.last.Revision && turn <= m.last.Turn {
			m.t.Errorf("turn %d of token %d comes after turn %d of token %d", turn, token, m.last.Turn, m.last.Revision)
		}
		m.last = FencingToken{Revision: token, Turn: turn}
	}
	m.inside[token]++
	m.mu.Unlock()
	m.holds.Add(1)
	if rand.IntN(20) == 0 {
		session.Pause(context.Background(), rand.N(3*time.Millisecond))
	}
	m.mu.Lock()
	if m.inside[token]--; m.inside[token] == 0 {
		delete(m.inside, token)
	}
	m.mu.Unlock()
}

func (m *mayhem) do(l *Locker) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var k *Lock
	var err error
	switch chance := rand.IntN(100); {
	case chance < 60:
		k, err = l.Lock(ctx, "n")
	case chance < 85:
		short, stop := context.WithTimeout(ctx, rand.N(30*time.Millisecond))
		defer stop()
		k, err = l.Lock(short, "n")
		if err != nil && ctx.Err() == nil && !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrLost) {
			m.t.Errorf("it gave up: %v", err)
		}
		if err != nil {
			m.failed.Add(1)
			return
		}
	case chance < 95:
		k, err = l.TryLock(ctx, "n")
		if errors.Is(err, ErrHeld) || errors.Is(err, ErrUnavailable) {
			return
		}
	case chance < 97:
		k, err = l.LockWithTTL(ctx, 30*time.Second, "n")
	default:
		queue, err := l.Holders(ctx, "n")
		if err != nil || len(queue) == 0 {
			return
		}
		h := queue[rand.IntN(len(queue))]
		m.mu.Lock()
		m.evicted[h.Revision] = true
		m.mu.Unlock()
		_ = l.Evict(ctx, h)
		m.evictions.Add(1)
		return
	}
	switch {
	case errors.Is(err, ErrLost):
		m.failed.Add(1)
	case err != nil:
		queue, _ := l.Holders(context.Background(), "n")
		m.t.Errorf("%v; the queue is %v", err, queue)
	default:
		m.critical(k)
		if err := k.Unlock(ctx); err != nil && !errors.Is(err, ErrLost) {
			m.t.Errorf("Unlock: %v", err)
		}
	}
}

// A long queue in which all goes wrong that may excludes, keeps the order, and is
// empty in the end.
func TestMayhem(t *testing.T) {
	t.Parallel()
	d := time.Second
	if os.Getenv("HOLDFAST_SOAK") != "" {
		d = time.Minute
	}
	m := &mayhem{t: t, srv: newServer(t), until: time.Now().Add(d), inside: map[int64]int64{}, evicted: map[int64]bool{}}
	var wg sync.WaitGroup
	var ls []*Locker
	var c etcdtest.Counted
	for i := range 12 {
		l := lockerOn(t, m.srv, &Options{MaxTurns: 1 + i%3}, func(ctx context.Context, req any, serve func() error) error {
			return m.intercept(ctx, req, func() error { return c.Intercept(ctx, req, serve) })
		}, nil)
		ls = append(ls, l)
		for range 2 + i%2 {
			wg.Go(func() {
				for !m.over() {
					m.do(l)
				}
			})
		}
	}
	wg.Go(func() {
		for !m.over() {
			session.Pause(context.Background(), rand.N(400*time.Millisecond))
			m.srv.BreakStreams(errReplyLost)
		}
	})
	wg.Wait()
	m.slow.Wait()
	awaitQueue(t, m.srv, "n", 0)
	for _, l := range ls {
		eventually(t, "the cohorts to be forgotten", func() bool { return l.cohorts.Len() == 0 })
	}
	if m.holds.Load() == 0 || m.evictions.Load() == 0 || c.Exchanges.Load() == 0 {
		t.Error("the test proves nothing")
	}
	t.Logf("%d holds, %d evictions, %d failed, %d exchanges, %d checks, %d watches", m.holds.Load(), m.evictions.Load(), m.failed.Load(), c.Exchanges.Load(), c.Checks.Load(), c.Watches.Load())
}
