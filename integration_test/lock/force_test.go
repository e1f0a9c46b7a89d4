package lock_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
)

// Force removes the holders and waiters of other libraries too.
func TestForceLock(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l, other := f.Locker(&etcdlock.Options{Data: "by the operator"}), f.Locker(nil)
	session, err := concurrency.NewSession(f.Cli)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	m := concurrency.NewMutex(session, l.Path("n")[:len(l.Path("n"))-1])
	if err := m.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	waiter := goLock(func() (*etcdlock.Lock, error) { return other.Lock(ctx, "n") })
	f.AwaitQueue(ctx, "n", 2)
	k, err := l.ForceLock(ctx, "n", "m")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := waiter.wait(ctx, t); !errors.Is(err, etcdlock.ErrLost) {
		t.Errorf("who waited: %v", err)
	}
	if token, _ := k.TokenOf("n"); token <= m.Header().Revision {
		t.Errorf("token %d after %d", token, m.Header().Revision)
	}
	holders, err := other.Holders(ctx, "n")
	if err != nil || len(holders) != 1 || holders[0].Data != "by the operator" {
		t.Errorf("holders %v, %v", holders, err)
	}
	if err := m.TryLock(ctx); !errors.Is(err, concurrency.ErrLocked) {
		t.Errorf("a try of the mutex: %v", err)
	}
	next := goLock(func() (*etcdlock.Lock, error) { return other.Lock(ctx, "n") })
	f.AwaitQueue(ctx, "n", 2)
	locks.MustUnlock(ctx, t, k)
	got, err := next.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, got)
	if err := l.Close(context.WithoutCancel(ctx)); err != nil {
		t.Error(err)
	}
	f.AwaitQueue(ctx, "m", 0)
}
