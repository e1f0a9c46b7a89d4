package fenced_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// Two holders believe in their lock, as after a pause that outlasted the lease:
// the newer one reads, then the stale one writes, then the newer one writes. A
// claim that is shown only with the write is accepted both times, and an
// acknowledged update is lost.
func TestGormFence_StaleWriteBetweenReadAndWrite(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		check.Must(t, r.Save(ctx, &sqldb.GormCounter{ID: 1}))
		add := func(ctx context.Context, seen *sqldb.GormCounter, save func(context.Context, *sqldb.GormCounter) error) bool {
			seen.N++
			err := save(ctx, seen)
			if err != nil && !errors.Is(err, repo.ErrFenced) {
				t.Error(err)
			}
			return err == nil
		}
		read := func(ctx context.Context) *sqldb.GormCounter {
			c, err := r.FindByID(ctx, 1)
			check.Must(t, err)
			return c
		}
		lost := func(fence func(token int64) context.Context, readUnder func(context.Context) context.Context, save func(context.Context, *sqldb.GormCounter) error) int {
			before := read(ctx).N
			old, young := fence(33), fence(34)
			a := read(readUnder(old))
			b := read(readUnder(young))
			acknowledged := 0
			if add(old, a, save) {
				acknowledged++
			}
			if add(young, b, save) {
				acknowledged++
			}
			return before + acknowledged - read(ctx).N
		}
		named := func(key string) func(int64) context.Context {
			return func(token int64) context.Context { return fences.Turn(token, fmt.Sprint(token), 1, key).With(ctx) }
		}
		same := func(ctx context.Context) context.Context { return ctx }
		if n := lost(named("k"), same, r.Save); n != 0 {
			t.Errorf("%d acknowledged updates were lost", n)
		}
		// The weaker design, to see that the order of events is the bad one.
		unfenced := func(ctx context.Context) context.Context { return driver.WithFence(ctx, nil) }
		if n := lost(named("weak"), unfenced, r.Save); n != 1 {
			t.Errorf("a claim shown only with the write lost %d, not 1", n)
		}
	})
}

// Within a transaction a read and a write are one step, whatever the tokens are.
func TestGormFence_Updates(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		check.Must(t, r.Save(ctx, &sqldb.GormCounter{ID: 1}))
		var acknowledged, token atomic.Int64
		var wg sync.WaitGroup
		for n := range 4 {
			wg.Go(func() {
				for range 15 {
					f := fences.Turn(token.Add(1), fmt.Sprint(n), 1, "k")
					_, err := r.Update(f.With(ctx), 1, func(c *sqldb.GormCounter) error { c.N++; return nil })
					switch {
					case err == nil:
						acknowledged.Add(1)
					case !errors.Is(err, repo.ErrFenced):
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if got, err := r.FindByID(ctx, 1); err != nil || int64(got.N) != acknowledged.Load() || got.N == 0 {
			t.Fatalf("%d acknowledged, got %+v, %v", acknowledged.Load(), got, err)
		}
	})
}

// A transaction of an earlier turn of the same hold, or of an earlier attempt,
// that comes late is refused.
func TestGormFence_LateTransaction(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		first, second := fences.Turn(5, "a", 1, "k"), fences.Turn(5, "a", 2, "k")
		check.Must(t, r.Save(first.With(ctx), &sqldb.GormCounter{ID: 1, N: 1}))
		late := fences.Fixed(first.Claims())
		check.Must(t, r.Save(first.With(ctx), &sqldb.GormCounter{ID: 1, N: 2}))
		fences.WantRefused(t, r.Save(driver.WithFence(ctx, late), &sqldb.GormCounter{ID: 1, N: 3}), 5, 5)
		c, err := r.FindByID(second.With(ctx), 1)
		check.Must(t, err)
		fences.WantRefused(t, r.Save(first.With(ctx), &sqldb.GormCounter{ID: 1, N: 4}), 5, 5)
		c.N++
		check.Must(t, r.Save(second.With(ctx), c))
		if got, err := r.FindByID(ctx, 1); err != nil || got.N != 3 {
			t.Fatalf("got %+v, %v", got, err)
		}
	})
}

// Transactions over several keys take them in one order, so none of them waits
// for another one that waits for it.
func TestGormFence_SeveralKeys(t *testing.T) {
	t.Parallel()
	const callers, rounds = 6, 10
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		keys := []string{"a", "b", "c", "d"}
		var token, saved atomic.Int64
		var wg sync.WaitGroup
		for n := range callers {
			wg.Go(func() {
				for round := range rounds {
					ids := []int64{1, 2, 3, 4}
					if n%2 == 1 {
						ids = []int64{4, 3, 2, 1}
					}
					list := make([]*sqldb.GormCounter, len(ids))
					for i, id := range ids {
						list[i] = &sqldb.GormCounter{ID: id, N: round}
					}
					err := r.SaveAll(fences.Turn(token.Add(1), fmt.Sprint(n), 1, keys...).With(ctx), list)
					switch {
					case err == nil:
						saved.Add(1)
					case !errors.Is(err, repo.ErrFenced):
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if saved.Load() == 0 {
			t.Error("nothing was saved")
		}
		// One refused key of several refuses all of it.
		check.Must(t, r.Save(fences.Turn(10_000, "z", 1, "c").With(ctx), &sqldb.GormCounter{ID: 9}))
		fences.WantRefused(t, r.Save(fences.Turn(5000, "y", 1, keys...).With(ctx), &sqldb.GormCounter{ID: 8}), 10_000, 5000)
		if ok, err := r.ExistsByID(ctx, 8); ok || err != nil {
			t.Fatalf("%v, %v", ok, err)
		}
		var tokens []int64
		check.Must(t, db.Raw("SELECT token FROM holdfast_fence WHERE k IN ('a', 'b', 'd')").Scan(&tokens).Error)
		for _, n := range tokens {
			if n >= 5000 {
				t.Errorf("a claim of a refused list was stored: %d", n)
			}
		}
	})
}

type gormFenceCustomer struct {
	ID int64 `gorm:"autoIncrement:false"`
	N  int
}

// A transaction takes the lock of a second type while it runs, and then sees
// what was saved before that, though it had read something else earlier.
func TestGormFence_SecondKeyInTx(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		orders, customers := sqldb.Repository[sqldb.GormCounter](t, db, nil), sqldb.Repository[gormFenceCustomer](t, db, nil)
		check.Must(t, customers.Save(ctx, &gormFenceCustomer{ID: 1}))
		var other func()
		attempt := fences.Turn(10, "a", 1, "order")
		both := fences.Turn(10, "a", 2, "customer", "order")
		if db.Name() == "sqlite" { // one writer at a time: the other one comes first
			check.Must(t, customers.Save(fences.Turn(9, "b", 1, "customer").With(ctx), &gormFenceCustomer{ID: 1, N: 1}))
		} else {
			other = func() {
				check.Must(t, customers.Save(fences.Turn(9, "b", 1, "customer").With(ctx), &gormFenceCustomer{ID: 1, N: 1}))
			}
		}
		check.Must(t, orders.InTx(attempt.With(ctx), func(tx context.Context) error {
			if _, err := orders.FindByID(tx, 1); !errors.Is(err, repo.ErrNotFound) {
				return fmt.Errorf("got %w", err)
			}
			if other != nil {
				other()
			}
			tx = both.With(tx)
			c, err := customers.FindByID(tx, 1)
			if err != nil {
				return err
			}
			c.N++
			if err := customers.Save(tx, c); err != nil {
				return err
			}
			return orders.Save(tx, &sqldb.GormCounter{ID: 1})
		}))
		if c, err := customers.FindByID(ctx, 1); err != nil || c.N != 2 {
			t.Fatalf("got %+v, %v", c, err)
		}
		fences.WantRefused(t, customers.Save(fences.Turn(9, "b", 2, "customer").With(ctx), &gormFenceCustomer{ID: 1}), 10, 9)
	})
}

func TestGormFence_Tables(t *testing.T) {
	t.Parallel()
	for _, b := range sqldb.Backends()[:3] {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			db := b.Open(t)
			ctx, r := t.Context(), sqldb.Repository[sqldb.GormCounter](t, db, nil)
			f := fences.Turn(1, "a", 1, "k")
			missing := func(err error) {
				t.Helper()
				if !errors.Is(err, repo.ErrUnsupported) || !contains(err, "gormrepo.MigrateFence") {
					t.Errorf("got %v", err)
				}
			}
			missing(r.Save(f.With(ctx), &sqldb.GormCounter{ID: 1}))
			missing(r.SaveAll(f.With(ctx), []*sqldb.GormCounter{{ID: 1}, {ID: 2}}))
			_, err := r.FindByID(f.With(ctx), 1)
			missing(err)
			missing(gormrepo.AdvanceEpoch(ctx, db))
			_, err = gormrepo.PruneOps(ctx, db, opAge)
			missing(err)
			_, err = gormrepo.Outcome(ctx, db, someOp)
			missing(err)

			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					if err := gormrepo.MigrateFence(ctx, db); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			check.Must(t, r.Save(f.With(ctx), &sqldb.GormCounter{ID: 1}))
			check.Must(t, gormrepo.AdvanceEpoch(ctx, db))
			check.Must(t, gormrepo.MigrateFence(ctx, db))
			var epoch int64
			check.Must(t, db.Raw("SELECT value FROM holdfast_meta WHERE name = 'epoch'").Scan(&epoch).Error)
			if epoch != 1 {
				t.Errorf("epoch %d", epoch)
			}
			check.Must(t, db.Exec("DELETE FROM holdfast_meta").Error)
			missing(r.Save(f.With(ctx), &sqldb.GormCounter{ID: 1}))
			missing(r.DeleteByID(f.With(ctx), 1))
			missing(gormrepo.AdvanceEpoch(ctx, db))
		})
	}
}

// What FenceDDL returns does the same as MigrateFence.
func TestGormFence_DDL(t *testing.T) {
	t.Parallel()
	for _, b := range sqldb.Backends()[:3] {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			db := b.Open(t)
			text, err := gormrepo.FenceDDL(db.Name())
			check.Must(t, err)
			for range 2 {
				for _, s := range statementsOf(text) {
					check.Must(t, db.Exec(s).Error)
				}
			}
			r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
			check.Must(t, r.Save(fences.Turn(1, "a", 1, "k").With(t.Context()), &sqldb.GormCounter{ID: 1}))
		})
	}
	if _, err := gormrepo.FenceDDL("oracle"); !errors.Is(err, repo.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}
