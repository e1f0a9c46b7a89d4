package fenced_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

func wantWrongKey(t testing.TB, err error, registered string, presented ...string) {
	t.Helper()
	var wrong *repo.WrongKeyError
	if !errors.As(err, &wrong) || !errors.Is(err, repo.ErrWrongKey) || wrong.Registered != registered || !slices.Equal(wrong.Presented, presented) || !contains(err, "gorm_counters") {
		t.Fatalf("want %q refused by %q, got %v", presented, registered, err)
	}
}

// Two pods lock one table under keys of their own: the second one is refused, by
// every way to write or read.
func TestGormFence_WrongKey(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		a, b := sqldb.Repository[sqldb.GormCounter](t, db, nil), sqldb.Repository[sqldb.GormCounter](t, db, nil)
		check.Must(t, a.Save(fences.Turn(1, "a", 1, "order").Guard("order").With(ctx), &sqldb.GormCounter{ID: 1, N: 1}))
		f := fences.Turn(2, "b", 1, "orders").Guard("orders")
		for name, call := range guardedCalls(b) {
			if err := call(f.With(ctx)); !errors.Is(err, repo.ErrWrongKey) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// A fence with one claim and no more to say is taken by its word.
		wantWrongKey(t, b.Save(driver.WithFence(ctx, wordlessFence{{Key: "plain", Token: 9, Owner: "x", Sub: 1}}), &sqldb.GormCounter{ID: 1}), "order", "plain")
		// So is one that joins a transaction of another repository.
		other := sqldb.Repository[gormFenceCustomer](t, db, nil)
		err := other.InTx(fences.Turn(3, "b", 1, "customer", "orders").Guard("customer").With(ctx), func(tx context.Context) error {
			check.Must(t, other.Save(tx, &gormFenceCustomer{ID: 1}))
			joined := fences.Turn(3, "b", 2, "customer", "orders").Guard("orders").With(tx)
			wantWrongKey(t, b.Save(joined, &sqldb.GormCounter{ID: 2}), "order", "orders")
			return nil
		})
		if err == nil {
			t.Error("a transaction with a refused write was committed")
		}
		if got := sqldb.Rows[sqldb.GormCounter](t, db); len(got) != 1 || got[0].N != 1 {
			t.Errorf("got %+v", got)
		}
		check.Must(t, b.Save(fences.Turn(4, "b", 3, "order").Guard("order").With(ctx), &sqldb.GormCounter{ID: 1, N: 2}))
	})
}

// wordlessFence is one that says nothing of guards.
type wordlessFence []repo.Claim

func (f wordlessFence) Claims() []repo.Claim { return f }

// guardedCalls are some calls of each kind.
func guardedCalls(r *gormrepo.Repository[sqldb.GormCounter]) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Save":    func(ctx context.Context) error { return r.Save(ctx, &sqldb.GormCounter{ID: 1, N: 2}) },
		"SaveAll": func(ctx context.Context) error { return r.SaveAll(ctx, []*sqldb.GormCounter{{ID: 1, N: 2}, {ID: 2}}) },
		"Delete":  func(ctx context.Context) error { return r.DeleteByID(ctx, 1) },
		"Find":    func(ctx context.Context) error { _, err := r.FindByID(ctx, 1); return err },
		"Update": func(ctx context.Context) error {
			_, err := r.Update(ctx, 1, func(c *sqldb.GormCounter) error { c.N++; return nil })
			return err
		},
		"InTx": func(ctx context.Context) error { return r.InTx(ctx, func(context.Context) error { return nil }) },
	}
}

// A key is renamed step by step; at each step the pods of the step before, of it
// and of the next one behave as documented, and the way back is the same.
func TestGormFence_MoveGuard(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		old, both, young := sqldb.Repository[sqldb.GormCounter](t, db, nil), sqldb.Repository[sqldb.GormCounter](t, db, nil), sqldb.Repository[sqldb.GormCounter](t, db, nil)
		var token int64
		save := func(r *gormrepo.Repository[sqldb.GormCounter], keys ...string) error {
			token++
			return r.Save(fences.Turn(token, "o", 1, slices.Sorted(slices.Values(keys))...).Guard(keys...).With(ctx), &sqldb.GormCounter{ID: 1, N: int(token)})
		}
		check.Must(t, save(old, "order"))
		check.Must(t, save(both, "order", "an order"))
		wantWrongKey(t, save(young, "an order"), "order", "an order")
		for range 2 { // the second call has nothing left to do
			check.Must(t, young.MoveGuard(ctx, "order", "an order"))
		}
		wantWrongKey(t, save(old, "order"), "an order", "order")
		check.Must(t, save(both, "order", "an order"))
		check.Must(t, save(young, "an order"))
		var wrong *repo.WrongKeyError
		if err := young.MoveGuard(ctx, "x", "y"); !errors.As(err, &wrong) || wrong.Registered != "an order" {
			t.Errorf("got %v", err)
		}
		check.Must(t, young.MoveGuard(ctx, "an order", "order"))
		check.Must(t, save(old, "order"))
		check.Must(t, save(both, "order", "an order"))
		wantWrongKey(t, save(young, "an order"), "order", "an order")
		for _, keys := range [][2]string{{"a", "a"}, {"", "a"}, {"a", "b "}} {
			if err := old.MoveGuard(ctx, keys[0], keys[1]); !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("%q: %v", keys, err)
			}
		}
	})
}

// A pod's statement waits for the row of its key while the guard moves away from
// it: it is refused when it goes on, whatever it saw before it waited.
func TestGormFence_MoveGuardWhileWaiting(t *testing.T) {
	t.Parallel()
	onServers(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		for name := range guardedCalls(sqldb.Repository[sqldb.GormCounter](t, db, nil)) {
			r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
			key := "old " + name
			check.Must(t, db.Exec("DELETE FROM holdfast_guard").Error)
			call := guardedCalls(r)[name]
			check.Must(t, r.Save(fences.Turn(1, "a", 1, key).Guard(key).With(ctx), &sqldb.GormCounter{ID: 1, N: 1}))
			blocker := db.WithContext(ctx).Begin()
			check.Must(t, blocker.Exec("UPDATE holdfast_fence SET sub = sub WHERE k = ?", key).Error)
			late, moved := make(chan error, 1), make(chan error, 1)
			go func() { late <- call(fences.Turn(2, "a", 2, key).Guard(key).With(ctx)) }()
			awaitLocks(ctx, t, db, 1)
			go func() { moved <- sqldb.Repository[sqldb.GormCounter](t, db, nil).MoveGuard(ctx, key, "new "+name) }()
			awaitLocks(ctx, t, db, 2)
			// Both go on in whatever order: the call is done before the move, or refused.
			check.Must(t, blocker.Rollback().Error)
			err := <-late
			check.Must(t, <-moved)
			if err != nil {
				wantWrongKey(t, err, "new "+name, key)
			}
			wantWrongKey(t, call(fences.Turn(3, "a", 3, key).Guard(key).With(ctx)), "new "+name, key)
		}
	})
}

// The guard moves in the very transaction that a statement waits for.
func TestGormFence_MoveGuardBeforeWaiter(t *testing.T) {
	t.Parallel()
	onServers(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		for name := range guardedCalls(nil) {
			r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
			key := "old " + name
			check.Must(t, db.Exec("DELETE FROM holdfast_guard").Error)
			check.Must(t, r.Save(fences.Turn(1, "a", 1, key).Guard(key).With(ctx), &sqldb.GormCounter{ID: 1, N: 1}))
			// What MoveGuard does, stopped before its commit.
			mover := db.WithContext(ctx).Begin()
			check.Must(t, mover.Exec("UPDATE holdfast_fence SET gen = gen + 1 WHERE k = ?", key).Error)
			check.Must(t, mover.Exec("UPDATE holdfast_guard SET k = ?", "new "+name).Error)
			late := make(chan error, 1)
			go func() { late <- guardedCalls(r)[name](fences.Turn(2, "a", 2, key).Guard(key).With(ctx)) }()
			awaitLocks(ctx, t, db, 1)
			check.Must(t, mover.Commit().Error)
			wantWrongKey(t, <-late, "new "+name, key)
			if got := sqldb.Rows[sqldb.GormCounter](t, db); len(got) != 1 || got[0].N != 1 {
				t.Fatalf("%s: got %+v", name, got)
			}
		}
	})
}

// A holder reads, the guard moves away and back, and another one writes in
// between: the holder's write is refused, though the guard is its key again.
func TestGormFence_MoveGuardAndBack(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		a, b := sqldb.Repository[sqldb.GormCounter](t, db, nil), sqldb.Repository[sqldb.GormCounter](t, db, nil)
		check.Must(t, a.Save(ctx, &sqldb.GormCounter{ID: 1, N: 1}))
		f := fences.Turn(1, "a", 1, "a").Guard("a")
		c, err := a.FindByID(f.With(ctx), 1)
		check.Must(t, err)
		check.Must(t, b.MoveGuard(ctx, "a", "b"))
		check.Must(t, b.Save(fences.Turn(2, "b", 1, "b").Guard("b").With(ctx), &sqldb.GormCounter{ID: 1, N: 10}))
		check.Must(t, b.MoveGuard(ctx, "b", "a"))
		c.N++
		if err := a.Save(f.With(ctx), c); !errors.Is(err, repo.ErrFenced) {
			t.Errorf("got %v", err)
		}
		// The next turn of the same hold goes on.
		_, err = a.Update(fences.Turn(1, "a", 2, "a").Guard("a").With(ctx), 1, func(c *sqldb.GormCounter) error { c.N++; return nil })
		check.Must(t, err)
		if got := sqldb.Rows[sqldb.GormCounter](t, db); got[0].N != 11 {
			t.Errorf("got %+v", got)
		}
	})
}

// awaitLocks waits until so many statements about the test's fence wait for a
// row.
func awaitLocks(ctx context.Context, t testing.TB, db *gorm.DB, want int) {
	t.Helper()
	query := "SELECT count(DISTINCT l.pid) FROM pg_locks l WHERE NOT l.granted AND l.pid IN (SELECT pid FROM pg_locks WHERE relation = 'holdfast_fence'::regclass)"
	if db.Name() == drivers.MySQL {
		query = "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE() AND (info LIKE 'UPDATE %holdfast_fence%' OR info LIKE 'INSERT INTO %holdfast_fence%')"
	}
	for n := 0; n < want; {
		check.Must(t, db.WithContext(ctx).Raw(query).Scan(&n).Error)
	}
}

// Pods of all steps write while the guard moves to and fro: no acknowledged
// update is lost, in any order of their steps.
func TestGormFence_MoveGuardUnderLoad(t *testing.T) {
	t.Parallel()
	const rounds = 30
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		check.Must(t, sqldb.Repository[sqldb.GormCounter](t, db, nil).Save(ctx, &sqldb.GormCounter{ID: 1}))
		var acknowledged, token atomic.Int64
		// The locks: the holder of a key keeps others away, as etcd does.
		locks := map[string]*sync.Mutex{"a": {}, "b": {}}
		var wg sync.WaitGroup
		for pod, keys := range [][]string{{"a"}, {"a", "b"}, {"b", "a"}, {"b"}} {
			r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
			sorted := slices.Sorted(slices.Values(keys))
			add := func() error {
				for _, k := range sorted {
					locks[k].Lock()
					defer locks[k].Unlock()
				}
				f := fences.Turn(token.Add(1), fmt.Sprint(pod), 1, sorted...).Guard(keys...).With(ctx)
				c, err := r.FindByID(f, 1)
				if err != nil {
					return err
				}
				c.N++
				return r.Save(f, c)
			}
			wg.Go(func() {
				for range rounds {
					switch err := add(); {
					case err == nil:
						acknowledged.Add(1)
					case !errors.Is(err, repo.ErrWrongKey) && !errors.Is(err, repo.ErrFenced):
						t.Error(err)
					}
				}
			})
		}
		mover := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		wg.Go(func() {
			for n := range 8 {
				from, to := "a", "b"
				if n%2 == 1 {
					from, to = to, from
				}
				if err := mover.MoveGuard(ctx, from, to); err != nil && !errors.Is(err, repo.ErrWrongKey) {
					t.Error(err)
				}
			}
		})
		wg.Wait()
		if got := sqldb.Rows[sqldb.GormCounter](t, db); int64(got[0].N) != acknowledged.Load() || acknowledged.Load() == 0 {
			t.Errorf("%d acknowledged, %d stored", acknowledged.Load(), got[0].N)
		}
	})
}
