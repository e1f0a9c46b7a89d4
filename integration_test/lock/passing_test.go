package lock_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
)

// foreigners are all other implementations, with a lease that is short and not
// renewed where they can have one.
func foreigners(t *testing.T, cli *clientv3.Client, endpoints []string) map[string]foreign {
	t.Helper()
	return map[string]foreign{
		"Mutex":   mutex{cli},
		"V3Lock":  service{cli, 2},
		"Etcdctl": etcdctl{t, endpoints},
	}
}

// Goroutines that hand the lock on among themselves let everybody else in.
func TestLockPassing_LetsOthersIn(t *testing.T) {
	t.Parallel()
	endpoints := embedded.EtcdEndpoints(t)
	for name, other := range foreigners(t, embedded.EtcdClient(t), endpoints) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, time.Minute)
			f := locks.NewFleet(t, endpoints)
			l := f.Locker(&etcdlock.Options{RawNames: true})
			lock := servers.UniqueName("passing-")
			var r room
			going, stop := context.WithCancel(ctx)
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					for going.Err() == nil {
						k := locks.MustLock(ctx, t, l, lock)
						r.visit(func() {})
						locks.MustUnlock(ctx, t, k)
					}
				})
			}
			for range 3 {
				visits := r.visits.Load()
				unlock, err := other.lock(ctx, lock)
				if err != nil {
					t.Error(err)
					break
				}
				r.visit(func() {})
				if err := unlock(); err != nil {
					t.Error(err)
				}
				check.Eventually(ctx, t, "our goroutines to go on", func() bool { return r.visits.Load() > visits+1 })
			}
			stop()
			wg.Wait()
			if n := r.overlaps.Load(); n > 0 {
				t.Errorf("%d times two were inside", n)
			}
		})
	}
}

// Of the processes that wait, each has its turn before one that has had its
// turn has another.
func TestLockPassing_Bounds(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]etcdlock.Options{
		"Turns": {MaxTurns: 5, MaxHold: time.Hour},
		"Time":  {MaxTurns: 1 << 30, MaxHold: time.Nanosecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const waiting = 12
			ctx := check.Bounded(t, time.Minute)
			f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
			l, other := f.Locker(&opts), f.Locker(nil)
			first := locks.MustLock(ctx, t, l, "n")
			theirs := goLock(func() (*etcdlock.Lock, error) { return other.Lock(ctx, "n") })
			f.AwaitQueue(ctx, "n", 2)
			// Wait until the hold knows: its watch takes 100 ms to start.
			var before, after atomic.Int64
			var wg sync.WaitGroup
			for range waiting {
				wg.Go(func() {
					k := locks.MustLock(ctx, t, l, "n")
					if k.Token() == first.Token() {
						before.Add(1)
					} else {
						after.Add(1)
					}
					locks.MustUnlock(ctx, t, k)
				})
			}
			pauseFor(ctx, 500*time.Millisecond)
			locks.MustUnlock(ctx, t, first)
			k, err := theirs.wait(ctx, t)
			if err != nil {
				t.Fatal(err)
			}
			locks.MustUnlock(ctx, t, k)
			wg.Wait()
			if after.Load() == 0 {
				t.Errorf("all %d goroutines went before the other process", before.Load())
			}
			if b := before.Load(); name == "Time" && b != 0 || name == "Turns" && b > 5 {
				t.Errorf("%d goroutines went before the other process", b)
			}
		})
	}
}

// A hold that is lost while goroutines wait for it ends the turn of one, and
// the others get the name again.
func TestLockPassing_LossInTheMiddle(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(ctx context.Context, f *locks.Fleet, l *etcdlock.Locker) error{
		"KeyDeleted": func(ctx context.Context, f *locks.Fleet, _ *etcdlock.Locker) error {
			_, err := f.Cli.Delete(ctx, f.AwaitQueue(ctx, "n", 1)[0])
			return err
		},
		"LeaseRevoked": func(ctx context.Context, f *locks.Fleet, l *etcdlock.Locker) error {
			_, err := f.Cli.Revoke(ctx, leaseOf(ctx, f.T, l, "n"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, time.Minute)
			f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
			l := f.Locker(&etcdlock.Options{TTL: time.Hour})
			first := locks.MustLock(ctx, t, l, "n")
			lost := make(chan *etcdlock.Lock, 1)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					k := locks.MustLock(ctx, t, l, "n")
					if k.Token() != first.Token() {
						locks.MustUnlock(ctx, t, k)
						return
					}
					lost <- k // the only one that still has a turn of the first hold
					if err := lose(ctx, f, l); err != nil {
						t.Error(err)
					}
					check.Await(ctx, t, k.Context().Done(), "the turn to end")
				})
			}
			locks.MustUnlock(ctx, t, first)
			wg.Wait()
			wantLost(ctx, t, <-lost)
			if k := locks.MustLock(ctx, t, l, "n"); k.Token() <= first.Token() {
				t.Errorf("token %d after %d was lost", k.Token(), first.Token())
			} else {
				locks.MustUnlock(ctx, t, k)
			}
		})
	}
}

// A goroutine that gives up leaves the place of its process in the queue to
// those who wait behind it.
func TestLockPassing_CancelledWaiterKeepsThePlace(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	held := locks.MustLock(ctx, t, f.Locker(nil), "n")
	l, last := f.Locker(nil), f.Locker(nil)
	going, leave := context.WithCancel(ctx)
	first := goLock(func() (*etcdlock.Lock, error) { return l.Lock(going, "n") })
	queue := f.AwaitQueue(ctx, "n", 2)
	second := goLock(func() (*etcdlock.Lock, error) { return l.Lock(ctx, "n") })
	third := goLock(func() (*etcdlock.Lock, error) { return last.Lock(ctx, "n") })
	f.AwaitQueue(ctx, "n", 3)
	pauseFor(ctx, 50*time.Millisecond) // nothing tells that second stands in line
	leave()
	if _, err := first.wait(ctx, t); !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled one got %v", err)
	}
	if now := f.AwaitQueue(ctx, "n", 3); now[1] != queue[1] {
		t.Errorf("the place %s became %s", queue[1], now[1])
	}
	locks.MustUnlock(ctx, t, held)
	k, err := second.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-third.done:
		t.Error("the one behind overtook")
	default:
	}
	locks.MustUnlock(ctx, t, k)
	if k, err = third.wait(ctx, t); err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, k)
}

// A fixed term stands in the queue for itself, and nobody of its process gets
// its hold.
func TestLockPassing_NotOfAFixedTerm(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(&etcdlock.Options{Linger: time.Hour})
	term, err := l.LockWithTTL(ctx, time.Minute, "n")
	if err != nil {
		t.Fatal(err)
	}
	next := goLock(func() (*etcdlock.Lock, error) { return l.Lock(ctx, "n") })
	f.AwaitQueue(ctx, "n", 2)
	locks.MustUnlock(ctx, t, term)
	k, err := next.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	if k.Token() <= term.Token() || turnOf(term, "n") != 1 {
		t.Errorf("token %d after %d, turn %d", k.Token(), term.Token(), turnOf(term, "n"))
	}
	locks.MustUnlock(ctx, t, k) // and lingers, until the next term is wanted
	if term, err = l.LockWithTTL(ctx, time.Minute, "n"); err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, term)
	f.AwaitQueue(ctx, "n", 0)
}
