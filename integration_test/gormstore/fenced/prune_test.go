package fenced_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// oldNotes adds notes of writes of long ago.
func oldNotes(t testing.TB, db *gorm.DB, n int) {
	t.Helper()
	type note struct {
		Op      string
		Written bool
	}
	list := make([]note, n)
	for i := range list {
		list[i] = note{fmt.Sprintf("0123456789ab%020x", i), true}
	}
	check.Must(t, db.Table("holdfast_ops").CreateInBatches(list, 200).Error)
}

// Writers delete old notes by the way, and Outcome knows that it does not know
// what became of them.
func TestGormFence_PrunesItself(t *testing.T) {
	t.Parallel()
	const old, writes = 700, 600
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		kept := sqldb.Repository[sqldb.GormCounter](t, db, &gormrepo.Options{KeepOps: gormrepo.KeepAllOps})
		f := fences.Turn(1, "a", 1, "k")
		oldNotes(t, db, old)
		stat := func() gormrepo.FenceStat {
			t.Helper()
			stats, err := gormrepo.FenceStats(ctx, db)
			check.Must(t, err)
			return stats[0]
		}
		if s := stat(); s.Ops != old || s.Oldest.IsZero() || !s.Pruned.IsZero() {
			t.Errorf("got %+v", s)
		}
		warnings, err := gormrepo.CheckFence(ctx, db)
		if err != nil || len(warnings) == 0 {
			t.Errorf("%v, %v", warnings, err)
		}
		for n := range writes {
			check.Must(t, kept.Save(f.With(ctx), &sqldb.GormCounter{ID: 1, N: n}))
		}
		if s := stat(); s.Ops != old+writes {
			t.Errorf("notes were deleted that must be kept: %+v", s)
		}
		for n := range writes {
			check.Must(t, r.Save(f.With(ctx), &sqldb.GormCounter{ID: 1, N: n}))
		}
		if s := stat(); s.Ops != 2*writes || time.Since(s.Oldest) > time.Hour || s.Pruned.IsZero() {
			t.Errorf("old notes are left: %+v", s)
		}
		var unknown *repo.UnknownError
		if _, err := gormrepo.Outcome(ctx, db, someOp); !errors.As(err, &unknown) {
			t.Errorf("got %v", err)
		}
		for _, opts := range []gormrepo.Options{{KeepOps: time.Second}, {KeepOps: -2}} {
			if _, err := gormrepo.New[sqldb.GormCounter](db, &opts); !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("%v: %v", opts.KeepOps, err)
			}
		}
	})
}

// roleOn is a connection of a role with the rights given on the test's tables,
// or of one that may read only.
func roleOn(t testing.TB, db *gorm.DB, grants ...string) *gorm.DB {
	t.Helper()
	name := servers.UniqueName("hf")
	switch db.Name() {
	case drivers.Postgres:
		var schema string
		check.Must(t, db.Raw("SELECT current_schema()").Scan(&schema).Error)
		check.Must(t, db.Exec("CREATE ROLE "+name).Error)
		t.Cleanup(func() { _ = db.Exec("DROP OWNED BY " + name).Error; _ = db.Exec("DROP ROLE " + name).Error })
		check.Must(t, db.Exec("GRANT USAGE ON SCHEMA "+schema+" TO "+name).Error)
		for _, g := range grants {
			check.Must(t, db.Exec("GRANT "+g+" TO "+name).Error)
		}
		u, err := url.Parse(servers.RequireEnv(t, "POSTGRES_DSN"))
		check.Must(t, err)
		q := u.Query()
		q.Set("search_path", schema)
		q.Set("role", name)
		u.RawQuery = q.Encode()
		return sqldb.Open(t, drivers.SQLConfig{Dialect: drivers.Postgres, DSN: u.String()})
	default:
		var database string
		check.Must(t, db.Raw("SELECT DATABASE()").Scan(&database).Error)
		check.Must(t, db.Exec("CREATE USER '"+name+"'@'%' IDENTIFIED BY 'x'").Error)
		t.Cleanup(func() { _ = db.Exec("DROP USER '" + name + "'@'%'").Error })
		for _, g := range grants {
			check.Must(t, db.Exec("GRANT "+g+" TO '"+name+"'@'%'").Error)
		}
		c, err := mysql.ParseDSN(servers.RequireEnv(t, "MYSQL_DSN"))
		check.Must(t, err)
		c.DBName, c.User, c.Passwd = database, name, "x"
		return sqldb.Open(t, drivers.SQLConfig{Dialect: drivers.MySQL, DSN: c.FormatDSN()})
	}
}

// fenceGrants are what a writer needs, but deleting.
var fenceGrants = []string{
	"SELECT, INSERT, UPDATE ON holdfast_fence", "SELECT, INSERT, UPDATE ON holdfast_guard",
	"SELECT, INSERT, UPDATE ON holdfast_ops", "SELECT, INSERT, UPDATE ON holdfast_meta",
}

// A role that may not delete: its writes go on.
func TestGormFence_MayNotPrune(t *testing.T) {
	t.Parallel()
	onServers(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		check.Must(t, db.AutoMigrate(&sqldb.GormCounter{}))
		oldNotes(t, db, 10)
		r, err := gormrepo.New[sqldb.GormCounter](roleOn(t, db, append([]string{"SELECT, INSERT, UPDATE, DELETE ON gorm_counters"}, fenceGrants...)...), nil)
		check.Must(t, err)
		f := fences.Turn(1, "a", 1, "k")
		for n := range 600 {
			check.Must(t, r.Save(f.With(ctx), &sqldb.GormCounter{ID: 1, N: n}))
		}
	})
}

// A role without a right gets a sentinel that names the table and the right.
func TestGormFence_Denied(t *testing.T) {
	t.Parallel()
	onServers(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		check.Must(t, db.AutoMigrate(&sqldb.GormCounter{}))
		check.Must(t, db.Exec("INSERT INTO gorm_counters (id, n) VALUES (1, 1)").Error)
		denied := func(err error, texts ...string) {
			t.Helper()
			if !errors.Is(err, repo.ErrDenied) {
				t.Errorf("got %v", err)
			}
			for _, text := range texts {
				if !contains(err, text) {
					t.Errorf("%q is not in: %v", text, err)
				}
			}
		}
		r, err := gormrepo.New[sqldb.GormCounter](roleOn(t, db, append([]string{"SELECT ON gorm_counters"}, fenceGrants...)...), nil)
		check.Must(t, err)
		f := fences.Turn(1, "a", 1, "k")
		denied(r.Save(f.With(ctx), &sqldb.GormCounter{ID: 1, N: 2}), "gorm_counters", "UPDATE")
		denied(r.Save(ctx, &sqldb.GormCounter{ID: 1, N: 2}), "gorm_counters", "UPDATE")
		denied(r.SaveAll(ctx, []*sqldb.GormCounter{{ID: 1}, {ID: 2}}), "gorm_counters", "UPDATE")
		denied(r.DeleteByID(ctx, 1), "gorm_counters", "DELETE")
		_, err = r.FindByID(ctx, 1)
		check.Must(t, err)
		r, err = gormrepo.New[sqldb.GormCounter](roleOn(t, db, "SELECT, INSERT, UPDATE, DELETE ON gorm_counters", "SELECT ON holdfast_fence",
			"SELECT ON holdfast_guard", "SELECT ON holdfast_meta", "SELECT ON holdfast_ops"), nil)
		check.Must(t, err)
		denied(r.Save(f.With(ctx), &sqldb.GormCounter{ID: 1, N: 2}), "holdfast_", "UPDATE")
		_, err = r.FindByID(f.With(ctx), 1)
		denied(err, "holdfast_", "UPDATE")
		if got := sqldb.Rows[sqldb.GormCounter](t, db); len(got) != 1 || got[0].N != 1 {
			t.Errorf("got %+v", got)
		}
	})
}

// A database that takes no writes says so, with a fence and without.
func TestGormFence_ReadOnly(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		check.Must(t, sqldb.Repository[sqldb.GormCounter](t, db, nil).Save(ctx, &sqldb.GormCounter{ID: 1, N: 1}))
		pool, err := db.DB()
		check.Must(t, err)
		pool.SetMaxOpenConns(1)
		check.Must(t, db.Exec(map[string]string{
			drivers.Postgres: "SET default_transaction_read_only = on",
			drivers.MySQL:    "SET SESSION TRANSACTION READ ONLY",
			drivers.SQLite:   "PRAGMA query_only = on",
		}[db.Name()]).Error)
		r, err := gormrepo.New[sqldb.GormCounter](db, nil)
		check.Must(t, err)
		f := fences.Turn(1, "a", 1, "k")
		for name, call := range guardedCalls(r) {
			if name == "Find" || name == "InTx" { // they write only under a fence
				continue
			}
			if err := call(ctx); !errors.Is(err, repo.ErrDenied) || !contains(err, "read-only") {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, call := range guardedCalls(r) {
			if err := call(f.With(ctx)); !errors.Is(err, repo.ErrDenied) || !contains(err, "read-only") {
				t.Errorf("%s under a fence: %v", name, err)
			}
		}
	})
}
