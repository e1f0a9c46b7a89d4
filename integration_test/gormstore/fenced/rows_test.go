package fenced_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// fenceRows fails unless each key has one live row and nothing else but the one
// that is never written.
func fenceRows(t testing.TB, db *gorm.DB) {
	t.Helper()
	var bad int64
	check.Must(t, db.Raw("SELECT count(*) FROM (SELECT k FROM holdfast_fence GROUP BY k"+
		" HAVING count(*) <> 2 OR sum(CASE WHEN live = 1 AND n > 0 THEN 1 ELSE 0 END) <> 1 OR min(live) <> -1) x").Scan(&bad).Error)
	if bad > 0 {
		t.Errorf("%d keys have other rows than they should", bad)
	}
}

// Another process has given the row of the key another number, or none has made
// it: every call finds it, and leaves no second one.
func TestGormFence_RowMoved(t *testing.T) {
	t.Parallel()
	ctx, db := check.Bounded(t, time.Minute), fences.Open(t, sqldb.Backends()[1])
	r, other := sqldb.Repository[sqldb.GormCounter](t, db, nil), sqldb.Repository[gormFenceCustomer](t, db, nil)
	check.Must(t, r.Save(ctx, &sqldb.GormCounter{ID: 1}))
	move := func() {
		t.Helper()
		check.Must(t, db.Exec("UPDATE holdfast_fence SET n = n + 1 WHERE live = 1").Error)
	}
	var token int64
	next := func() *fences.Hand { token++; return fences.Turn(token, "a", 1, "j", "k") }
	for name, call := range guardedCalls(r) {
		if err := call(next().With(ctx)); err != nil {
			t.Errorf("%s, first: %v", name, err)
		}
		move()
		if err := call(next().With(ctx)); err != nil && !errors.Is(err, repo.ErrNotFound) {
			t.Errorf("%s, moved: %v", name, err)
		}
		check.Must(t, r.Save(ctx, &sqldb.GormCounter{ID: 1}))
		fenceRows(t, db)
		move()
		stale := fences.Turn(token-1, "a", 1, "j", "k")
		if err := call(stale.With(ctx)); !errors.Is(err, repo.ErrFenced) {
			t.Errorf("%s, stale: %v", name, err)
		}
		fenceRows(t, db)
	}
	// In the middle of a transaction nothing can begin again.
	for _, keys := range [][]string{{"j", "k"}, {"new", "newer"}} {
		move()
		token++
		check.Must(t, r.InTx(ctx, func(tx context.Context) error {
			check.Must(t, other.Save(tx, &gormFenceCustomer{ID: 1}))
			return other.Save(fences.Turn(token, "a", 1, keys...).With(tx), &gormFenceCustomer{ID: 1, N: 1})
		}))
		fenceRows(t, db)
	}
}

// Many claims, so that the rows get other numbers by themselves, from several
// repositories at once.
func TestGormFence_RowsMove(t *testing.T) {
	t.Parallel()
	ctx, db := check.Bounded(t, time.Minute), fences.Open(t, sqldb.Backends()[1])
	check.Must(t, db.AutoMigrate(&sqldb.GormCounter{}))
	var wg sync.WaitGroup
	for n := range 3 {
		r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		wg.Go(func() {
			f := fences.Turn(1, "a", 1, "own-"+fmt.Sprint(n), "shared")
			f.Last[1].Token, f.Last[1].Owner = int64(n+1), fmt.Sprint(n)
			for range 700 {
				if err := r.Save(f.With(ctx), &sqldb.GormCounter{ID: int64(n)}); err != nil && !errors.Is(err, repo.ErrFenced) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	fenceRows(t, db)
	// When a row gets another number is drawn: go on until one has.
	r, f := sqldb.Repository[sqldb.GormCounter](t, db, nil), fences.Turn(9, "last", 1, "shared")
	for n := 0; n < 2; {
		check.Must(t, r.Save(f.With(ctx), &sqldb.GormCounter{ID: 1}))
		check.Must(t, db.Raw("SELECT max(n) FROM holdfast_fence").Scan(&n).Error)
	}
	fenceRows(t, db)
}

// Tables of an earlier version are changed, and keep their claims.
func TestGormFence_EarlierTables(t *testing.T) {
	t.Parallel()
	for _, b := range sqldb.Backends()[:3] {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			ctx, db := check.Bounded(t, time.Minute), b.Open(t)
			for _, q := range []string{
				"CREATE TABLE holdfast_fence (k varchar(191) NOT NULL PRIMARY KEY, token bigint NOT NULL, owner varchar(32) NOT NULL, sub bigint NOT NULL)",
				"CREATE TABLE holdfast_ops (op varchar(32) NOT NULL PRIMARY KEY, written boolean NOT NULL)",
				"CREATE TABLE holdfast_meta (name varchar(32) NOT NULL PRIMARY KEY, value bigint NOT NULL)",
				"INSERT INTO holdfast_meta (name, value) VALUES ('epoch', 1), ('pruned', 0)",
				"INSERT INTO holdfast_fence (k, token, owner, sub) VALUES ('k', 281474976710661, 'a', 4294967297)",
			} {
				check.Must(t, db.Exec(q).Error)
			}
			r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
			if err := r.Save(fences.Turn(6, "a", 1, "k").With(ctx), &sqldb.GormCounter{ID: 1}); !errors.Is(err, repo.ErrUnsupported) || !contains(err, "gormrepo.MigrateFence") {
				t.Errorf("got %v", err)
			}
			for range 2 {
				check.Must(t, gormrepo.MigrateFence(ctx, db))
			}
			fences.WantRefused(t, r.Save(fences.Turn(4, "a", 1, "k").With(ctx), &sqldb.GormCounter{ID: 1}), 5, 4)
			check.Must(t, r.Save(fences.Turn(6, "a", 1, "k").With(ctx), &sqldb.GormCounter{ID: 1}))
		})
	}
}
