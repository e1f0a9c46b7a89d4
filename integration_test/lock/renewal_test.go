package lock_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/internal/etcdtest"
)

// A hold stays for several TTLs, although every keepalive is slow, and some are
// not answered; so does one that lingers, and a place in the queue.
func TestLockRenewal_Slow(t *testing.T) {
	t.Parallel()
	for _, site := range faultSites(t) {
		t.Run(site.name, func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, time.Minute)
			f := site.fleet(t)
			var asked, lost atomic.Int64
			slow := func(ctx context.Context, method string, _ any, call func() error) error {
				if method != "LeaseKeepAlive" {
					return call()
				}
				pauseFor(ctx, 150*time.Millisecond)
				if asked.Add(1)%4 == 0 {
					lost.Add(1)
					return etcdtest.ErrReplyLost
				}
				return call()
			}
			renewed := make(chan struct{}, 100)
			opts := etcdlock.Options{TTL: 2 * time.Second, Linger: time.Hour, Hooks: &etcdlock.Hooks{
				KeptAlive: func(_ time.Duration, err error) {
					if err == nil {
						renewed <- struct{}{}
					}
				},
				Lost: func(name string, cause error) { t.Errorf("%s was lost: %v", name, cause) },
			}}
			l := f.LockerOn(site.client(t, slow), &opts)
			k := locks.MustLock(ctx, t, l, "n")
			lingers := locks.MustLock(ctx, t, l, "lingers")
			locks.MustUnlock(ctx, t, lingers)
			held := locks.MustLock(ctx, t, f.LockerOn(site.client(t, nil), nil), "waited-for")
			waiter := goLock(func() (*etcdlock.Lock, error) { return l.Lock(ctx, "waited-for") })
			place := f.AwaitQueue(ctx, "waited-for", 2)
			for range 8 { // a third of the TTL apart
				select {
				case <-renewed:
				case <-k.Context().Done():
					t.Fatalf("the hold ended: %v", context.Cause(k.Context()))
				case <-ctx.Done():
					t.Fatal(ctx.Err())
				}
			}
			if lost.Load() == 0 {
				t.Error("no keepalive was lost: the test proves too little")
			}
			again := locks.MustLock(ctx, t, l, "lingers")
			if again.Token() != lingers.Token() {
				t.Error("what lingered was lost")
			}
			locks.MustUnlock(ctx, t, again)
			if now := f.AwaitQueue(ctx, "waited-for", 2); now[1] != place[1] {
				t.Error("the place in the queue was lost")
			}
			locks.MustUnlock(ctx, t, held)
			next, err := waiter.wait(ctx, t)
			if err != nil {
				t.Fatal(err)
			}
			locks.MustUnlock(ctx, t, next)
			locks.MustUnlock(ctx, t, k)
		})
	}
}

// What lingers when etcd goes away for longer than the lease lives is not used
// again, and nobody notices but the hook.
func TestLockRenewal_OutageWhileLingering(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	srv := embedded.OwnEtcd(t)
	f := locks.NewFleet(t, srv.Endpoints())
	lost := make(chan error, 1)
	l := f.Locker(&etcdlock.Options{TTL: 2 * time.Second, Linger: time.Hour, Hooks: &etcdlock.Hooks{
		Lost: func(_ string, cause error) { lost <- cause },
	}})
	first := locks.MustLock(ctx, t, l, "n")
	locks.MustUnlock(ctx, t, first)
	if err := srv.Stop(); err != nil {
		t.Fatal(err)
	}
	if cause := <-lost; !errors.Is(cause, etcdlock.ErrLost) || !errors.Is(cause, etcdlock.ErrUnavailable) {
		t.Errorf("the hold was lost because of %v", cause)
	}
	if err := srv.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	second := locks.MustLock(ctx, t, l, "n")
	if second.Token() <= first.Token() {
		t.Errorf("token %d after %d was lost", second.Token(), first.Token())
	}
	locks.MustUnlock(ctx, t, second)
}
