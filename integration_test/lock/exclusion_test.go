package lock_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
)

// Two goroutines of one process exclude each other.
func TestLock_GoroutinesOfOneProcess(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(nil)
	first := locks.MustLock(ctx, t, l, "n")
	var released atomic.Bool
	second := goLock(func() (*etcdlock.Lock, error) {
		k, err := l.Lock(ctx, "n")
		if !released.Load() {
			t.Error("the second goroutine got in while the first one held the lock")
		}
		return k, err
	})
	if _, err := l.TryLock(ctx, "n"); !errors.Is(err, etcdlock.ErrHeld) {
		t.Fatalf("TryLock from another goroutine: %v", err)
	}
	released.Store(true)
	locks.MustUnlock(ctx, t, first)
	k, err := second.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	if k.Token() != first.Token() || turnOf(k, "n") != turnOf(first, "n")+1 {
		t.Errorf("token %d, turn %d after token %d, turn %d", k.Token(), turnOf(k, "n"), first.Token(), turnOf(first, "n"))
	}
	locks.MustUnlock(ctx, t, k)
	f.AwaitQueue(ctx, "n", 0)
}

// The same two goroutines with the lock that etcd's client library has: both
// get in. This is what TestLock_GoroutinesOfOneProcess guards against.
func TestLock_MutexOfOneSessionLetsBothIn(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	session, err := concurrency.NewSession(embedded.EtcdClient(t))
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	name := servers.UniqueName("mutex-")
	first, second := concurrency.NewMutex(session, name), concurrency.NewMutex(session, name)
	if err := first.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	if err := second.TryLock(ctx); err != nil {
		t.Fatalf("concurrency.Mutex has learnt to exclude within one session, and the docs can say so: %v", err)
	}
}

// Goroutines of several processes exclude one another under load, on an
// unsynchronised counter that the race detector watches too.
func TestLock_ManyUnderLoad(t *testing.T) {
	t.Parallel()
	const lockers, goroutines, rounds = 4, 4, 25
	ctx := check.Bounded(t, 2*time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	var r room
	counter := 0
	var wg sync.WaitGroup
	for range lockers {
		l := f.Locker(nil)
		for range goroutines {
			wg.Go(func() {
				for range rounds {
					err := l.Do(ctx, "n", func(context.Context) error {
						r.visit(func() { counter++ })
						return nil
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	if n := r.overlaps.Load(); n > 0 {
		t.Errorf("%d times two were inside", n)
	}
	if want := lockers * goroutines * rounds; counter != want {
		t.Errorf("counted %d, want %d", counter, want)
	}
	f.AwaitQueue(ctx, "n", 0)
}

// Locks are served in the order in which etcd saw the processes come.
func TestLock_FirstComeFirstServed(t *testing.T) {
	t.Parallel()
	const waiters = 5
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	held := locks.MustLock(ctx, t, f.Locker(nil), "n")
	var mu sync.Mutex
	var order []int
	var wg sync.WaitGroup
	for i := range waiters {
		l := f.Locker(nil)
		wg.Go(func() {
			err := l.Do(ctx, "n", func(context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				order = append(order, i)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		f.AwaitQueue(ctx, "n", i+2)
	}
	locks.MustUnlock(ctx, t, held)
	wg.Wait()
	for i, who := range order {
		if who != i {
			t.Fatalf("served in the order %v", order)
		}
	}
}

// A waiter that leaves the middle of the queue lets nobody in early, wherever
// in the queue it stands.
func TestLock_CancelledMiddleWaiter(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	first := locks.MustLock(ctx, t, f.Locker(nil), "n")

	why := errors.New("the caller went home")
	middleCtx, leave := context.WithCancelCause(ctx)
	middleLocker, lastLocker := f.Locker(nil), f.Locker(nil)
	middle := goLock(func() (*etcdlock.Lock, error) { return middleLocker.Lock(middleCtx, "n") })
	f.AwaitQueue(ctx, "n", 2)
	var released atomic.Bool
	last := goLock(func() (*etcdlock.Lock, error) {
		k, err := lastLocker.Lock(ctx, "n")
		if !released.Load() {
			t.Error("the last one got in while the first one held the lock")
		}
		return k, err
	})
	f.AwaitQueue(ctx, "n", 3)

	leave(why)
	if _, err := middle.wait(ctx, t); !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
		t.Errorf("the cancelled waiter got %v", err)
	}
	f.AwaitQueue(ctx, "n", 2)
	// The last one now watches the first. A second one that comes and goes
	// gives it time to make the mistake.
	if _, err := f.Locker(nil).TryLock(ctx, "n"); !errors.Is(err, etcdlock.ErrHeld) {
		t.Errorf("TryLock: %v", err)
	}
	select {
	case <-last.done:
		t.Fatal("the last one is in")
	default:
	}
	released.Store(true)
	locks.MustUnlock(ctx, t, first)
	k, err := last.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, k)
	f.AwaitQueue(ctx, "n", 0)
}

// TryLock on a busy name writes nothing, and says who is in the way.
func TestLock_TryLockBusyWritesNothing(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	// Alone on its server: any write of another test would count here.
	f := locks.NewFleet(t, embedded.OwnEtcd(t).Endpoints())
	held := locks.MustLock(ctx, t, f.Locker(&etcdlock.Options{Service: "billing", Linger: etcdlock.NoLinger}), "n")
	l := f.Locker(nil)
	before := locks.Revision(ctx, t, f.Cli)
	_, err := l.TryLock(ctx, "n")
	if !errors.Is(err, etcdlock.ErrHeld) || !strings.Contains(err.Error(), "billing") {
		t.Errorf("TryLock on a busy name: %v", err)
	}
	if _, err := l.TryLock(ctx, "free", "n"); !errors.Is(err, etcdlock.ErrHeld) {
		t.Errorf("TryLock on a free and a busy name: %v", err)
	}
	if after := locks.Revision(ctx, t, f.Cli); after != before {
		t.Errorf("the revision went from %d to %d", before, after)
	}
	locks.MustUnlock(ctx, t, held)
	k, err := l.TryLock(ctx, "free", "n")
	if err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, k)
	f.AwaitQueue(ctx, "n", 0)
}

// Names that would hit each other with a plain prefix do not.
func TestLock_NamesDoNotCollide(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(nil)
	names := []string{"a", "a/b", "a/", "/a", "a/b/c", "ab", "a%2Fb", "%", ".", ".session", "ä", "a b", "\x00"}
	var held []*etcdlock.Lock
	for _, name := range names {
		k, err := f.Locker(nil).TryLock(ctx, name)
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		held = append(held, k)
	}
	holders, err := l.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, h := range holders {
		listed = append(listed, h.Name)
	}
	if want := sorted(names); strings.Join(listed, "|") != strings.Join(want, "|") {
		t.Errorf("listed %q, want %q", listed, want)
	}
	for _, k := range held {
		locks.MustUnlock(ctx, t, k)
	}
}

// turnOf returns the number of the turn that the Lock has of a name's hold.
func turnOf(k *etcdlock.Lock, name string) int64 {
	fence, _ := k.FencingToken(name)
	return fence.Turn
}
