package lockedrepos_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/memrepo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// Transactions over two types from two processes, one after the other and then
// many at a time: none fails, whichever type they name first and whatever
// lingers.
func TestLocked_InTxOfSeveralNeverFails(t *testing.T) {
	t.Parallel()
	for _, b := range sqldb.Backends()[:3] {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, 2*time.Minute)
			f, db := locks.NewFleet(t, embedded.EtcdEndpoints(t)), b.Open(t)
			pods := []*bank{newBank(t, db, f.Locker(nil), lockedrepo.Options{}), newBank(t, db, f.Locker(nil), lockedrepo.Options{})}
			check.Must(t, pods[0].accounts.Save(ctx, &account{ID: "a"}))
			transfer := func(n int) error {
				p := pods[n%2]
				both := []lockedrepo.Lockable{p.accounts, p.entries}
				if n%3 == 0 {
					both[0], both[1] = both[1], both[0]
				}
				return lockedrepo.InTx(ctx, func(ctx context.Context) error {
					if err := p.entries.Save(ctx, &entry{ID: int64(n) + 1, Account: "a", Amount: 1}); err != nil {
						return err
					}
					_, err := p.accounts.Update(ctx, "a", func(a *account) error { a.Balance++; return nil })
					return err
				}, both...)
			}
			const sequential, concurrent = 100, 100
			for n := range sequential {
				check.Must(t, transfer(n))
			}
			var g errgroup.Group
			g.SetLimit(16)
			for n := range concurrent {
				g.Go(func() error { return transfer(sequential + n) })
			}
			check.Must(t, g.Wait())
			a, err := pods[0].accounts.FindByID(ctx, "a")
			check.Must(t, err)
			if _, entries := pods[1].count(t); a.Balance != sequential+concurrent || entries != sequential+concurrent {
				t.Errorf("the balance is %d, and there are %d entries", a.Balance, entries)
			}
		})
	}
}

// What cannot be one transaction is refused before any lock is taken.
func TestLocked_InTxRefused(t *testing.T) {
	t.Parallel()
	ctx := check.Bounded(t, time.Minute)
	f := locks.NewFleet(t, embedded.EtcdEndpoints(t))
	waits := 0
	locker := f.Locker(&etcdlock.Options{Hooks: &etcdlock.Hooks{Waited: func([]string, time.Duration, error) { waits++ }}})
	b := newBank(t, sqliteFile(t), locker, lockedrepo.Options{})
	elsewhere := newBank(t, sqliteFile(t), locker, lockedrepo.Options{})
	documents, err := mongorepo.New[bsonAccount](mongodb.Database(t).Collection("accounts"), nil)
	check.Must(t, err)
	mongo, err := lockedrepo.New(documents, locker, &lockedrepo.Options{Key: "bank.MongoAccount"})
	check.Must(t, err)
	objects, err := memrepo.New[account](nil)
	check.Must(t, err)
	memory, err := lockedrepo.New(objects, locker, &lockedrepo.Options{Key: "bank.MemoryAccount"})
	check.Must(t, err)
	tx := b.db.Begin()
	defer tx.Rollback()
	ofTx := newBankOn(t, tx, locker)
	never := func(context.Context) error { t.Error("the function was called"); return nil }
	for name, c := range map[string]struct{ err, want error }{
		"TwoSQLDatabases":  {lockedrepo.InTx(ctx, never, b.accounts, elsewhere.entries), repo.ErrInvalid},
		"OnATransaction":   {lockedrepo.InTx(ctx, never, b.accounts, ofTx), repo.ErrInTx},
		"OnATransaction's": {ofTx.InTx(ctx, never), repo.ErrInTx},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: got %v, want %v", name, c.err, c.want)
		}
	}
	if err := lockedrepo.InTx(ctx, never, b.accounts, memory); !errors.Is(err, repo.ErrInvalid) && !errors.Is(err, repo.ErrUnsupported) {
		t.Errorf("SQL and memory: got %v", err)
	}
	if source, ok := repo.As[driver.TxSource](documents); !ok {
		t.Error("a collection does not say whether it has transactions")
	} else if _, err := source.TxStore(ctx); errors.Is(err, repo.ErrUnsupported) { // the stand-in
		for name, err := range map[string]error{
			"Mongo": mongo.InTx(ctx, never), "Function": lockedrepo.InTx(ctx, never, mongo), "Mixed": lockedrepo.InTx(ctx, never, b.accounts, mongo),
		} {
			if !errors.Is(err, repo.ErrUnsupported) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	} else if err := lockedrepo.InTx(ctx, never, b.accounts, mongo); !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("Mixed: got %v", err)
	}
	if waits != 0 {
		t.Errorf("%d calls of Lock", waits)
	}
}

// The check that a customer exists takes no lock, and sees what the transaction
// has written.
func TestLocked_ReadUnlocked(t *testing.T) {
	onTwoTypes(t, func(ctx context.Context, t *testing.T, s *fencedSite, a, b *fencedShop) {
		busy := locks.MustLock(ctx, t, b.locker, b.customers.Key())
		check.Must(t, a.tallies.InTx(ctx, func(ctx context.Context) error {
			if _, err := a.tallies.Update(ctx, "a", func(e *fencedTally) error { e.N++; return nil }); err != nil {
				return err
			}
			unlocked := lockedrepo.ReadUnlocked(ctx)
			there, err := a.customers.ExistsByID(unlocked, fencedCustomerName)
			if err != nil || !there {
				return fmt.Errorf("the customer: %v, %w", there, err)
			}
			e, err := a.tallies.FindByID(unlocked, "a")
			if err == nil && e.N != 11 {
				t.Errorf("the transaction does not see its own write: %+v", e)
			}
			return err
		}))
		locks.MustUnlock(ctx, t, busy)
		s.want(t, "a", 11)
	})
}
