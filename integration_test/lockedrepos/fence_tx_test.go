package lockedrepos_test

import (
	"context"
	"errors"
	"testing"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
)

type fencedCustomer struct {
	ID string `gorm:"primaryKey"`
	N  int64
}

// Keys of the two types of a transaction, which begins with that of the tallies.
const (
	fencedTallyKey     = "shop.Order"
	fencedEarlyKey     = "shop.Customer" // sorts before it
	fencedLateKey      = "shop.Shipment" // sorts after it
	fencedCustomerName = "c"
)

// fencedShop is a process with two types.
type fencedShop struct {
	*fencedProcess
	customers *lockedrepo.Repository[fencedCustomer]
}

func (s *fencedSite) shop(t *testing.T, key string) *fencedShop {
	t.Helper()
	p := s.process(t, fencedTallyKey)
	return &fencedShop{p, lockedOf(t, p, storeOf[fencedCustomer](t, s.store), key)}
}

// add reads a customer and saves it with one more.
func (s *fencedShop) add(ctx context.Context) error {
	c, err := s.customers.FindByID(ctx, fencedCustomerName)
	if err != nil {
		return err
	}
	c.N++
	return s.customers.Save(ctx, c)
}

func wantCustomer(t *testing.T, s *fencedSite, n int64) {
	t.Helper()
	if c := sqldb.Rows[fencedCustomer](t, s.store.db); len(c) != 1 || c[0].N != n {
		t.Errorf("want %d, got %+v", n, c)
	}
}

// onTwoTypes runs a test with two processes, for both orders of the keys.
func onTwoTypes(t *testing.T, test func(ctx context.Context, t *testing.T, s *fencedSite, a, b *fencedShop)) {
	t.Helper()
	onFencedStores(t, func(ctx context.Context, t *testing.T, s *fencedSite) {
		if s.store.db == nil {
			t.Skip("the stand-in for MongoDB has no transactions")
		}
		for _, key := range []string{fencedEarlyKey, fencedLateKey} {
			t.Run(key, func(t *testing.T) {
				s.store.forgetGuard(t)
				a, b := s.shop(t, key), s.shop(t, key)
				s.tally(t, "a", 10)
				check.Must(t, storeOf[fencedCustomer](t, s.store).Save(ctx, &fencedCustomer{ID: fencedCustomerName}))
				test(ctx, t, s, a, b)
			})
		}
	})
}

// A transaction has read one type when another process saves an entity of the
// second one. It sees that: 2 are counted, not 1.
func TestLockedFence_TxSeesWhatWasSavedMeanwhile(t *testing.T) {
	onTwoTypes(t, func(ctx context.Context, t *testing.T, s *fencedSite, a, b *fencedShop) {
		check.Must(t, a.tallies.InTx(ctx, func(tx context.Context) error {
			if _, err := a.tallies.FindByID(tx, "a"); err != nil {
				return err
			}
			if s.store.db.Name() == drivers.SQLite { // one writer at a time
				if err := a.add(tx); err != nil {
					return err
				}
			} else if err := b.add(ctx); err != nil {
				return err
			}
			if keys := held(ctx, t, b.locker, a.customers.Key()); s.store.db.Name() != drivers.SQLite && len(keys) != 0 {
				t.Error("the key of the second type is locked before it is used")
			}
			if _, err := a.customers.FindByID(tx, fencedCustomerName); err != nil {
				return err
			}
			if keys := held(ctx, t, b.locker, a.tallies.Key(), a.customers.Key()); len(keys) != 2 {
				t.Errorf("after the read of a second type only %v are locked", keys)
			}
			return a.add(tx)
		}))
		wantCustomer(t, s, 2)
		if keys := held(ctx, t, b.locker, a.tallies.Key(), a.customers.Key()); len(keys) != 0 {
			t.Errorf("still locked: %v", keys)
		}
	})
}

// The second key of a transaction is fenced as the first one: a process that held it
// before comes too late.
func TestLockedFence_TxFencesTheSecondKey(t *testing.T) {
	onTwoTypes(t, func(ctx context.Context, t *testing.T, s *fencedSite, a, b *fencedShop) {
		b.ears.shut()
		err := b.locker.Do(ctx, b.customers.Key(), func(ctx context.Context) error {
			c, err := b.customers.FindByID(ctx, fencedCustomerName)
			if err != nil {
				return err
			}
			s.endLease(ctx, t, b.customers.Key())
			check.Must(t, a.tallies.InTx(t.Context(), func(ctx context.Context) error {
				if _, err := a.tallies.Update(ctx, "a", func(e *fencedTally) error { e.N++; return nil }); err != nil {
					return err
				}
				return a.add(ctx)
			}))
			c.N++
			return b.customers.Save(ctx, c)
		})
		if !errors.Is(err, repo.ErrFenced) {
			t.Errorf("got %v", err)
		}
		wantCustomer(t, s, 1)
		s.want(t, "a", 11)
	})
}

// A transaction whose second key was lost, which it does not know, is refused as
// a whole.
func TestLockedFence_TxIsRefusedForItsSecondKey(t *testing.T) {
	onTwoTypes(t, func(ctx context.Context, t *testing.T, s *fencedSite, a, b *fencedShop) {
		a.ears.shut()
		lock := locks.MustLock(ctx, t, a.locker, a.tallies.Key(), a.customers.Key())
		_, err := a.customers.FindByID(lock.Context(), fencedCustomerName)
		check.Must(t, err)
		s.endLease(ctx, t, a.customers.Key())
		check.Must(t, b.add(ctx))
		err = a.tallies.InTx(lock.Context(), func(ctx context.Context) error {
			if err := a.tallies.Save(ctx, &fencedTally{ID: "a", N: 99}); err != nil {
				return err
			}
			return a.add(ctx)
		})
		if !errors.Is(err, repo.ErrFenced) {
			t.Errorf("got %v", err)
		}
		if err := lock.Unlock(ctx); !errors.Is(err, etcdlock.ErrLost) {
			t.Errorf("got %v", err)
		}
		wantCustomer(t, s, 1)
		s.want(t, "a", 10)
	})
}

// A key that is busy is waited for, by a read too. Where that is a deadlock, the
// side that does not keep the order is refused.
func TestLockedFence_TxOrder(t *testing.T) {
	onTwoTypes(t, func(ctx context.Context, t *testing.T, s *fencedSite, a, b *fencedShop) {
		lock := locks.MustLock(ctx, t, b.locker, b.customers.Key())
		inOrder := a.customers.Key() > a.tallies.Key()
		others := make(chan error, 1)
		read := make(chan error, 1)
		go func() {
			read <- a.tallies.InTx(ctx, func(ctx context.Context) error {
				if err := a.tallies.Save(ctx, &fencedTally{ID: "a", N: 11}); err != nil {
					return err
				}
				if !inOrder {
					go func() {
						second, err := b.locker.Lock(lock.Context(), b.tallies.Key())
						if err == nil {
							err = second.Unlock(t.Context())
						}
						others <- err
					}()
					s.AwaitQueue(ctx, b.tallies.Key(), 2)
				}
				_, err := a.customers.FindByID(ctx, fencedCustomerName)
				return err
			})
		}()
		if inOrder {
			s.AwaitQueue(ctx, a.customers.Key(), 2)
			locks.MustUnlock(ctx, t, lock)
			check.Must(t, <-read)
			s.want(t, "a", 11)
			return
		}
		if err := <-read; !errors.Is(err, etcdlock.ErrOrder) {
			t.Errorf("got %v", err)
		}
		check.Must(t, <-others)
		locks.MustUnlock(ctx, t, lock)
		s.want(t, "a", 10)
	})
}
