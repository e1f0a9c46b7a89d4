package fenced_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// limited is a repository with the shortest limit that every database knows.
func limited(t testing.TB, db *gorm.DB) *gormrepo.Repository[sqldb.GormCounter] {
	t.Helper()
	return sqldb.Repository[sqldb.GormCounter](t, db, &gormrepo.Options{HoldLimit: time.Second})
}

func onServers(t *testing.T, test func(ctx context.Context, t *testing.T, db *gorm.DB)) {
	t.Helper()
	for _, b := range sqldb.Backends()[1:3] {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			test(check.Bounded(t, time.Minute), t, fences.Open(t, b))
		})
	}
}

// A transaction without limits keeps the row of the fence: waiting for it ends
// with an error that names the key, and nothing was written.
func TestGormFence_Busy(t *testing.T) {
	t.Parallel()
	onServers(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := limited(t, db)
		check.Must(t, r.Save(fences.Turn(1, "a", 1, "k").With(ctx), &sqldb.GormCounter{ID: 1, N: 1}))
		tx := db.WithContext(ctx).Begin()
		check.Must(t, tx.Exec("UPDATE holdfast_fence SET sub = sub WHERE k = 'k'").Error)
		f := fences.Turn(2, "b", 1, "k")
		busy := func(err error) {
			t.Helper()
			if !errors.Is(err, repo.ErrBusy) || !contains(err, `"k"`) || errors.Is(err, repo.ErrFenced) {
				t.Errorf("got %v", err)
			}
		}
		busy(r.Save(f.With(ctx), &sqldb.GormCounter{ID: 1, N: 2}))
		busy(r.SaveAll(f.With(ctx), []*sqldb.GormCounter{{ID: 1, N: 2}, {ID: 2}}))
		_, err := r.Update(f.With(ctx), 1, func(c *sqldb.GormCounter) error { c.N = 2; return nil })
		busy(err)
		busy(r.InTx(f.With(ctx), func(context.Context) error { return nil }))
		check.Must(t, tx.Rollback().Error)
		if got := sqldb.Rows[sqldb.GormCounter](t, db); len(got) != 1 || got[0].N != 1 {
			t.Fatalf("got %+v", got)
		}
		check.Must(t, r.Save(f.With(ctx), &sqldb.GormCounter{ID: 1, N: 3}))
	})
}

// The row of an entity may be what another transaction keeps.
func TestGormFence_BusyRow(t *testing.T) {
	t.Parallel()
	onServers(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := limited(t, db)
		check.Must(t, r.Save(ctx, &sqldb.GormCounter{ID: 1, N: 1}))
		tx := db.WithContext(ctx).Begin()
		check.Must(t, tx.Exec("UPDATE gorm_counters SET n = 5 WHERE id = 1").Error)
		err := r.SaveAll(fences.Turn(1, "a", 1, "k").With(ctx), []*sqldb.GormCounter{{ID: 2}, {ID: 1, N: 2}})
		if !errors.Is(err, repo.ErrBusy) {
			t.Errorf("got %v", err)
		}
		check.Must(t, tx.Commit().Error)
		if got := sqldb.Rows[sqldb.GormCounter](t, db); len(got) != 1 || got[0].N != 5 {
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
		check.Must(t, r.Save(ctx, &sqldb.GormCounter{ID: 1}))
		patient := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		err := r.InTx(fences.Turn(1, "a", 1, "k").With(ctx), func(tx context.Context) error {
			check.Must(t, r.Save(tx, &sqldb.GormCounter{ID: 1, N: 1}))
			// The host sleeps, and another one comes.
			_, err := patient.Update(fences.Turn(2, "b", 1, "k").With(ctx), 1, func(c *sqldb.GormCounter) error { c.N += 10; return nil })
			check.Must(t, err)
			return nil
		})
		if err == nil {
			t.Error("it was committed")
		}
		if got := sqldb.Rows[sqldb.GormCounter](t, db); got[0].N != 10 {
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
		check.Must(t, err)
		pool.SetMaxOpenConns(1)
		query := "SELECT concat(current_setting('lock_timeout'), ' ', current_setting('idle_in_transaction_session_timeout'))"
		if db.Name() == drivers.MySQL {
			query = "SELECT CONCAT_WS(' ', @@autocommit, @@wait_timeout, @@innodb_lock_wait_timeout, @@tx_isolation)"
			check.Must(t, db.Exec("SET SESSION wait_timeout = 4711, SESSION innodb_lock_wait_timeout = 17").Error)
		}
		settings := func() (s string) {
			check.Must(t, db.Raw(query).Scan(&s).Error)
			return s
		}
		r := limited(t, db)
		before := settings()
		f := fences.Turn(5, "a", 1, "k")
		check.Must(t, r.SaveAll(f.With(ctx), []*sqldb.GormCounter{{ID: 1}, {ID: 2}}))
		check.Must(t, r.Save(f.With(ctx), &sqldb.GormCounter{ID: 1}))
		var inside string
		oops := errors.New("oops")
		if err := r.InTx(f.With(ctx), func(tx context.Context) error {
			_, err := r.Find(tx, repo.Native(func(tx *gorm.DB) *gorm.DB {
				check.Must(t, tx.Session(&gorm.Session{NewDB: true}).Raw(query).Scan(&inside).Error)
				return tx
			}))
			check.Must(t, err)
			return oops
		}); !errors.Is(err, oops) {
			t.Errorf("got %v", err)
		}
		fences.WantRefused(t, r.SaveAll(fences.Turn(4, "a", 1, "k").With(ctx), []*sqldb.GormCounter{{ID: 1}, {ID: 2}}), 5, 4)
		if after := settings(); after != before || inside == before {
			t.Errorf("%q before, %q inside, %q after", before, inside, after)
		}
		if db.Name() == drivers.MySQL && db.Exec("SELECT 1 FROM gorm_counters").Error == nil {
			var open int
			check.Must(t, db.Raw("SELECT @@autocommit").Scan(&open).Error)
			if open != 1 {
				t.Error("autocommit is off")
			}
		}
	})
}
