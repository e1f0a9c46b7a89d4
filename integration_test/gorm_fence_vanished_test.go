package integration_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// limited is a repository with the shortest limit that every database knows.
func limited(t testing.TB, db *gorm.DB) *gormrepo.Repository[gormCounter] {
	t.Helper()
	return gormRepo[gormCounter](t, db, &gormrepo.Options{HoldLimit: time.Second})
}

func onServers(t *testing.T, test func(ctx context.Context, t *testing.T, db *gorm.DB)) {
	t.Helper()
	for _, b := range sqlBackends()[1:3] {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			test(bounded(t, time.Minute), t, fenced(t, b))
		})
	}
}

// A transaction without limits keeps the row of the fence: waiting for it ends
// with an error that names the key, and nothing was written.
func TestGormFence_Busy(t *testing.T) {
	t.Parallel()
	onServers(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := limited(t, db)
		must(t, r.Save(turn(1, "a", 1, "k").with(ctx), &gormCounter{ID: 1, N: 1}))
		tx := db.WithContext(ctx).Begin()
		must(t, tx.Exec("UPDATE holdfast_fence SET sub = sub WHERE k = 'k'").Error)
		f := turn(2, "b", 1, "k")
		busy := func(err error) {
			t.Helper()
			if !errors.Is(err, repo.ErrBusy) || !contains(err, `"k"`) || errors.Is(err, repo.ErrFenced) {
				t.Errorf("got %v", err)
			}
		}
		busy(r.Save(f.with(ctx), &gormCounter{ID: 1, N: 2}))
		busy(r.SaveAll(f.with(ctx), []*gormCounter{{ID: 1, N: 2}, {ID: 2}}))
		_, err := r.Update(f.with(ctx), 1, func(c *gormCounter) error { c.N = 2; return nil })
		busy(err)
		busy(r.InTx(f.with(ctx), func(context.Context) error { return nil }))
		must(t, tx.Rollback().Error)
		if got := rows[gormCounter](t, db); len(got) != 1 || got[0].N != 1 {
			t.Fatalf("got %+v", got)
		}
		must(t, r.Save(f.with(ctx), &gormCounter{ID: 1, N: 3}))
	})
}

// The row of an entity may be what another transaction keeps.
func TestGormFence_BusyRow(t *testing.T) {
	t.Parallel()
	onServers(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := limited(t, db)
		must(t, r.Save(ctx, &gormCounter{ID: 1, N: 1}))
		tx := db.WithContext(ctx).Begin()
		must(t, tx.Exec("UPDATE gorm_counters SET n = 5 WHERE id = 1").Error)
		err := r.SaveAll(turn(1, "a", 1, "k").with(ctx), []*gormCounter{{ID: 2}, {ID: 1, N: 2}})
		if !errors.Is(err, repo.ErrBusy) {
			t.Errorf("got %v", err)
		}
		must(t, tx.Commit().Error)
		if got := rows[gormCounter](t, db); len(got) != 1 || got[0].N != 5 {
			t.Fatalf("got %+v", got)
		}
	})
}

// A host vanishes in the middle of a transaction. The database ends that, and
// the next holder goes on; what comes of the first one after all is nothing.
func TestGormFence_VanishedHost(t *testing.T) {
	t.Parallel()
	onServers(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := limited(t, db)
		must(t, r.Save(ctx, &gormCounter{ID: 1}))
		patient := gormRepo[gormCounter](t, db, nil)
		err := r.InTx(turn(1, "a", 1, "k").with(ctx), func(tx context.Context) error {
			must(t, r.Save(tx, &gormCounter{ID: 1, N: 1}))
			// The host sleeps, and another one comes.
			_, err := patient.Update(turn(2, "b", 1, "k").with(ctx), 1, func(c *gormCounter) error { c.N += 10; return nil })
			must(t, err)
			return nil
		})
		if err == nil {
			t.Error("it was committed")
		}
		if got := rows[gormCounter](t, db); got[0].N != 10 {
			t.Fatalf("got %+v", got)
		}
	})
}

// The settings of a connection are as they were after a transaction, however
// that ended.
func TestGormFence_SettingsStay(t *testing.T) {
	t.Parallel()
	onServers(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		pool, err := db.DB()
		must(t, err)
		pool.SetMaxOpenConns(1)
		query := "SELECT concat(current_setting('lock_timeout'), ' ', current_setting('idle_in_transaction_session_timeout'))"
		if db.Name() == drivers.MySQL {
			query = "SELECT CONCAT_WS(' ', @@autocommit, @@wait_timeout, @@innodb_lock_wait_timeout, @@tx_isolation)"
			must(t, db.Exec("SET SESSION wait_timeout = 4711, SESSION innodb_lock_wait_timeout = 17").Error)
		}
		settings := func() (s string) {
			must(t, db.Raw(query).Scan(&s).Error)
			return s
		}
		r := limited(t, db)
		before := settings()
		f := turn(5, "a", 1, "k")
		must(t, r.SaveAll(f.with(ctx), []*gormCounter{{ID: 1}, {ID: 2}}))
		must(t, r.Save(f.with(ctx), &gormCounter{ID: 1}))
		var inside string
		oops := errors.New("oops")
		if err := r.InTx(f.with(ctx), func(tx context.Context) error {
			_, err := r.Find(tx, repo.Native(func(tx *gorm.DB) *gorm.DB {
				must(t, tx.Session(&gorm.Session{NewDB: true}).Raw(query).Scan(&inside).Error)
				return tx
			}))
			must(t, err)
			return oops
		}); !errors.Is(err, oops) {
			t.Errorf("got %v", err)
		}
		wantRefused(t, r.SaveAll(turn(4, "a", 1, "k").with(ctx), []*gormCounter{{ID: 1}, {ID: 2}}), 5, 4)
		if after := settings(); after != before || inside == before {
			t.Errorf("%q before, %q inside, %q after", before, inside, after)
		}
		if db.Name() == drivers.MySQL && db.Exec("SELECT 1 FROM gorm_counters").Error == nil {
			var open int
			must(t, db.Raw("SELECT @@autocommit").Scan(&open).Error)
			if open != 1 {
				t.Error("autocommit is off")
			}
		}
	})
}
