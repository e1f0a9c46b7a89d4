package integration_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock"
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
	endpoints := etcdEndpoints(t)
	for name, other := range foreigners(t, etcdClient(t), endpoints) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := bounded(t, time.Minute)
			f := newFleet(t, endpoints)
			l := f.locker(&etcdlock.Options{RawNames: true})
			lock := uniqueName("passing-")
			var r room
			going, stop := context.WithCancel(ctx)
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					for going.Err() == nil {
						k := mustLock(ctx, t, l, lock)
						r.visit(func() {})
						mustUnlock(ctx, t, k)
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
				eventually(ctx, t, "our goroutines to go on", func() bool { return r.visits.Load() > visits+1 })
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
			ctx := bounded(t, time.Minute)
			f := newFleet(t, etcdEndpoints(t))
			l, other := f.locker(&opts), f.locker(nil)
			first := mustLock(ctx, t, l, "n")
			theirs := goLock(func() (*etcdlock.Lock, error) { return other.Lock(ctx, "n") })
			f.awaitQueue(ctx, "n", 2)
			// Wait until the hold knows: its watch takes 100 ms to start.
			var before, after atomic.Int64
			var wg sync.WaitGroup
			for range waiting {
				wg.Go(func() {
					k := mustLock(ctx, t, l, "n")
					if k.Token() == first.Token() {
						before.Add(1)
					} else {
						after.Add(1)
					}
					mustUnlock(ctx, t, k)
				})
			}
			pauseFor(ctx, 500*time.Millisecond)
			mustUnlock(ctx, t, first)
			k, err := theirs.wait(ctx, t)
			if err != nil {
				t.Fatal(err)
			}
			mustUnlock(ctx, t, k)
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
	for name, lose := range map[string]func(ctx context.Context, f *fleet, l *etcdlock.Locker) error{
		"KeyDeleted": func(ctx context.Context, f *fleet, _ *etcdlock.Locker) error {
			_, err := f.cli.Delete(ctx, f.awaitQueue(ctx, "n", 1)[0])
			return err
		},
		"LeaseRevoked": func(ctx context.Context, f *fleet, l *etcdlock.Locker) error {
			_, err := f.cli.Revoke(ctx, leaseOf(ctx, f.t, l, "n"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := bounded(t, time.Minute)
			f := newFleet(t, etcdEndpoints(t))
			l := f.locker(&etcdlock.Options{TTL: time.Hour})
			first := mustLock(ctx, t, l, "n")
			lost := make(chan *etcdlock.Lock, 1)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					k := mustLock(ctx, t, l, "n")
					if k.Token() != first.Token() {
						mustUnlock(ctx, t, k)
						return
					}
					lost <- k // the only one that still has a turn of the first hold
					if err := lose(ctx, f, l); err != nil {
						t.Error(err)
					}
					await(ctx, t, k.Context().Done(), "the turn to end")
				})
			}
			mustUnlock(ctx, t, first)
			wg.Wait()
			wantLost(ctx, t, <-lost)
			if k := mustLock(ctx, t, l, "n"); k.Token() <= first.Token() {
				t.Errorf("token %d after %d was lost", k.Token(), first.Token())
			} else {
				mustUnlock(ctx, t, k)
			}
		})
	}
}

// A goroutine that gives up leaves the place of its process in the queue to
// those who wait behind it.
func TestLockPassing_CancelledWaiterKeepsThePlace(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, time.Minute)
	f := newFleet(t, etcdEndpoints(t))
	held := mustLock(ctx, t, f.locker(nil), "n")
	l, last := f.locker(nil), f.locker(nil)
	going, leave := context.WithCancel(ctx)
	first := goLock(func() (*etcdlock.Lock, error) { return l.Lock(going, "n") })
	queue := f.awaitQueue(ctx, "n", 2)
	second := goLock(func() (*etcdlock.Lock, error) { return l.Lock(ctx, "n") })
	third := goLock(func() (*etcdlock.Lock, error) { return last.Lock(ctx, "n") })
	f.awaitQueue(ctx, "n", 3)
	pauseFor(ctx, 50*time.Millisecond) // nothing tells that second stands in line
	leave()
	if _, err := first.wait(ctx, t); !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled one got %v", err)
	}
	if now := f.awaitQueue(ctx, "n", 3); now[1] != queue[1] {
		t.Errorf("the place %s became %s", queue[1], now[1])
	}
	mustUnlock(ctx, t, held)
	k, err := second.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-third.done:
		t.Error("the one behind overtook")
	default:
	}
	mustUnlock(ctx, t, k)
	if k, err = third.wait(ctx, t); err != nil {
		t.Fatal(err)
	}
	mustUnlock(ctx, t, k)
}

// A fixed term stands in the queue for itself, and nobody of its process gets
// its hold.
func TestLockPassing_NotOfAFixedTerm(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, time.Minute)
	f := newFleet(t, etcdEndpoints(t))
	l := f.locker(&etcdlock.Options{Linger: time.Hour})
	term, err := l.LockWithTTL(ctx, time.Minute, "n")
	if err != nil {
		t.Fatal(err)
	}
	next := goLock(func() (*etcdlock.Lock, error) { return l.Lock(ctx, "n") })
	f.awaitQueue(ctx, "n", 2)
	mustUnlock(ctx, t, term)
	k, err := next.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	if k.Token() <= term.Token() || turnOf(term, "n") != 1 {
		t.Errorf("token %d after %d, turn %d", k.Token(), term.Token(), turnOf(term, "n"))
	}
	mustUnlock(ctx, t, k) // and lingers, until the next term is wanted
	if term, err = l.LockWithTTL(ctx, time.Minute, "n"); err != nil {
		t.Fatal(err)
	}
	mustUnlock(ctx, t, term)
	f.awaitQueue(ctx, "n", 0)
}
