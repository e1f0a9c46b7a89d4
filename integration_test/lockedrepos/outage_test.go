package lockedrepos_test

import (
	"errors"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/internal/devserver"
	"github.com/holdfast-go/holdfast/lockedrepo"
)

func TestLocked_EtcdStopped(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, 2*time.Minute)
	etcd, err := devserver.StartEtcd(ctx, t.TempDir(), &devserver.EtcdOptions{UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = etcd.Close() })
	locker := locks.NewFleet(t, etcd.Endpoints()).Locker(&etcdlock.Options{TTL: 2 * time.Second, Linger: etcdlock.NoLinger})
	const limit = 3 * time.Second
	b := newBank(t, sqliteFile(t), locker, lockedrepo.Options{LockTimeout: limit})
	if err := b.accounts.Save(ctx, &account{ID: "before"}); err != nil {
		t.Fatal(err)
	}
	if err := etcd.Stop(); err != nil {
		t.Fatal(err)
	}
	// Not a race against a clock: a save that ignored the limit would run into
	// the test's own, which is an order of magnitude longer.
	begin := time.Now()
	err = b.accounts.Save(ctx, &account{ID: "during"})
	if !errors.Is(err, etcdlock.ErrUnavailable) {
		t.Fatalf("with etcd stopped: got %v", err)
	}
	t.Logf("refused after %s of at most %s: %v", time.Since(begin).Round(time.Millisecond), limit, err)
	if ok, err := b.accounts.ExistsByID(ctx, "during"); ok || err != nil {
		t.Fatalf("a save without the lock got through: %v, %v", ok, err)
	}
	if err := etcd.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	// The first tries may meet the session while it heals.
	for err = b.accounts.Save(ctx, &account{ID: "after"}); err != nil; err = b.accounts.Save(ctx, &account{ID: "after"}) {
		if !errors.Is(err, etcdlock.ErrUnavailable) && !errors.Is(err, etcdlock.ErrLost) || ctx.Err() != nil {
			t.Fatalf("with etcd back: got %v", err)
		}
	}
}
