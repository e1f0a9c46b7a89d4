package lock_test

import (
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
)

// A key deleted long after the watch of its hold stands ends the hold. Nothing
// but an event of that watch tells of it.
func TestLockSettled_KeyDeleted(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	k := locks.MustLock(ctx, t, f.Locker(&etcdlock.Options{TTL: time.Hour}), "n")
	pauseFor(ctx, 400*time.Millisecond) // nothing tells when it watches
	if _, err := f.Cli.Delete(ctx, f.AwaitQueue(ctx, "n", 1)[0]); err != nil {
		t.Fatal(err)
	}
	wantLost(ctx, t, k)
}

// Close gives back what has lingered for a while, when nothing else happens to
// it any more, also while it waits for another hold.
func TestLockSettled_Close(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 30*time.Second)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	l := f.Locker(&etcdlock.Options{TTL: time.Hour, Linger: time.Hour})
	held := locks.MustLock(ctx, t, l, "held")
	locks.MustUnlock(ctx, t, locks.MustLock(ctx, t, l, "n"))
	pauseFor(ctx, 400*time.Millisecond) // nothing tells when it watches
	closed := make(chan error, 1)
	go func() { closed <- l.Close(ctx) }()
	f.AwaitQueue(ctx, "n", 0)
	locks.MustUnlock(ctx, t, held)
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
