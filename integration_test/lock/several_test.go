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

func TestLockSeveral_Tokens(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(nil)
	one, two := locks.MustLock(ctx, t, l, "a"), locks.MustLock(ctx, t, l, "c", "b")
	if a, ok := one.TokenOf("a"); !ok || a == 0 || one.Token() != a {
		t.Errorf("tokens of one name: %d, %d, %v", one.Token(), a, ok)
	}
	b, ok1 := two.TokenOf("b")
	c, ok2 := two.TokenOf("c")
	if two.Token() != 0 || !ok1 || !ok2 || b >= c {
		t.Errorf("tokens of two names: %d, b %d %v, c %d %v", two.Token(), b, ok1, c, ok2)
	}
	if n, ok := two.TokenOf("a"); ok || n != 0 {
		t.Errorf("token of a name not held: %d", n)
	}
	locks.MustUnlock(ctx, t, one)
	locks.MustUnlock(ctx, t, two)
	for _, name := range []string{"a", "b", "c"} {
		f.AwaitQueue(ctx, name, 0)
	}
}

// Failing at the second name gives the first one back.
func TestLockSeveral_AllOrNothing(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	held := locks.MustLock(ctx, t, f.Locker(nil), "b")
	l := f.Locker(nil)
	waiting, cancel := context.WithCancel(ctx)
	a := goLock(func() (*etcdlock.Lock, error) { return l.Lock(waiting, "c", "a", "b") })
	f.AwaitQueue(ctx, "b", 2)
	f.AwaitQueue(ctx, "a", 1)
	f.AwaitQueue(ctx, "c", 0)
	cancel()
	if _, err := a.wait(ctx, t); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock: %v", err)
	}
	f.AwaitQueue(ctx, "a", 0)
	f.AwaitQueue(ctx, "b", 1)
	if _, err := l.TryLock(ctx, "a", "b"); !errors.Is(err, etcdlock.ErrHeld) {
		t.Errorf("TryLock: %v", err)
	}
	f.AwaitQueue(ctx, "a", 0)
	locks.MustUnlock(ctx, t, held)
}

// Under a hold, a name that sorts before it is waited for, unless its holder
// waits for the hold. An error then tells both, and leaves nothing behind.
func TestLockSeveral_Order(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	opts := &etcdlock.Options{DeadlockTimeout: 100 * time.Millisecond, Service: "shop"}
	l, other := f.Locker(opts), f.Locker(opts)
	b := locks.MustLock(ctx, t, l, "b")
	a := locks.MustLock(b.Context(), t, l, "a")
	locks.MustUnlock(ctx, t, a)
	busy := locks.MustLock(ctx, t, other, "a")
	waiting := goLock(func() (*etcdlock.Lock, error) { return l.Lock(b.Context(), "c", "a") })
	f.AwaitQueue(ctx, "a", 2)
	locks.MustUnlock(ctx, t, busy)
	if k, err := waiting.wait(ctx, t); err != nil {
		t.Error(err)
	} else {
		locks.MustUnlock(ctx, t, k)
	}

	busy = locks.MustLock(ctx, t, other, "a")
	over, giveUp := context.WithCancel(busy.Context())
	circle := goLock(func() (*etcdlock.Lock, error) { return other.Lock(over, "b") })
	f.AwaitQueue(ctx, "b", 2)
	_, err := l.Lock(b.Context(), "c", "a")
	stuck, ok := errors.AsType[*etcdlock.OrderError](err)
	if !ok || !errors.Is(err, etcdlock.ErrOrder) || stuck.Wanted != "a" || stuck.Held != "b" ||
		stuck.Holder.Revision != busy.Token() || stuck.Waiter.Service != "shop" {
		t.Errorf("two names, one of them before the held one and in a circle: %v", err)
	}
	f.AwaitQueue(ctx, "a", 1)
	f.AwaitQueue(ctx, "c", 0)
	giveUp()
	if _, err := circle.wait(ctx, t); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// After the held name, and under another Locker's hold, it waits.
	c := goLock(func() (*etcdlock.Lock, error) { return other.Lock(b.Context(), "a/2") })
	if k, err := c.wait(ctx, t); err != nil {
		t.Error(err)
	} else {
		locks.MustUnlock(ctx, t, k)
	}
	locks.MustUnlock(ctx, t, busy)
	locks.MustUnlock(ctx, t, b)
	// The context's hold has ended, and with it the rule.
	locks.MustUnlock(ctx, t, locks.MustLock(context.WithoutCancel(b.Context()), t, l, "a"))
}

// Reentrancy goes by context.
func TestLockNested(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l, other := f.Locker(nil), f.Locker(nil)
	outer := locks.MustLock(ctx, t, l, "n")
	inner := locks.MustLock(outer.Context(), t, l, "n")
	deeper := locks.MustLock(inner.Context(), t, l, "n", "o")
	tried, err := l.TryLock(inner.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	f.AwaitQueue(ctx, "n", 1)
	token, _ := deeper.TokenOf("n")
	if inner.Token() != outer.Token() || tried.Token() != outer.Token() || token != outer.Token() {
		t.Error("nested locks have tokens of their own")
	}
	// Another Locker, or the same without the context, does not get in.
	if _, err := other.TryLock(inner.Context(), "n"); !errors.Is(err, etcdlock.ErrHeld) {
		t.Errorf("another locker: %v", err)
	}
	if _, err := l.TryLock(ctx, "n"); !errors.Is(err, etcdlock.ErrHeld) {
		t.Errorf("without the context: %v", err)
	}
	if _, err := l.LockWithTTL(outer.Context(), 5*time.Second, "n"); !errors.Is(err, etcdlock.ErrInvalid) {
		t.Errorf("a nested fixed term: %v", err)
	}

	locks.MustUnlock(ctx, t, tried)
	locks.MustUnlock(ctx, t, deeper)
	f.AwaitQueue(ctx, "o", 0)
	f.AwaitQueue(ctx, "n", 1)
	if inner.Context().Err() != nil || outer.Context().Err() != nil {
		t.Error("unlocking a nested lock ended others")
	}
	locks.MustUnlock(ctx, t, outer)
	f.AwaitQueue(ctx, "n", 0)
	check.Await(ctx, t, inner.Context().Done(), "the nested hold to end with the outermost")
	locks.MustUnlock(ctx, t, inner)
	if _, err := l.Lock(inner.Context(), "n"); !errors.Is(err, etcdlock.ErrLost) {
		t.Errorf("locking under a hold that has ended: %v", err)
	}
}
