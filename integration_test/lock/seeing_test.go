package lock_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
)

// Watch shows a queue as it grows and shrinks, and who stands in it.
func TestLockSeeing_Watch(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	observer, one, two := f.Locker(nil), f.Locker(&etcdlock.Options{Service: "one"}), f.Locker(&etcdlock.Options{Service: "two"})
	seen := make(chan []etcdlock.Holder)
	ended := make(chan error, 1)
	going, stop := context.WithCancel(ctx)
	go func() {
		for queue, err := range observer.Watch(going, "n") {
			if err != nil {
				ended <- err
				return
			}
			seen <- queue
		}
	}()
	expect := func(services ...string) []etcdlock.Holder {
		t.Helper()
		for {
			select {
			case queue := <-seen:
				if len(queue) != len(services) {
					continue // on the way there
				}
				for i, h := range queue {
					if h.Service != services[i] || h.Waiting != (i > 0) || h.Since.IsZero() {
						t.Errorf("place %d: %+v", i, h)
					}
				}
				return queue
			case <-ctx.Done():
				t.Fatalf("waiting for %v", services)
			}
		}
	}
	expect()
	k := locks.MustLock(ctx, t, one, "n")
	expect("one")
	next := goLock(func() (*etcdlock.Lock, error) { return two.Lock(ctx, "n") })
	queue := expect("one", "two")
	// The holder is evicted, and the one who waits takes over.
	if err := observer.Evict(ctx, queue[0]); err != nil {
		t.Fatal(err)
	}
	expect("two")
	wantLost(ctx, t, k)
	second, err := next.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	// Evicting the same place again hits nobody.
	if err := observer.Evict(ctx, queue[0]); err != nil {
		t.Error(err)
	}
	locks.MustUnlock(ctx, t, second)
	expect()
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the watch ended with %v", err)
	}
	for _, h := range []etcdlock.Holder{{}, {Name: "n", Key: "holdfast/another/key", Revision: 1}, {Name: "n", Key: queue[0].Key}} {
		if err := observer.Evict(ctx, h); !errors.Is(err, etcdlock.ErrInvalid) {
			t.Errorf("evicting %+v: %v", h, err)
		}
	}
	for _, err := range observer.Watch(ctx, "n") {
		if err != nil {
			t.Error(err)
		}
		break // no more is wanted
	}
	if err := observer.Close(ctx); err != nil {
		t.Error(err)
	}
	for _, err := range observer.Watch(ctx, "n") {
		if !errors.Is(err, etcdlock.ErrClosed) {
			t.Errorf("watching with a closed locker: %v", err)
		}
	}
}

// The hooks tell what happens.
func TestLockSeeing_Hooks(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	var mu sync.Mutex
	var turns []int64
	var waited, failed, held, unknown atomic.Int64
	lost, kept := make(chan error, 1), make(chan struct{}, 100)
	var net interceptor
	l := f.LockerOn(net.client(t, f.Endpoints), &etcdlock.Options{TTL: 2 * time.Second, Linger: time.Hour, Hooks: &etcdlock.Hooks{
		Waited: func(names []string, wait time.Duration, err error) {
			if len(names) != 1 || names[0] != "n" || wait <= 0 {
				t.Errorf("waited %v for %v", wait, names)
			}
			waited.Add(1)
			if err != nil {
				failed.Add(1)
			}
		},
		Taken: func(_ string, _, turn int64) {
			mu.Lock()
			defer mu.Unlock()
			turns = append(turns, turn)
		},
		Held:      func(string, time.Duration) { held.Add(1) },
		Lost:      func(_ string, cause error) { lost <- cause },
		KeptAlive: func(time.Duration, error) { kept <- struct{}{} },
		Unknown:   func(string, string, error) { unknown.Add(1) },
	}})
	net.dropReplies("Enqueue", 1)
	locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, l, "n"))
	k := locks.MustLock(ctx, t, l, "n")
	if _, err := l.TryLock(ctx, "n"); !errors.Is(err, etcdlock.ErrHeld) {
		t.Error(err)
	}
	<-kept
	if _, err := f.Cli.Delete(ctx, f.AwaitQueue(ctx, "n", 1)[0]); err != nil {
		t.Fatal(err)
	}
	wantLost(ctx, t, k)
	if err := <-lost; !errors.Is(err, etcdlock.ErrLost) {
		t.Errorf("lost: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(turns) != 2 || turns[0] != 1 || turns[1] != 2 {
		t.Errorf("turns %v", turns)
	}
	if waited.Load() != 3 || failed.Load() != 1 || held.Load() != 2 || unknown.Load() != 1 {
		t.Errorf("%d waits, %d failed, %d held, %d unknown", waited.Load(), failed.Load(), held.Load(), unknown.Load())
	}
}
