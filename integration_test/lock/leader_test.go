package lock_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/internal/devserver"
	"github.com/holdfast-go/holdfast/internal/etcdtest"
)

// cluster is an etcd of three members.
type cluster struct {
	*devserver.Etcd
	f *locks.Fleet
}

func newCluster(ctx context.Context, t *testing.T) *cluster {
	t.Helper()
	srv, err := devserver.StartEtcd(ctx, t.TempDir(), &devserver.EtcdOptions{Members: 3, UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	return &cluster{srv, locks.NewFleet(t, srv.Endpoints())}
}

// leader returns the number of the member that leads.
func (c *cluster) leader(ctx context.Context, t *testing.T) (leads int) {
	t.Helper()
	check.Eventually(ctx, t, "a leader", func() bool {
		for i, endpoint := range c.Endpoints() {
			short, cancel := context.WithTimeout(ctx, time.Second)
			status, err := c.f.Cli.Status(short, endpoint)
			cancel()
			if err == nil && status.Leader != 0 && status.Leader == status.Header.MemberId {
				leads = i
				return true
			}
		}
		return false
	})
	return leads
}

// changes takes the cluster through what it may meet.
var changes = map[string]func(ctx context.Context, t *testing.T, c *cluster) error{
	// The leader dies, and another is elected.
	"LeaderDies": func(ctx context.Context, t *testing.T, c *cluster) error {
		t.Helper()
		dead := c.leader(ctx, t)
		if err := c.Stop(dead); err != nil {
			return err
		}
		c.leader(ctx, t)
		return c.Restart(ctx, dead)
	},
	// Two die, and there is no leader until they are back.
	"NoLeader": func(ctx context.Context, t *testing.T, c *cluster) error {
		t.Helper()
		dead := []int{c.leader(ctx, t)}
		dead = append(dead, (dead[0]+1)%3)
		if err := c.Stop(dead...); err != nil {
			return err
		}
		return c.Restart(ctx, dead...)
	},
}

// A change of leader, or a time without one, in all that a name may go
// through: nobody loses the lock, and nobody waits without end. The TTL is so long
// that no lease runs out.
func TestLockLeader(t *testing.T) {
	t.Parallel()
	opts := &etcdlock.Options{TTL: time.Minute, Linger: time.Hour, MaxTurns: 4, MaxHold: time.Hour}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, 2*time.Minute)
			c := newCluster(ctx, t)
			f := c.f
			var net interceptor
			l, other := f.LockerOn(net.client(t, f.Endpoints), opts), f.Locker(opts)
			var exchanges atomic.Int64
			var lose atomic.Bool
			lost := make(chan struct{})
			net.set(func(_ context.Context, method string, req any, call func() error) error {
				err := call()
				if step(method, req) == "Exchange" && err == nil {
					exchanges.Add(1)
					if lose.CompareAndSwap(true, false) {
						close(lost)
						return etcdtest.ErrReplyLost
					}
				}
				return err
			})

			// While one holds and another waits.
			k := locks.MustLock(ctx, t, l, "held")
			lingers := locks.MustLock(ctx, t, l, "lingers")
			locks.MustUnlock(ctx, t, lingers)
			waiter := goLock(func() (*etcdlock.Lock, error) { return other.Lock(ctx, "held") })
			f.AwaitQueue(ctx, "held", 2)
			// And while each hands on, then exchanges its place for another, which
			// meets the change somewhere.
			going, stop := context.WithCancel(ctx)
			defer stop()
			var r room
			var passers []*attempt
			for _, l := range []*etcdlock.Locker{l, l, l, other, other} {
				passers = append(passers, goLock(func() (*etcdlock.Lock, error) {
					for going.Err() == nil {
						k, err := l.Lock(ctx, "passed")
						if err != nil {
							return nil, err
						}
						r.visit(func() {})
						if err := k.Unlock(ctx); err != nil {
							return nil, err
						}
					}
					return nil, nil //nolint:nilnil // nothing is held
				}))
			}
			check.Eventually(ctx, t, "the lock to be handed on", func() bool { return r.visits.Load() > 100 && exchanges.Load() > 5 })
			// The change begins while the outcome of an exchange is not known.
			lose.Store(true)
			check.Await(ctx, t, lost, "an exchange whose answer is lost")

			if err := change(ctx, t, c); err != nil {
				t.Fatal(err)
			}

			visits, exchanged := r.visits.Load(), exchanges.Load()
			check.Eventually(ctx, t, "the lock to be handed on again", func() bool {
				return r.visits.Load() > visits+100 && exchanges.Load() > exchanged+5
			})
			stop()
			for _, p := range passers {
				if _, err := p.wait(ctx, t); err != nil {
					t.Errorf("handing on: %v", err)
				}
			}
			if n := r.overlaps.Load(); n > 0 {
				t.Errorf("%d times two were inside", n)
			}
			if err := k.Context().Err(); err != nil {
				t.Errorf("the hold ended: %v", context.Cause(k.Context()))
			}
			again := locks.MustLock(ctx, t, l, "lingers")
			if again.Token() != lingers.Token() {
				t.Error("what lingered was lost")
			}
			locks.MustUnlock(ctx, t, again)
			locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, other, "lingers")) // it leaves for others still
			locks.MustUnlock(ctx, t, k)
			next, err := waiter.wait(ctx, t)
			if err != nil {
				t.Fatal(err)
			}
			locks.MustUnlock(ctx, t, next)
		})
	}
}
