package lock_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
)

// Mutexes of etcd's client library and Lockers lock and try one name, all at the same time.
// No two are inside, holds of Lockers linger and make way for each of them, and a try that
// asks a hold is in nobody's way.
func TestLockInterop_Mixture(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 2*time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	name := servers.UniqueName("interop-")
	rounds := scale.Full(500)
	var in room
	var got, refused [2]atomic.Int64 // of tries, by kind
	var wg sync.WaitGroup
	for range 2 {
		session, err := concurrency.NewSession(embedded.NewEtcdClient(t, f.Endpoints))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { session.Close() })
		wg.Go(func() {
			for i := range rounds {
				m := concurrency.NewMutex(session, name)
				var err error
				if i%2 == 0 {
					err = m.Lock(ctx)
				} else if err = m.TryLock(ctx); err == nil {
					got[0].Add(1)
				}
				if errors.Is(err, concurrency.ErrLocked) {
					refused[0].Add(1)
					continue
				}
				if err == nil {
					in.visit(func() { pauseFor(ctx, time.Millisecond) })
					err = m.Unlock(context.WithoutCancel(ctx))
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 2 {
		l := f.Locker(&etcdlock.Options{RawNames: true})
		for range 2 {
			wg.Go(func() {
				for i := range rounds {
					var k *etcdlock.Lock
					var err error
					if i%2 == 0 {
						k, err = l.Lock(ctx, name)
					} else if k, err = l.TryLock(ctx, name); err == nil {
						got[1].Add(1)
					}
					if errors.Is(err, etcdlock.ErrHeld) {
						refused[1].Add(1)
						continue
					}
					if err == nil {
						in.visit(func() { pauseFor(ctx, time.Millisecond) })
						err = k.Unlock(ctx)
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	if n := in.overlaps.Load(); n > 0 {
		t.Errorf("%d times two were inside", n)
	}
	t.Logf("%d visits; tries of mutexes: %d got it, %d did not; of Lockers: %d and %d",
		in.visits.Load(), got[0].Load(), refused[0].Load(), got[1].Load(), refused[1].Load())
	if refused[1].Load() == 0 {
		t.Error("no try of a Locker was refused: the test proves too little")
	}
}

// One after the other, processes that use any names in any order never fail, be the
// others Lockers whose holds linger, or mutexes.
func TestLockInterop_Sequence(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	one, two := servers.UniqueName("interop-1-"), servers.UniqueName("interop-2-")
	session, err := concurrency.NewSession(embedded.NewEtcdClient(t, f.Endpoints))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	opts := &etcdlock.Options{RawNames: true}
	ls := []*etcdlock.Locker{f.Locker(opts), f.Locker(opts)}
	for i := range 20 {
		l := ls[i%2]
		outer := locks.MustLock(ctx, t, l, two)
		locks.MustUnlock(ctx, t, locks.MustLock(outer.Context(), t, l, one))
		locks.MustUnlock(ctx, t, mustTry(outer.Context(), t, l, one))
		locks.MustUnlock(ctx, t, outer)
		locks.MustUnlock(ctx, t, mustTry(ctx, t, ls[(i+1)%2], two, one))
		m := concurrency.NewMutex(session, one)
		if err := m.Lock(ctx); err != nil {
			t.Fatal(err)
		}
		if err := m.Unlock(ctx); err != nil {
			t.Fatal(err)
		}
	}
}
