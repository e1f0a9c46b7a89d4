package lockedrepos_test

import (
	"context"
	"errors"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/lockedrepo"
)

// breakHold revokes the lease of the holder of key, as an operator would.
func breakHold(ctx context.Context, f *locks.Fleet, l *etcdlock.Locker, key string) error {
	holders, err := l.Holders(ctx, key)
	if err != nil {
		return err
	}
	if len(holders) == 0 {
		return errors.New("nobody holds the lock")
	}
	_, err = f.Cli.Revoke(ctx, clientv3.LeaseID(holders[0].Lease))
	return err
}

func TestLocked_LossCancelsTheWork(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	locker, looker := f.Locker(nil), f.Locker(nil)
	b := newBank(t, sqliteFile(t), locker, lockedrepo.Options{})

	lose := func(ctx context.Context, key string) error {
		if err := breakHold(context.WithoutCancel(ctx), f, looker, key); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	t.Run("Save", func(t *testing.T) {
		ctx := context.WithValue(ctx, hookKey{}, func(ctx context.Context) error { return lose(ctx, accountKey) })
		if err := b.accounts.Save(ctx, &account{ID: "lost"}); !errors.Is(err, etcdlock.ErrLost) {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("InTxRollsBackThoughTheWorkWasDone", func(t *testing.T) {
		err := b.accounts.InTx(ctx, func(ctx context.Context) error {
			if err := b.accounts.Save(ctx, &account{ID: "lost in tx"}); err != nil {
				return err
			}
			_ = lose(ctx, accountKey)
			return nil
		})
		if !errors.Is(err, etcdlock.ErrLost) {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("InTxLosesTheSecondLock", func(t *testing.T) {
		// The second key is deleted alone; the first hold goes on.
		err := b.accounts.InTx(ctx, func(ctx context.Context) error {
			if err := b.entries.Save(ctx, &entry{ID: 1}); err != nil {
				return err
			}
			holders, err := looker.Holders(ctx, entryKey)
			if err != nil {
				return err
			}
			if _, err := f.Cli.Delete(ctx, holders[0].Key); err != nil {
				return err
			}
			for { // until the Locker has noticed, which the next write is told
				if err := b.entries.Save(ctx, &entry{ID: 2}); err != nil {
					return err
				}
			}
		})
		if !errors.Is(err, etcdlock.ErrLost) {
			t.Fatalf("got %v", err)
		}
	})
	if accounts, entries := b.count(t); accounts+entries != 0 {
		t.Fatalf("%d accounts and %d entries were saved under lost locks", accounts, entries)
	}
	// The session heals by itself.
	if err := b.accounts.Save(ctx, &account{ID: "later"}); err != nil {
		t.Fatal(err)
	}
}
