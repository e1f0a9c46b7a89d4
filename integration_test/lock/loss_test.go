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

// wantLost waits until the Lock's context ends, and checks how.
func wantLost(ctx context.Context, t *testing.T, k *etcdlock.Lock) {
	t.Helper()
	check.Await(ctx, t, k.Context().Done(), "the hold's context to end")
	if cause := context.Cause(k.Context()); !errors.Is(cause, etcdlock.ErrLost) {
		t.Errorf("the hold's context ended with %v", cause)
	}
	for range 2 {
		if err := k.Unlock(ctx); !errors.Is(err, etcdlock.ErrLost) {
			t.Errorf("Unlock of a lost lock: %v", err)
		}
	}
}

// A hold outlives its TTL: the lease is renewed, and the hold does not end
// while it is held. The TTL is one that a machine which is busy with other tests does not
// miss.
func TestLockLoss_NotWhileRenewed(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	const ttl = 8 * time.Second
	k := locks.MustLock(ctx, t, f.Locker(&etcdlock.Options{TTL: ttl}), "n")
	select {
	case <-k.Context().Done():
		t.Errorf("the hold ended: %v", context.Cause(k.Context()))
	case <-time.After(ttl + 2*time.Second):
	}
	locks.MustUnlock(ctx, t, k)
}

// A revoked lease ends every hold on it, without waiting for a keepalive, and
// the Locker goes on with a new one.
func TestLockLoss_LeaseRevoked(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	// The next keepalive is 20 minutes away: only the watch can notice.
	l := f.Locker(&etcdlock.Options{TTL: time.Hour})
	a, b := locks.MustLock(ctx, t, l, "a"), locks.MustLock(ctx, t, l, "b", "c")
	if _, err := f.Cli.Revoke(ctx, leaseOf(ctx, t, l, "a")); err != nil {
		t.Fatal(err)
	}
	wantLost(ctx, t, a)
	wantLost(ctx, t, b)

	again := locks.MustLock(ctx, t, l, "a")
	if again.Token() <= a.Token() {
		t.Errorf("token %d after %d", again.Token(), a.Token())
	}
	locks.MustUnlock(ctx, t, again)
	f.AwaitQueue(ctx, "a", 0)
}

// A lost hold keeps nobody out, in its own process neither, even before its
// owner has noticed.
func TestLockLoss_FreesTheGoroutinesOfTheProcess(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(nil)
	k := locks.MustLock(ctx, t, l, "n")
	next := goLock(func() (*etcdlock.Lock, error) { return l.Lock(ctx, "n") })
	if _, err := f.Cli.Revoke(ctx, leaseOf(ctx, t, l, "n")); err != nil {
		t.Fatal(err)
	}
	other, err := next.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	wantLost(ctx, t, k)
	if other.Context().Err() != nil {
		t.Errorf("unlocking the lost lock ended the next one: %v", context.Cause(other.Context()))
	}
	locks.MustUnlock(ctx, t, other)
}

// A key deleted by hand ends its hold and no other.
func TestLockLoss_KeyDeleted(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(&etcdlock.Options{TTL: time.Hour})
	a, b := locks.MustLock(ctx, t, l, "a"), locks.MustLock(ctx, t, l, "b")
	if _, err := f.Cli.Delete(ctx, f.AwaitQueue(ctx, "a", 1)[0]); err != nil {
		t.Fatal(err)
	}
	wantLost(ctx, t, a)
	if b.Context().Err() != nil {
		t.Errorf("the other hold ended too: %v", context.Cause(b.Context()))
	}
	locks.MustUnlock(ctx, t, b)
	locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, l, "a"))
}

// A key deleted at once, before anybody watches it, is found at the latest by
// Unlock.
func TestLockLoss_KeyDeletedJustBeforeUnlock(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	k := locks.MustLock(ctx, t, f.Locker(&etcdlock.Options{Linger: etcdlock.NoLinger}), "n")
	if _, err := f.Cli.Delete(ctx, f.AwaitQueue(ctx, "n", 1)[0]); err != nil {
		t.Fatal(err)
	}
	if err := k.Unlock(ctx); !errors.Is(err, etcdlock.ErrLost) {
		t.Errorf("Unlock: %v", err)
	}
}

// The sentinel key stands for the session: without it, it is over.
func TestLockLoss_SentinelDeleted(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.OwnEtcd(t).Endpoints())
	l := f.Locker(&etcdlock.Options{TTL: time.Hour})
	k := locks.MustLock(ctx, t, l, "n")
	sentinels := locks.AwaitQueue(ctx, t, f.Cli, "holdfast/.session/", 1)
	if _, err := f.Cli.Delete(ctx, sentinels[0]); err != nil {
		t.Fatal(err)
	}
	wantLost(ctx, t, k)
	f.AwaitQueue(ctx, "n", 0)
	locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, l, "n"))
}

// A waiter whose place was taken away does not wait without end, and does not get
// the lock.
func TestLockLoss_WhileWaiting(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(ctx context.Context, f *locks.Fleet, waiter *etcdlock.Locker) error{
		"KeyDeleted": func(ctx context.Context, f *locks.Fleet, _ *etcdlock.Locker) error {
			_, err := f.Cli.Delete(ctx, f.AwaitQueue(ctx, "n", 2)[1])
			return err
		},
		"LeaseRevoked": func(ctx context.Context, f *locks.Fleet, waiter *etcdlock.Locker) error {
			_, err := f.Cli.Revoke(ctx, leaseOf(ctx, f.T, waiter, "own"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, 30*time.Second)
			f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
			held := locks.MustLock(ctx, t, f.Locker(nil), "n")
			waiter := f.Locker(&etcdlock.Options{TTL: time.Hour})
			own := locks.MustLock(ctx, t, waiter, "own") // to find its lease by
			a := goLock(func() (*etcdlock.Lock, error) { return waiter.Lock(ctx, "n") })
			f.AwaitQueue(ctx, "n", 2)
			if err := remove(ctx, f, waiter); err != nil {
				t.Fatal(err)
			}
			if _, err := a.wait(ctx, t); !errors.Is(err, etcdlock.ErrLost) {
				t.Errorf("the waiter got %v", err)
			}
			_ = own.Unlock(ctx) // lost in one of the cases
			locks.MustUnlock(ctx, t, held)
			again := locks.MustLock(ctx, t, waiter, "n")
			locks.MustUnlock(ctx, t, again)
		})
	}
}

// Losing one of several names, or an outer hold, ends the work.
func TestLockLoss_OneOfSeveral(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(nil)
	outer := locks.MustLock(ctx, t, l, "a", "b")
	inner := locks.MustLock(outer.Context(), t, l, "c")
	nested := locks.MustLock(inner.Context(), t, l, "a")
	if _, err := f.Cli.Delete(ctx, f.AwaitQueue(ctx, "a", 1)[0]); err != nil {
		t.Fatal(err)
	}
	wantLost(ctx, t, nested)
	check.Await(ctx, t, inner.Context().Done(), "the context of the inner lock to end")
	if cause := context.Cause(inner.Context()); !errors.Is(cause, etcdlock.ErrLost) {
		t.Errorf("the context of the inner lock ended with %v", cause)
	}
	locks.MustUnlock(ctx, t, inner) // its own name was not lost
	wantLost(ctx, t, outer)
	f.AwaitQueue(ctx, "b", 0)
	f.AwaitQueue(ctx, "c", 0)
	// A context whose hold has ended takes no lock on that name.
	if _, err := l.Lock(context.WithoutCancel(nested.Context()), "a"); !errors.Is(err, etcdlock.ErrLost) {
		t.Errorf("locking under a lost hold: %v", err)
	}
}

// Compaction of everything that a waiter's watch could have missed does not
// disturb it.
func TestLock_CompactionWhileWaiting(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.OwnEtcd(t).Endpoints())
	held := locks.MustLock(ctx, t, f.Locker(nil), "n")
	other := f.Locker(nil)
	waiter := goLock(func() (*etcdlock.Lock, error) { return other.Lock(ctx, "n") })
	f.AwaitQueue(ctx, "n", 2)
	if _, err := f.Cli.Compact(ctx, locks.Revision(ctx, t, f.Cli)); err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, held)
	k, err := waiter.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, k)
}
