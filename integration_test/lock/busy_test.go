package lock_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
)

// busyProcess has 64 goroutines that take one name over and over, all of them
// in line behind first before it returns; the function returned ends that.
func busyProcess(ctx context.Context, t *testing.T, l *etcdlock.Locker, name string, r *room) (stop func()) {
	t.Helper()
	going, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for going.Err() == nil {
				k, err := l.Lock(ctx, name)
				if err != nil {
					t.Error(err)
					return
				}
				r.visit(func() {})
				if err := k.Unlock(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

// A process that waits behind a busy one is served, in the order of arrival,
// whatever implementation it is.
func TestLockBusy_ServesOthersInOrder(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 2*time.Minute)
	endpoints := embedded.EtcdEndpoints(t)
	f := locks.NewFleet(t, endpoints)
	opts := etcdlock.Options{RawNames: true}
	l := f.Locker(&opts)
	name := servers.UniqueName("busy-")
	cli := embedded.EtcdClient(t)
	others := []foreign{
		mutex{cli}, holdfast{f.Locker(&opts)}, etcdctl{t, endpoints}, service{cli, 60}, mutex{cli}, service{cli, 60},
	}
	for range 3 {
		var r room
		first := locks.MustLock(ctx, t, l, name)
		stop := busyProcess(ctx, t, l, name, &r)
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i, other := range others {
			wg.Go(func() {
				unlock, err := other.lock(ctx, name)
				if err != nil {
					t.Error(err)
					return
				}
				r.visit(func() {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, i)
				})
				if err := unlock(); err != nil {
					t.Error(err)
				}
			})
			locks.AwaitQueue(ctx, t, f.Cli, name+"/", i+2)
		}
		locks.MustUnlock(ctx, t, first)
		wg.Wait()
		stop()
		if len(order) != len(others) || !slices.IsSorted(order) {
			t.Errorf("served in the order %v", order)
		}
		if n := r.overlaps.Load(); n > 0 {
			t.Errorf("%d times two were inside", n)
		}
	}
}

// A waiter whose lease lives for two seconds, and is renewed by nobody, gets
// its turn behind a busy process while that lease lives.
func TestLockBusy_ShortLeaseGetsItsTurn(t *testing.T) {
	t.Parallel()
	rounds := scale.Full(100)
	ctx := check.Bounded(t, 5*time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(&etcdlock.Options{RawNames: true})
	name := servers.UniqueName("busy-")
	other := service{embedded.EtcdClient(t), 2}
	var r room
	stop := busyProcess(ctx, t, l, name, &r)
	defer stop()
	var longest time.Duration
	var most int64
	for range rounds {
		visits := r.visits.Load()
		check.Eventually(ctx, t, "our goroutines to be busy", func() bool { return r.visits.Load() > visits+64 })
		visits, asked := r.visits.Load(), time.Now()
		// It fails when the lease ends before its turn comes.
		unlock, err := other.lock(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		r.visit(func() {
			longest, most = max(longest, time.Since(asked)), max(most, r.visits.Load()-visits)
		})
		if err := unlock(); err != nil { // as it does when the lease has ended
			t.Fatal(err)
		}
	}
	t.Logf("the longest of %d waits took %v and %d visits of others", rounds, longest, most)
	if n := r.overlaps.Load(); n > 0 {
		t.Errorf("%d times two were inside", n)
	}
}

// A hold that would linger for an hour leaves when a foreign waiter comes. How
// soon is printed, by the revisions and the clock of a watch from outside.
func TestLockLinger_LeavesPromptly(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(&etcdlock.Options{RawNames: true, Linger: time.Hour})
	name := servers.UniqueName("linger-")
	other := service{embedded.EtcdClient(t), 30}
	var took []time.Duration
	for range scale.Full(100) {
		locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, l, name))
		ours := locks.AwaitQueue(ctx, t, f.Cli, name+"/", 1)[0]
		wctx, cancel := context.WithCancel(ctx)
		watch := f.Cli.Watch(wctx, name+"/", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
		<-watch
		var came atomic.Int64
		left := make(chan error, 1)
		go func() {
			for resp := range watch {
				for _, ev := range resp.Events {
					switch {
					case ev.IsCreate():
						came.Store(time.Now().UnixNano())
					case string(ev.Kv.Key) == ours:
						took = append(took, time.Duration(time.Now().UnixNano()-came.Load()))
						left <- nil
						return
					}
				}
			}
			left <- errors.New("the watch ended")
		}()
		unlock, err := other.lock(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := <-left; err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := unlock(); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(took)
	t.Logf("of %d lingering holds, half left within %v of the waiter's arrival, the last after %v",
		len(took), took[len(took)/2], took[len(took)-1])
}
