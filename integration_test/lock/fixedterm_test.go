package lock_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
)

// A fixed term is never renewed: the lock ends by itself, for its holder no
// later than for the next one.
func TestLockWithTTL_EndsByItself(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(nil)
	const term = 3 * time.Second
	start := time.Now()
	k, err := l.LockWithTTL(ctx, term, "n", "m")
	if err != nil {
		t.Fatal(err)
	}
	next := goLock(func() (*etcdlock.Lock, error) {
		got, err := l.Lock(ctx, "n")
		if k.Context().Err() == nil {
			t.Error("the next one has the lock, and the term goes on")
		}
		return got, err
	})
	f.AwaitQueue(ctx, "n", 2)
	wantLost(ctx, t, k)
	got, err := next.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(start); waited < term {
		t.Errorf("the next one had to wait for %v only", waited)
	}
	locks.MustUnlock(ctx, t, got)
	f.AwaitQueue(ctx, "m", 0)
}

// The term starts when the lock is reached, however long the wait was: until
// then the lease is renewed, from then on never.
func TestLockWithTTL_StartsAtOwnership(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.OwnEtcd(t).Endpoints())
	var net interceptor
	l := f.LockerOn(net.client(t, f.Endpoints), nil)
	const term = 2 * time.Second
	blocker, err := f.Locker(nil).LockWithTTL(ctx, 2*term, "n") // longer than the term of the waiter
	if err != nil {
		t.Fatal(err)
	}
	k, err := l.LockWithTTL(ctx, term, "n")
	if err != nil {
		t.Fatal(err)
	}
	reached := time.Now()
	if blocker.Context().Err() == nil {
		t.Error("reached while the other held it")
	}
	streams := net.count.Load() // a keepalive is a stream
	check.Await(ctx, t, k.Context().Done(), "the term to end")
	if held := time.Since(reached); held < term/2 {
		t.Errorf("the term of %v lasted %v only", term, held)
	}
	if n := net.count.Load() - streams; n > 2 { // the watch of the own key: a stream and a look
		t.Errorf("%d requests while the term ran", n)
	}
	f.AwaitQueue(ctx, "n", 0)
}

// Unlock ends a term early, and revokes its lease.
func TestLockWithTTL_Unlock(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.OwnEtcd(t).Endpoints())
	l := f.Locker(nil)
	k, err := l.LockWithTTL(ctx, time.Hour, "n", "m")
	if err != nil {
		t.Fatal(err)
	}
	// Its own key in etcd also for goroutines of the same process.
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if _, err := l.LockWithTTL(short, time.Hour, "n"); !errors.Is(err, etcdlock.ErrTimeout) {
		t.Errorf("a second term at the same time: %v", err)
	}
	nested, err := l.Lock(k.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, nested)
	locks.MustUnlock(ctx, t, k)
	locks.MustUnlock(ctx, t, k)
	f.AwaitQueue(ctx, "n", 0)
	f.AwaitQueue(ctx, "m", 0)
	if err := l.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if leases, err := f.Cli.Leases(ctx); err != nil || len(leases.Leases) != 0 {
		t.Errorf("leases: %v, %v", leases.Leases, err)
	}
}

// A term does not live on the session, and does not end with it.
func TestLockWithTTL_SurvivesTheSession(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(nil)
	renewed := locks.MustLock(ctx, t, l, "renewed")
	term, err := l.LockWithTTL(ctx, time.Minute, "term")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Cli.Revoke(ctx, leaseOf(ctx, t, l, "renewed")); err != nil {
		t.Fatal(err)
	}
	wantLost(ctx, t, renewed)
	if err := term.Context().Err(); err != nil {
		t.Errorf("the term ended: %v", err)
	}
	if _, err := f.Cli.Delete(ctx, f.AwaitQueue(ctx, "term", 1)[0]); err != nil {
		t.Fatal(err)
	}
	wantLost(ctx, t, term)
}

// A term is extended in etcd too, to whatever length, and begins with a try as well. Those
// who wait go on waiting, until it is over.
func TestLockWithTTL_Extend(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l, other := f.Locker(nil), f.Locker(nil)
	k, err := l.TryLockWithTTL(ctx, time.Minute, "n", "m")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.TryLockWithTTL(ctx, time.Minute, "n"); !errors.Is(err, etcdlock.ErrHeld) {
		t.Errorf("a try of another process: %v", err)
	}
	next := goLock(func() (*etcdlock.Lock, error) {
		got, err := other.LockWithTTL(ctx, time.Minute, "n")
		if k.Context().Err() == nil {
			t.Error("the next one has the lock, and the term goes on")
		}
		return got, err
	})
	f.AwaitQueue(ctx, "n", 2)
	token, _ := k.TokenOf("n")
	for _, ttl := range []time.Duration{time.Minute, time.Hour, 1500*time.Millisecond + time.Second} {
		if err := k.Extend(ctx, ttl); err != nil {
			t.Fatal(err)
		}
		lease, err := f.Cli.TimeToLive(ctx, leaseOf(ctx, t, l, "n"))
		if err != nil {
			t.Fatal(err)
		}
		if want := int64((ttl + time.Second - 1) / time.Second); lease.GrantedTTL != want || k.Remaining() > time.Duration(lease.GrantedTTL)*time.Second {
			t.Errorf("after an extension to %v the lease has %d s, and %v remain", ttl, lease.GrantedTTL, k.Remaining())
		}
	}
	if now, _ := k.TokenOf("n"); now != token {
		t.Errorf("the token was %d and is %d", token, now)
	}
	wantLost(ctx, t, k)
	got, err := next.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, got)
	f.AwaitQueue(ctx, "m", 0)
}

// The three scenarios that users of the Java starter know. First: a fixed term
// that the holder never gives back.
func TestScenario_FixedTerm(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	const term = 4 * time.Second
	first, second := f.Locker(nil), f.Locker(nil)
	start := time.Now()
	k, err := first.LockWithTTL(ctx, term, "order")
	if err != nil {
		t.Fatal(err)
	}
	got, err := second.LockWithTTL(ctx, term, "order")
	if err != nil {
		t.Fatal(err)
	}
	waited := time.Since(start)
	t.Logf("the second one waited %v for a term of %v", waited, term)
	if k.Context().Err() == nil || waited < term {
		t.Errorf("the second one got in after %v", waited)
	}
	locks.MustUnlock(ctx, t, got)
}

// Second: two contenders that give back.
func TestScenario_TwoContenders(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	var r room
	first, second := f.Locker(nil), f.Locker(nil)
	k := locks.MustLock(ctx, t, first, "order")
	var released atomic.Bool
	waiter := goLock(func() (*etcdlock.Lock, error) {
		got, err := second.Lock(ctx, "order")
		if !released.Load() {
			t.Error("the second one did not wait for the first")
		}
		return got, err
	})
	f.AwaitQueue(ctx, "order", 2)
	r.visit(func() {})
	released.Store(true)
	locks.MustUnlock(ctx, t, k)
	got, err := waiter.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	r.visit(func() {})
	locks.MustUnlock(ctx, t, got)
	if r.visits.Load() != 2 || r.overlaps.Load() != 0 {
		t.Errorf("%d visits, %d overlaps", r.visits.Load(), r.overlaps.Load())
	}
}

// Third: one client for all locks. One holder keeps its lock for a while, the
// other enters right after; another name is not concerned.
func TestScenario_SharedClient(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	cli := embedded.NewEtcdClient(t, f.Endpoints)
	first, second := f.LockerOn(cli, nil), f.LockerOn(cli, nil)
	k := locks.MustLock(ctx, t, first, "order")
	waiter := goLock(func() (*etcdlock.Lock, error) { return second.Lock(ctx, "order") })
	f.AwaitQueue(ctx, "order", 2)
	for range 20 {
		locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, second, "customer"))
	}
	select {
	case <-waiter.done:
		t.Fatal("the second one did not wait")
	default:
	}
	locks.MustUnlock(ctx, t, k)
	got, err := waiter.wait(ctx, t)
	if err != nil {
		t.Fatal(err)
	}
	locks.MustUnlock(ctx, t, got)
	// The client is the caller's: closing the Lockers leaves it open.
	for _, l := range []*etcdlock.Locker{first, second} {
		if err := l.Close(ctx); err != nil {
			t.Error(err)
		}
	}
	if _, err := cli.Get(ctx, "x", clientv3.WithCountOnly()); err != nil {
		t.Errorf("the client after Close: %v", err)
	}
}
