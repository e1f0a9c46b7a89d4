package locktest_test

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newCluster is a cluster that is closed with the test.
func newCluster(tb testing.TB) *locktest.Cluster {
	tb.Helper()
	c := locktest.NewCluster()
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

func newLocker(tb testing.TB, c *locktest.Cluster, opts *etcdlock.Options) *etcdlock.Locker {
	tb.Helper()
	l, err := c.NewLocker(opts)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func TestRun_LocalLockers(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*etcdlock.Options{
		"Namespace": nil,
		"RawNames":  {RawNames: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			locktest.Run(t, func(t *testing.T) locktest.Harness {
				t.Helper()
				return localHarness(t, opts)
			})
		})
	}
}

func localHarness(t locktest.T, opts *etcdlock.Options) locktest.Harness {
	c := locktest.NewCluster()
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("%v", err)
		}
	})
	open := func() *etcdlock.Locker {
		l, err := c.NewLocker(opts)
		if err != nil {
			t.Fatalf("%v", err)
		}
		return l
	}
	outside := open() // never locks, so it leaves nothing behind
	return locktest.Harness{
		New:   func() locktest.Locker { return locktest.Adapt(open()) },
		Break: func(ctx context.Context, name string) error { return c.Expire(ctx, outside, name) },
		Queue: func(ctx context.Context, name string) (int, error) {
			holders, err := outside.Holders(ctx, name)
			return len(holders), err
		},
		Leftovers: func(context.Context) ([]string, error) { return c.Keys(), nil },
		Features:  locktest.AllFeatures(),
	}
}

func TestNewLocal_LocksAndCleansUp(t *testing.T) {
	t.Parallel()
	var l *etcdlock.Locker
	t.Run("test of a user", func(t *testing.T) {
		l = locktest.NewLocal(t, &etcdlock.Options{Service: "shop"})
		err := l.Do(t.Context(), "order", func(ctx context.Context) error {
			holders, err := l.Holders(ctx, "order")
			if err != nil || len(holders) != 1 || holders[0].Service != "shop" {
				t.Errorf("held by %v, %v", holders, err)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	if _, err := l.Lock(t.Context(), "order"); !errors.Is(err, etcdlock.ErrClosed) {
		t.Fatalf("after the test the locker says %v, want closed", err)
	}
}

func TestNewLocal_AreApart(t *testing.T) {
	t.Parallel()
	one, two := locktest.NewLocal(t, nil), locktest.NewLocal(t, nil)
	for _, l := range []*etcdlock.Locker{one, two} {
		k, err := l.TryLock(t.Context(), "order")
		if err != nil {
			t.Fatalf("one test's lock is in the way of another's: %v", err)
		}
		t.Cleanup(func() { _ = k.Unlock(context.Background()) })
	}
}

func TestNewLocal_ReportsAForgottenUnlock(t *testing.T) {
	t.Parallel()
	r := record(t.Context(), func(rt *recorder) {
		if _, err := locktest.NewLocal(rt, nil).Lock(rt.Context(), "order"); err != nil {
			rt.Fatalf("%v", err)
		}
	})
	if len(r.errors) != 1 {
		t.Fatalf("the test that forgot Unlock reported %q, want one error", r.errors)
	}
	r = record(t.Context(), func(rt *recorder) {
		l := locktest.NewLocal(rt, nil)
		if _, err := l.Lock(rt.Context(), "order"); err != nil {
			rt.Fatalf("%v", err)
		}
		dead, cancel := context.WithCancel(rt.Context())
		cancel()
		_ = l.Close(dead)
	})
	if len(r.errors) != 0 {
		t.Fatalf("the test that closed the locker itself reported %q", r.errors)
	}
}

func TestNewLocal_BadOptionsFailTheTest(t *testing.T) {
	t.Parallel()
	r := record(t.Context(), func(rt *recorder) { locktest.NewLocal(rt, &etcdlock.Options{TTL: 1}) })
	if !r.fatal {
		t.Fatal("bad options went unnoticed")
	}
	if _, err := newCluster(t).NewLocker(&etcdlock.Options{TTL: 1}); !errors.Is(err, etcdlock.ErrInvalid) {
		t.Fatalf("got %v, want invalid", err)
	}
}

func TestCluster_Expire(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	one, two := newLocker(t, c, nil), newLocker(t, c, nil)
	if err := c.Expire(t.Context(), two, "order"); err == nil {
		t.Fatal("expired a hold that nobody has")
	}
	k, err := one.Lock(t.Context(), "order")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Expire(t.Context(), two, "order"); err != nil {
		t.Fatal(err)
	}
	<-k.Context().Done()
	if cause := context.Cause(k.Context()); !errors.Is(cause, etcdlock.ErrLost) {
		t.Fatalf("the hold ended with %v, want lost", cause)
	}
	if err := k.Unlock(t.Context()); !errors.Is(err, etcdlock.ErrLost) {
		t.Fatalf("Unlock says %v, want lost", err)
	}
}

func TestCluster_CutAndReconnect(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	l := newLocker(t, c, &etcdlock.Options{Linger: etcdlock.NoLinger})
	use := func() error { return l.Do(t.Context(), "order", func(context.Context) error { return nil }) }
	if err := use(); err != nil {
		t.Fatal(err)
	}
	c.Cut()
	if _, err := l.TryLock(t.Context(), "order"); !errors.Is(err, etcdlock.ErrUnavailable) {
		t.Fatalf("while etcd is away: %v, want unavailable", err)
	}
	c.Reconnect()
	if err := use(); err != nil {
		t.Fatalf("when etcd is back: %v", err)
	}
}

func TestCluster_LeavesNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	l := newLocker(t, c, nil)
	if err := l.Do(t.Context(), "order", func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if len(c.Keys()) == 0 {
		t.Fatal("an open locker has no key, so Keys shows nothing")
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if keys := c.Keys(); len(keys) != 0 {
		t.Fatalf("a closed locker left %q", keys)
	}
}
