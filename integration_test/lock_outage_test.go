package integration_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
)

// While etcd is away, calls fail within their time; when it is back, the same
// Locker goes on.
func TestLockOutage_NewLocks(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, time.Minute)
	srv := ownEtcd(t)
	f := newFleet(t, srv.Endpoints())
	fresh := f.locker(&etcdlock.Options{RequestTimeout: 500 * time.Millisecond})
	// A hold that lingered would be used again without asking etcd.
	used := f.locker(&etcdlock.Options{RequestTimeout: 500 * time.Millisecond, Linger: etcdlock.NoLinger})
	mustUnlock(ctx, t, mustLock(ctx, t, used, "n"))
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
	mustUnlock(ctx, t, k)
	mustUnlock(ctx, t, mustLock(ctx, t, fresh, "n"))
	f.awaitQueue(ctx, "n", 0)
}

// A hold outlives an outage that is shorter than its TTL.
func TestLockOutage_ShortOneIsSurvived(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, time.Minute)
	srv := ownEtcd(t)
	f := newFleet(t, srv.Endpoints())
	k := mustLock(ctx, t, f.locker(&etcdlock.Options{TTL: time.Minute}), "n")
	other := f.locker(nil)
	waiter := goLock(func() (*etcdlock.Lock, error) { return other.Lock(ctx, "n") })
	f.awaitQueue(ctx, "n", 2)
	if err := srv.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := srv.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	mustUnlock(ctx, t, k)
	k, err := waiter.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	mustUnlock(ctx, t, k)
}

// A hold whose lease cannot be renewed in time ends by itself, while nobody
// answers. Who waited meanwhile queues again when etcd is back.
func TestLockOutage_LongOneEndsTheHold(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, time.Minute)
	srv := ownEtcd(t)
	f := newFleet(t, srv.Endpoints())
	k := mustLock(ctx, t, f.locker(&etcdlock.Options{TTL: 2 * time.Second}), "n")
	other := f.locker(&etcdlock.Options{TTL: 2 * time.Second})
	waiter := goLock(func() (*etcdlock.Lock, error) { return other.Lock(ctx, "n") })
	f.awaitQueue(ctx, "n", 2)
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
	mustUnlock(ctx, t, k)
	f.awaitQueue(ctx, "n", 0)
}
