package integration_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/etcdlock"
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
	for _, b := range sqlBackends()[:3] {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			ctx := bounded(t, 2*time.Minute)
			f, db := newFleet(t, etcdEndpoints(t)), b.open(t)
			pods := []*bank{newBank(t, db, f.locker(nil), lockedrepo.Options{}), newBank(t, db, f.locker(nil), lockedrepo.Options{})}
			must(t, pods[0].accounts.Save(ctx, &account{ID: "a"}))
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
				must(t, transfer(n))
			}
			var g errgroup.Group
			g.SetLimit(16)
			for n := range concurrent {
				g.Go(func() error { return transfer(sequential + n) })
			}
			must(t, g.Wait())
			a, err := pods[0].accounts.FindByID(ctx, "a")
			must(t, err)
			if _, entries := pods[1].count(t); a.Balance != sequential+concurrent || entries != sequential+concurrent {
				t.Errorf("the balance is %d, and there are %d entries", a.Balance, entries)
			}
		})
	}
}

// What cannot be one transaction is refused before any lock is taken.
func TestLocked_InTxRefused(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, time.Minute)
	f := newFleet(t, etcdEndpoints(t))
	waits := 0
	locker := f.locker(&etcdlock.Options{Hooks: &etcdlock.Hooks{Waited: func([]string, time.Duration, error) { waits++ }}})
	b := newBank(t, sqliteFile(t), locker, lockedrepo.Options{})
	elsewhere := newBank(t, sqliteFile(t), locker, lockedrepo.Options{})
	documents, err := mongorepo.New[bsonAccount](mongoDatabase(t).Collection("accounts"), nil)
	must(t, err)
	mongo, err := lockedrepo.New(documents, locker, &lockedrepo.Options{Key: "bank.MongoAccount"})
	must(t, err)
	objects, err := memrepo.New[account](nil)
	must(t, err)
	memory, err := lockedrepo.New(objects, locker, &lockedrepo.Options{Key: "bank.MemoryAccount"})
	must(t, err)
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
		busy := mustLock(ctx, t, b.locker, b.customers.Key())
		must(t, a.tallies.InTx(ctx, func(ctx context.Context) error {
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
		mustUnlock(ctx, t, busy)
		s.want(t, "a", 11)
	})
}
