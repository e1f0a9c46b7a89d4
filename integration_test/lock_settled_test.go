package integration_test

import (
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
)

// A key deleted long after the watch of its hold stands ends the hold. Nothing
// but an event of that watch tells of it.
func TestLockSettled_KeyDeleted(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, 30*time.Second)
	f := newFleet(t, etcdEndpoints(t))
	k := mustLock(ctx, t, f.locker(&etcdlock.Options{TTL: time.Hour}), "n")
	pauseFor(ctx, 400*time.Millisecond) // nothing tells when it watches
	if _, err := f.cli.Delete(ctx, f.awaitQueue(ctx, "n", 1)[0]); err != nil {
		t.Fatal(err)
	}
	wantLost(ctx, t, k)
}

// Close gives back what has lingered for a while, when nothing else happens to
// it any more, also while it waits for another hold.
func TestLockSettled_Close(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, 30*time.Second)
	f := newFleet(t, etcdEndpoints(t))
	l := f.locker(&etcdlock.Options{TTL: time.Hour, Linger: time.Hour})
	held := mustLock(ctx, t, l, "held")
	mustUnlock(ctx, t, mustLock(ctx, t, l, "n"))
	pauseFor(ctx, 400*time.Millisecond) // nothing tells when it watches
	closed := make(chan error, 1)
	go func() { closed <- l.Close(ctx) }()
	f.awaitQueue(ctx, "n", 0)
	mustUnlock(ctx, t, held)
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
