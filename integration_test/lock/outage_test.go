package lock_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
)

// While etcd is away, calls fail within their time; when it is back, the same
// Locker goes on.
func TestLockOutage_NewLocks(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	srv := embedded.OwnEtcd(t)
	f := locks.NewFleet(t, srv.Endpoints())
	fresh := f.Locker(&etcdlock.Options{RequestTimeout: 500 * time.Millisecond})
	// A hold that lingered would be used again without asking etcd.
	used := f.Locker(&etcdlock.Options{RequestTimeout: 500 * time.Millisecond, Linger: etcdlock.NoLinger})
	locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, used, "n"))
	if err := srv.Stop(); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]*etcdlock.Locker{"without a session": fresh, "with a session": used} {
		short, cancel := context.WithTimeout(ctx, time.Second)
		if _, err := l.Lock(short, "n"); !errors.Is(err, etcdlock.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lock %s: %v", name, err)
		}
		cancel()
		if _, err := l.TryLock(ctx, "n"); !errors.Is(err, etcdlock.ErrUnavailable) {
			t.Errorf("TryLock %s: %v", name, err)
		}
		if _, err := l.Holders(ctx, "n"); !errors.Is(err, etcdlock.ErrUnavailable) {
			t.Errorf("Holders %s: %v", name, err)
		}
		going, cancel := context.WithCancel(ctx)
		a := goLock(func() (*etcdlock.Lock, error) { return l.Lock(going, "n") })
		cancel()
		if _, err := a.wait(ctx, t); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled Lock %s: %v", name, err)
		}
	}
	waiting := goLock(func() (*etcdlock.Lock, error) { return used.Lock(ctx, "n") })
	if err := srv.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	k, err := waiting.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, k)
	locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, fresh, "n"))
	f.AwaitQueue(ctx, "n", 0)
}

// A hold outlives an outage that is shorter than its TTL.
func TestLockOutage_ShortOneIsSurvived(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	srv := embedded.OwnEtcd(t)
	f := locks.NewFleet(t, srv.Endpoints())
	k := locks.MustLock(ctx, t, f.Locker(&etcdlock.Options{TTL: time.Minute}), "n")
	other := f.Locker(nil)
	waiter := goLock(func() (*etcdlock.Lock, error) { return other.Lock(ctx, "n") })
	f.AwaitQueue(ctx, "n", 2)
	if err := srv.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := srv.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, k)
	k, err := waiter.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, k)
}

// A hold whose lease cannot be renewed in time ends by itself, while nobody
// answers. Who waited meanwhile queues again when etcd is back.
func TestLockOutage_LongOneEndsTheHold(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	srv := embedded.OwnEtcd(t)
	f := locks.NewFleet(t, srv.Endpoints())
	k := locks.MustLock(ctx, t, f.Locker(&etcdlock.Options{TTL: 2 * time.Second}), "n")
	other := f.Locker(&etcdlock.Options{TTL: 2 * time.Second})
	waiter := goLock(func() (*etcdlock.Lock, error) { return other.Lock(ctx, "n") })
	f.AwaitQueue(ctx, "n", 2)
	if err := srv.Stop(); err != nil {
		t.Fatal(err)
	}
	wantLost(ctx, t, k)
	if cause := context.Cause(k.Context()); !errors.Is(cause, etcdlock.ErrUnavailable) {
		t.Errorf("the cause does not say that etcd was away: %v", cause)
	}
	if err := srv.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	k, err := waiter.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, k)
	f.AwaitQueue(ctx, "n", 0)
}
