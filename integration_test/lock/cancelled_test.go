package lock_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
)

// givenUp is how long a caller waits who is going to give up: mostly while a request of
// his is on its way.
func givenUp() time.Duration { return time.Duration(rand.Int64N(int64(8 * time.Millisecond))) }

// A realistic mix of processes that all want a few names, of whose calls one in twenty is
// cancelled: nobody else is kept waiting by those. The bound is what is promised, so it
// is checked, but only in full size, where the machine does nothing else: leases and
// last sweeps take ten seconds. A bare Put, again and again, tells for how long etcd itself
// stood still.
func TestLockCancelled_Soak(t *testing.T) {
	t.Parallel()
	const processes, goroutines, names, bound = 3, 6, 2, time.Second
	length := scale.Full(5 * time.Minute)
	if !scale.Soak() {
		length = 3 * time.Second
	}
	ctx := check.Bounded(t, length+time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	var visited [names]room
	var cancelled, tried atomic.Int64
	var seen sync.Mutex
	var longest time.Duration
	stop, end := context.WithTimeout(ctx, length)
	defer end()
	visit := func(l *etcdlock.Locker) error {
		n := rand.IntN(names)
		wctx, cancel := context.WithCancel(ctx)
		defer cancel()
		if rand.IntN(20) == 0 {
			wctx, cancel = context.WithTimeout(ctx, givenUp())
			defer cancel()
		}
		begun := time.Now()
		var k *etcdlock.Lock
		var err error
		switch rand.IntN(20) {
		case 0:
			k, err = l.TryLock(wctx, nameOf(n))
		case 1:
			k, err = l.LockWithTTL(wctx, 10*time.Second, nameOf(n))
		case 2:
			k, err = l.Lock(wctx, nameOf(n), nameOf(n)+"/more")
		default:
			k, err = l.Lock(wctx, nameOf(n))
		}
		took := time.Since(begun)
		seen.Lock()
		longest = max(longest, took)
		seen.Unlock()
		switch {
		case errors.Is(err, etcdlock.ErrHeld):
			tried.Add(1)
			return nil
		case err != nil && wctx.Err() != nil && ctx.Err() == nil:
			cancelled.Add(1)
			return nil
		case err != nil:
			return err
		}
		visited[n].visit(func() { pauseFor(ctx, time.Duration(rand.Int64N(int64(time.Millisecond)))) })
		return k.Unlock(ctx)
	}
	var wg sync.WaitGroup
	var still time.Duration
	key := servers.UniqueName("still-")
	wg.Go(func() {
		for stop.Err() == nil {
			begun := time.Now()
			if _, err := f.Cli.Put(ctx, key, ""); err != nil {
				t.Error(err)
				return
			}
			still = max(still, time.Since(begun))
			pauseFor(stop, 5*time.Millisecond)
		}
		if _, err := f.Cli.Delete(ctx, key); err != nil {
			t.Error(err)
		}
	})
	for range processes {
		l := f.Locker(nil)
		for range goroutines {
			wg.Go(func() {
				for stop.Err() == nil {
					if err := visit(l); err != nil {
						t.Error(err)
						return
					}
					pauseFor(stop, time.Duration(rand.Int64N(int64(20*time.Millisecond))))
				}
			})
		}
	}
	wg.Wait()
	visits := int64(0)
	for n := range visited {
		if over := visited[n].overlaps.Load(); over > 0 {
			t.Errorf("%d times two held %s", over, nameOf(n))
		}
		visits += visited[n].visits.Load()
	}
	t.Logf("%d visits, %d calls cancelled, %d tries refused, longest wait %v, longest Put %v",
		visits, cancelled.Load(), tried.Load(), longest, still)
	if cancelled.Load() == 0 || visits == 0 {
		t.Error("nobody gave up, or nobody was there: the test proves nothing")
	}
	if scale.Soak() && !scale.Raced && longest > bound+still {
		t.Errorf("somebody waited %v, want at most %v, or %v more where etcd stands still", longest, bound, still)
	}
}
