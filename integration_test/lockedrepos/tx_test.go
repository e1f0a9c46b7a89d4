package lockedrepos_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// held tells which of the keys another process finds taken.
func held(ctx context.Context, t testing.TB, l *etcdlock.Locker, keys ...string) []string {
	t.Helper()
	var taken []string
	for _, key := range keys {
		switch lock, err := l.TryLock(ctx, key); {
		case errors.Is(err, etcdlock.ErrHeld):
			taken = append(taken, key)
		case err != nil:
			t.Fatal(err)
		default:
			if err := lock.Unlock(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	return taken
}

func TestLocked_InTx(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	locker, other := f.Locker(&etcdlock.Options{Linger: etcdlock.NoLinger}), f.Locker(nil)
	b := newBank(t, sqliteFile(t), locker, lockedrepo.Options{})
	free := func(t *testing.T) {
		t.Helper()
		// A wait that was given up takes its key back when the call has returned.
		for len(held(ctx, t, other, accountKey, entryKey)) != 0 {
			if ctx.Err() != nil {
				t.Fatal("the locks are not given back")
			}
		}
	}

	t.Run("JoinsAndKeepsAllLocksUntilTheCommit", func(t *testing.T) {
		err := b.accounts.InTx(ctx, func(ctx context.Context) error {
			if err := b.accounts.Save(ctx, &account{ID: "a", Balance: 5}); err != nil {
				return err
			}
			for id := range int64(2) { // the second save meets the lock of the first
				if err := b.entries.Save(ctx, &entry{ID: id + 1, Account: "a", Amount: 5}); err != nil {
					return err
				}
			}
			if keys := held(ctx, t, other, accountKey, entryKey); len(keys) != 2 {
				t.Errorf("inside the transaction only %v were locked", keys)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if accounts, entries := b.count(t); accounts != 1 || entries != 2 {
			t.Fatalf("committed %d accounts and %d entries", accounts, entries)
		}
		free(t)
	})
	t.Run("RollsBackAllOfIt", func(t *testing.T) {
		oops := errors.New("oops")
		err := b.accounts.InTx(ctx, func(ctx context.Context) error {
			if err := b.entries.SaveAll(ctx, []*entry{{ID: 10}, {ID: 11}}); err != nil {
				return err
			}
			if err := b.accounts.DeleteByID(ctx, "a"); err != nil {
				return err
			}
			return oops
		})
		if !errors.Is(err, oops) {
			t.Fatal(err)
		}
		if accounts, entries := b.count(t); accounts != 1 || entries != 2 {
			t.Fatalf("after the rollback: %d accounts and %d entries", accounts, entries)
		}
		free(t)
	})
	t.Run("Nested", func(t *testing.T) {
		err := b.accounts.InTx(ctx, func(ctx context.Context) error {
			return b.entries.InTx(ctx, func(ctx context.Context) error {
				if _, err := b.accounts.Update(ctx, "a", func(a *account) error { a.Balance++; return nil }); err != nil {
					return err
				}
				return b.entries.Save(ctx, &entry{ID: 20})
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		if a, err := b.accounts.FindByID(ctx, "a"); err != nil || a.Balance != 6 {
			t.Fatalf("got %+v, %v", a, err)
		}
		free(t)
	})
	t.Run("DeadlockIsErrOrder", func(t *testing.T) {
		lock := locks.MustLock(ctx, t, other, accountKey)
		waiting := make(chan error, 1)
		err := b.entries.InTx(ctx, func(ctx context.Context) error {
			go func() { // the other side, which keeps the order
				second, err := other.Lock(lock.Context(), entryKey)
				if err == nil {
					err = second.Unlock(t.Context())
				}
				waiting <- err
			}()
			f.AwaitQueue(ctx, entryKey, 2)
			return b.accounts.Save(ctx, &account{ID: "z"})
		})
		if !errors.Is(err, etcdlock.ErrOrder) {
			t.Fatalf("got %v", err)
		}
		check.Must(t, <-waiting)
		locks.MustUnlock(ctx, t, lock)
		free(t)
	})
	t.Run("KeysLockedUpFront", func(t *testing.T) {
		lock, err := locker.Lock(ctx, b.entries.Key(), b.accounts.Key())
		if err != nil {
			t.Fatal(err)
		}
		err = b.entries.InTx(lock.Context(), func(ctx context.Context) error { return b.accounts.Save(ctx, &account{ID: "y"}) })
		if err := errors.Join(err, lock.Unlock(ctx)); err != nil {
			t.Fatal(err)
		}
		free(t)
	})
	t.Run("ContextOfAnEndedTransaction", func(t *testing.T) {
		var ended context.Context
		if err := b.accounts.InTx(ctx, func(ctx context.Context) error { ended = ctx; return nil }); err != nil {
			t.Fatal(err)
		}
		if err := b.entries.Save(context.WithoutCancel(ended), &entry{ID: 30}); !errors.Is(err, repo.ErrInTx) {
			t.Fatalf("got %v", err)
		}
		free(t)
	})
}

func TestLocked_ForeignTransactionsAreRefused(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	locker := f.Locker(&etcdlock.Options{Linger: etcdlock.NoLinger})
	b := newBank(t, sqliteFile(t), locker, lockedrepo.Options{})
	elsewhere := newBank(t, sqliteFile(t), locker, lockedrepo.Options{})

	t.Run("TheDBGivenToNewIsATransaction", func(t *testing.T) {
		tx := b.db.Begin()
		defer tx.Rollback()
		inner, err := gormrepo.New[account](tx, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := lockedrepo.New(inner, locker, &lockedrepo.Options{Key: accountKey})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Save(ctx, &account{ID: "a"}); !errors.Is(err, repo.ErrInTx) {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("ATransactionOfAnotherDatabase", func(t *testing.T) {
		err := elsewhere.accounts.InTx(ctx, func(ctx context.Context) error { return b.accounts.Save(ctx, &account{ID: "a"}) })
		if !errors.Is(err, repo.ErrInTx) {
			t.Fatalf("got %v", err)
		}
		err = elsewhere.accounts.InTx(ctx, func(ctx context.Context) error {
			return b.accounts.InTx(ctx, func(context.Context) error { return nil })
		})
		if !errors.Is(err, repo.ErrInTx) {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("ATransactionOfThePlainRepository", func(t *testing.T) {
		err := b.plain.InTx(ctx, func(ctx context.Context) error { return b.accounts.Save(ctx, &account{ID: "a"}) })
		if !errors.Is(err, repo.ErrInTx) {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("AMongoSessionInTheContext", func(t *testing.T) {
		db := mongodb.Database(t)
		inner, err := mongorepo.New[bsonAccount](db.Collection("accounts"), nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := lockedrepo.New(inner, locker, &lockedrepo.Options{Key: "bank.MongoAccount"})
		if err != nil {
			t.Fatal(err)
		}
		session, err := db.Client().StartSession()
		if err != nil {
			t.Fatal(err)
		}
		defer session.EndSession(ctx)
		if err := r.Save(mongo.NewSessionContext(ctx, session), &bsonAccount{ID: "a"}); !errors.Is(err, repo.ErrInTx) {
			t.Fatalf("got %v", err)
		}
	})
	if n, _ := b.count(t); n != 0 {
		t.Fatalf("%d accounts were saved by refused writes", n)
	}
	if keys := held(ctx, t, f.Locker(nil), accountKey, entryKey); len(keys) != 0 {
		t.Fatalf("still locked: %v", keys)
	}
}

type bsonAccount struct {
	ID string `bson:"_id"`
}
