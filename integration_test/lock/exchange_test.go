package lock_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/internal/etcdtest"
)

// crowded lets goroutines of two Lockers take one name again and again, which
// makes both exchange their places, until over. Errors that are allowed are
// those of Unlock.
func crowded(ctx context.Context, t *testing.T, name string, over func() bool, allowed error, lockers ...*etcdlock.Locker) {
	t.Helper()
	var r room
	var wg sync.WaitGroup
	for _, l := range lockers {
		for range 4 {
			wg.Go(func() {
				for n := 0; n < 20 || !over(); n++ {
					k, err := l.Lock(ctx, name)
					if err != nil {
						t.Error(err)
						return
					}
					r.visit(func() {})
					if err := k.Unlock(ctx); err != nil && (allowed == nil || !errors.Is(err, allowed)) {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	if r.overlaps.Load() != 0 {
		t.Errorf("%d overlaps in %d visits", r.overlaps.Load(), r.visits.Load())
	}
}

// loses makes the given step fail n times, either before etcd has carried it
// out or after, and counts how often it did.
func (i *interceptor) loses(what string, answer bool, n int64) *atomic.Int64 {
	var lost atomic.Int64
	i.set(func(_ context.Context, method string, req any, call func() error) error {
		if step(method, req) != what || lost.Load() >= n {
			return call()
		}
		if answer {
			if err := call(); err != nil {
				return err
			}
		}
		lost.Add(1)
		return etcdtest.ErrReplyLost
	})
	return &lost
}

// A process that goes on wanting the lock gives it back and queues again by one
// request. If that or its answer is lost, nobody waits without end, and nothing
// stays.
func TestLockExchange_LostMessages(t *testing.T) {
	t.Parallel()
	for _, answer := range []bool{false, true} {
		for _, times := range []int64{1, 3} {
			t.Run(fmt.Sprintf("Answer=%v/%dTimes", answer, times), func(t *testing.T) {
				t.Parallel()
				ctx := check.Bounded(t, time.Minute)
				f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
				var net interceptor
				opts := &etcdlock.Options{MaxTurns: 2, Linger: etcdlock.NoLinger}
				l, other := f.LockerOn(net.client(t, f.Endpoints), opts), f.Locker(opts)
				lost := net.loses("Exchange", answer, times)
				crowded(ctx, t, "n", func() bool { return lost.Load() == times }, nil, l, other)
				f.AwaitQueue(ctx, "n", 0)
				locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, other, "n"))
			})
		}
	}
}

// Goroutines that give up while their process exchanges its place, and is not
// answered, leave nothing behind.
func TestLockExchange_GivenUp(t *testing.T) {
	t.Parallel()
	for _, answer := range []bool{false, true} {
		t.Run(fmt.Sprintf("Answer=%v", answer), func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, time.Minute)
			f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
			var net interceptor
			opts := &etcdlock.Options{MaxTurns: 1, Linger: etcdlock.NoLinger}
			l, other := f.LockerOn(net.client(t, f.Endpoints), opts), f.Locker(opts)
			short, giveUp := context.WithCancel(ctx)
			net.set(func(_ context.Context, method string, req any, call func() error) error {
				if step(method, req) != "Exchange" {
					return call()
				}
				if answer {
					if err := call(); err != nil {
						return err
					}
				}
				giveUp()
				return etcdtest.ErrReplyLost
			})
			var wg sync.WaitGroup
			for _, l := range []*etcdlock.Locker{l, other} {
				for range 4 {
					wg.Go(func() {
						for {
							k, err := l.Lock(short, "n")
							if errors.Is(err, context.Canceled) {
								return
							}
							if err != nil {
								t.Error(err)
								return
							}
							if err := k.Unlock(ctx); err != nil {
								t.Error(err)
							}
						}
					})
				}
			}
			wg.Wait()
			net.set(func(_ context.Context, _ string, _ any, call func() error) error { return call() })
			f.AwaitQueue(ctx, "n", 0)
			locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, other, "n"))
		})
	}
}

// A key that somebody deletes just before its place is exchanged costs that
// hold, and not the wait of those in line.
func TestLockExchange_KeyDeleted(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	var net interceptor
	opts := &etcdlock.Options{MaxTurns: 2, Linger: etcdlock.NoLinger}
	l, other := f.LockerOn(net.client(t, f.Endpoints), opts), f.Locker(opts)
	var deleted atomic.Bool
	net.set(func(ctx context.Context, method string, req any, call func() error) error {
		if step(method, req) == "Exchange" && deleted.CompareAndSwap(false, true) {
			resp, err := f.Cli.Get(ctx, f.Namespace+"n/", clientv3.WithFirstCreate()...)
			if err != nil {
				return err
			}
			if _, err := f.Cli.Delete(ctx, string(resp.Kvs[0].Key)); err != nil {
				return err
			}
		}
		return call()
	})
	// Whose key it was is told by its context and by Unlock, or not at all: its
	// goroutine was through with it.
	crowded(ctx, t, "n", deleted.Load, etcdlock.ErrLost, l, other)
	f.AwaitQueue(ctx, "n", 0)
}
