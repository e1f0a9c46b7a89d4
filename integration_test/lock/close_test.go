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

// Close lets the holds end, and refuses everything else.
func TestLockClose_WaitsForHolds(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.OwnEtcd(t).Endpoints())
	l := f.Locker(nil)
	k := locks.MustLock(ctx, t, l, "n")
	other := locks.MustLock(ctx, t, f.Locker(nil), "busy")
	inQueue := goLock(func() (*etcdlock.Lock, error) { return l.Lock(ctx, "busy") })
	f.AwaitQueue(ctx, "busy", 2)
	atGate := goLock(func() (*etcdlock.Lock, error) { return l.Lock(ctx, "n") })
	inTerm := goLock(func() (*etcdlock.Lock, error) { return l.LockWithTTL(ctx, 5*time.Second, "busy") })
	f.AwaitQueue(ctx, "busy", 3)

	closed := make(chan error, 2)
	go func() { closed <- l.Close(ctx) }()
	for name, a := range map[string]*attempt{"queue": inQueue, "gate": atGate, "term": inTerm} {
		if _, err := a.wait(ctx, t); !errors.Is(err, etcdlock.ErrClosed) {
			t.Errorf("who waits in the %s got %v", name, err)
		}
	}
	for name, call := range map[string]func() error{
		"Lock":        func() error { _, err := l.Lock(ctx, "x"); return err },
		"TryLock":     func() error { _, err := l.TryLock(ctx, "x"); return err },
		"LockWithTTL": func() error { _, err := l.LockWithTTL(ctx, 5*time.Second, "x"); return err },
		"Do":          func() error { return l.Do(ctx, "x", func(context.Context) error { return nil }) },
		"Holders":     func() error { _, err := l.Holders(ctx, "x"); return err },
		"List":        func() error { _, err := l.List(ctx); return err },
	} {
		if err := call(); !errors.Is(err, etcdlock.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One that does not want to wait does not disturb the first.
	over, cancel := context.WithCancel(ctx)
	cancel()
	if err := l.Close(over); !errors.Is(err, context.Canceled) {
		t.Errorf("a second Close with a context that is over: %v", err)
	}
	if k.Context().Err() != nil {
		t.Errorf("the hold ended: %v", context.Cause(k.Context()))
	}
	go func() { closed <- l.Close(ctx) }()
	locks.MustUnlock(ctx, t, k)
	for range 2 {
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	locks.MustUnlock(ctx, t, other)
	f.AwaitQueue(ctx, "n", 0)
}

// Close with a context that ends takes the rest away, and leaves nothing in
// etcd: no key, no sentinel, no lease.
func TestLockClose_CutsShort(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.OwnEtcd(t).Endpoints())
	l, err := etcdlock.New(embedded.NewEtcdClient(t, f.Endpoints), &etcdlock.Options{Namespace: f.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	k := locks.MustLock(ctx, t, l, "n", "m")
	inner := locks.MustLock(k.Context(), t, l, "n")
	term, err := l.LockWithTTL(ctx, time.Hour, "t")
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	first := l.Close(over)
	if !errors.Is(first, context.Canceled) {
		t.Errorf("Close: %v", first)
	}
	for name, k := range map[string]*etcdlock.Lock{"renewed": k, "nested": inner, "fixed term": term} {
		check.Await(ctx, t, k.Context().Done(), "the hold to end")
		if cause := context.Cause(k.Context()); !errors.Is(cause, etcdlock.ErrClosed) {
			t.Errorf("the context of the %s lock ended with %v", name, cause)
		}
		if err := k.Unlock(ctx); !errors.Is(err, etcdlock.ErrClosed) {
			t.Errorf("Unlock of the %s lock: %v", name, err)
		}
	}
	locks.AwaitQueue(ctx, t, f.Cli, "", 0)
	leases, err := f.Cli.Leases(ctx)
	if err != nil || len(leases.Leases) != 0 {
		t.Errorf("leases: %v, %v", leases.Leases, err)
	}
	if err := l.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the second Close: %v", err)
	}
}

func TestLockClose_Unused(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	var net interceptor
	l, err := etcdlock.New(net.client(t, embedded.EtcdEndpoints(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Close(ctx); err != nil {
			t.Error(err)
		}
	}
	if n := net.count.Load(); n != 0 {
		t.Errorf("%d requests for nothing", n)
	}
}

// With etcd away, Close says that the lease could not be given back.
func TestLockClose_EtcdAway(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	srv := embedded.OwnEtcd(t)
	cli := embedded.NewEtcdClient(t, srv.Endpoints())
	l, err := etcdlock.New(cli, &etcdlock.Options{RequestTimeout: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	locks.MustLock(ctx, t, l, "n")
	if err := srv.Stop(); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if err := l.Close(over); !errors.Is(err, etcdlock.ErrUnavailable) {
		t.Errorf("Close: %v", err)
	}
}
