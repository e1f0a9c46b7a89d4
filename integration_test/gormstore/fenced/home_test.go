package fenced_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// homeSite is one database with three schemas: the entities are in the first,
// and connections begin in one of the others.
type homeSite struct {
	table, a, b string
	open        func(t testing.TB, schema string) *gorm.DB
}

// onHomes runs a test where a connection has a schema of its own.
func onHomes(t *testing.T, test func(ctx context.Context, t *testing.T, s *homeSite)) {
	t.Helper()
	for name, site := range map[string]func(testing.TB) *homeSite{"PostgreSQL": postgresHomes, "MySQL": mysqlHomes} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(check.Bounded(t, time.Minute), t, site(t))
		})
	}
}

func postgresHomes(t testing.TB) *homeSite {
	t.Helper()
	dsn := servers.RequireEnv(t, "POSTGRES_DSN")
	s := &homeSite{table: servers.UniqueName("holdfast_test_"), a: servers.UniqueName("holdfast_test_"), b: servers.UniqueName("holdfast_test_")}
	for _, schema := range []string{s.table, s.a, s.b} {
		sqldb.RunOnce(t, drivers.Postgres, dsn, "CREATE SCHEMA "+schema)
		t.Cleanup(func() { sqldb.RunOnce(t, drivers.Postgres, dsn, "DROP SCHEMA "+schema+" CASCADE") })
	}
	s.open = func(t testing.TB, schema string) *gorm.DB {
		t.Helper()
		u, err := url.Parse(dsn)
		check.Must(t, err)
		q := u.Query()
		q.Set("search_path", schema)
		u.RawQuery = q.Encode()
		return sqldb.Open(t, drivers.SQLConfig{Dialect: drivers.Postgres, DSN: u.String()})
	}
	return s
}

func mysqlHomes(t testing.TB) *homeSite {
	t.Helper()
	dsns := map[string]string{}
	name := func() string {
		dsn := sqldb.MySQLDatabase(t)
		c, err := mysql.ParseDSN(dsn)
		check.Must(t, err)
		dsns[c.DBName] = dsn
		return c.DBName
	}
	s := &homeSite{table: name(), a: name(), b: name()}
	s.open = func(t testing.TB, schema string) *gorm.DB {
		t.Helper()
		return sqldb.Open(t, drivers.SQLConfig{Dialect: drivers.MySQL, DSN: dsns[schema]})
	}
	return s
}

type homeless struct {
	ID int64 `gorm:"primaryKey;autoIncrement:false"`
	N  int
}

// namedTable gives every type the same table.
type namedTable struct {
	schema.NamingStrategy
	table string
}

func (n namedTable) TableName(string) string { return n.table }

// homeRepo makes a repository on a table that is named at run time.
func homeRepo(t testing.TB, db *gorm.DB, table string, opts *gormrepo.Options) (*gormrepo.Repository[homeless], error) {
	t.Helper()
	db, err := gorm.Open(db.Dialector, &gorm.Config{ConnPool: db.ConnPool, Logger: logger.Discard, NamingStrategy: namedTable{table: table}})
	check.Must(t, err)
	return gormrepo.New[homeless](db, opts)
}

// exists tells whether a schema has a fence.
func (s *homeSite) exists(t testing.TB, schema string) bool {
	t.Helper()
	var n int64
	check.Must(t, s.open(t, s.table).Raw("SELECT count(*) FROM information_schema.tables WHERE table_schema = ? AND table_name = 'holdfast_fence'", schema).Scan(&n).Error)
	return n > 0
}

// Two pods begin in schemas of their own, and share a table: they share a fence,
// which is made where the table is.
func TestGormFence_SharedTable(t *testing.T) {
	t.Parallel()
	onHomes(t, func(ctx context.Context, t *testing.T, s *homeSite) {
		check.Must(t, s.open(t, s.table).Exec("CREATE TABLE orders (id bigint PRIMARY KEY, n int)").Error)
		var pods []*gormrepo.Repository[homeless]
		for _, schema := range []string{s.a, s.b} {
			db := s.open(t, schema)
			check.Must(t, gormrepo.MigrateFence(ctx, db))
			r, err := homeRepo(t, db, s.table+".orders", nil)
			check.Must(t, err)
			pods = append(pods, r)
		}
		check.Must(t, pods[0].Save(fences.Turn(5, "a", 1, "k").With(ctx), &homeless{ID: 1, N: 1}))
		check.Must(t, pods[1].Save(fences.Turn(6, "b", 1, "k").With(ctx), &homeless{ID: 1, N: 2}))
		fences.WantRefused(t, pods[0].Save(fences.Turn(5, "a", 2, "k").With(ctx), &homeless{ID: 1, N: 3}), 6, 5)
		if !s.exists(t, s.table) {
			t.Error("the table's schema has no fence")
		}
		// The note of a write is where the write was.
		var ops int64
		check.Must(t, s.open(t, s.table).Table("holdfast_ops").Count(&ops).Error)
		if ops != 2 {
			t.Errorf("%d notes", ops)
		}
		stats, err := gormrepo.FenceStats(ctx, s.open(t, s.a), s.table, s.b)
		if err != nil || len(stats) != 2 || stats[0].Ops != 2 || stats[0].Keys != 1 || stats[1].Ops != 0 {
			t.Errorf("%+v, %v", stats, err)
		}
		// An epoch is advanced where it is said.
		check.Must(t, gormrepo.AdvanceEpoch(ctx, s.open(t, s.a), s.table))
		check.Must(t, pods[0].Save(fences.Turn(1, "a", 3, "k").With(ctx), &homeless{ID: 1, N: 4}))
	})
}

// Without a fence anywhere nothing is made, and the error says where to make it.
func TestGormFence_NoConsent(t *testing.T) {
	t.Parallel()
	onHomes(t, func(ctx context.Context, t *testing.T, s *homeSite) {
		check.Must(t, s.open(t, s.table).Exec("CREATE TABLE orders (id bigint PRIMARY KEY, n int)").Error)
		db := s.open(t, s.a)
		r, err := homeRepo(t, db, s.table+".orders", nil)
		check.Must(t, err)
		err = r.Save(fences.Turn(5, "a", 1, "k").With(ctx), &homeless{ID: 1})
		if !errors.Is(err, repo.ErrUnsupported) || !contains(err, "gormrepo.MigrateFence") || !contains(err, s.table) {
			t.Errorf("got %v", err)
		}
		if s.exists(t, s.table) || s.exists(t, s.a) {
			t.Error("a fence was made that nobody asked for")
		}
		check.Must(t, gormrepo.MigrateFence(ctx, db, s.table))
		check.Must(t, r.Save(fences.Turn(5, "a", 1, "k").With(ctx), &homeless{ID: 1}))
		if s.exists(t, s.a) {
			t.Error("a fence was made that nobody asked for")
		}
		// The option wins.
		check.Must(t, gormrepo.MigrateFence(ctx, db, s.b))
		r, err = homeRepo(t, db, s.table+".orders", &gormrepo.Options{FenceSchema: s.b})
		check.Must(t, err)
		check.Must(t, r.Save(fences.Turn(1, "a", 1, "k").With(ctx), &homeless{ID: 1}))
	})
}

// A connection of the pool finds another table under the same name: what it
// would write there is not protected by the fence of the first.
func TestGormFence_OtherTable(t *testing.T) {
	t.Parallel()
	onHomes(t, func(ctx context.Context, t *testing.T, s *homeSite) {
		for _, schema := range []string{s.a, s.b} {
			db := s.open(t, schema)
			check.Must(t, db.Exec("CREATE TABLE orders (id bigint PRIMARY KEY, n int)").Error)
			check.Must(t, gormrepo.MigrateFence(ctx, db))
		}
		db := s.open(t, s.a)
		pool, err := db.DB()
		check.Must(t, err)
		pool.SetMaxOpenConns(1)
		use := func(schema string) {
			t.Helper()
			set := "SET search_path = " + schema
			if db.Name() == drivers.MySQL {
				set = "USE " + schema
			}
			check.Must(t, db.Exec(set).Error)
		}
		r, err := homeRepo(t, db, "orders", nil)
		check.Must(t, err)
		f := fences.Turn(5, "a", 1, "k")
		check.Must(t, r.Save(f.With(ctx), &homeless{ID: 1, N: 1}))
		use(s.b)
		elsewhere := func(err error) {
			t.Helper()
			if !errors.Is(err, repo.ErrUnsupported) || !contains(err, s.b+".orders") || !contains(err, s.a+".orders") {
				t.Errorf("got %v", err)
			}
		}
		elsewhere(r.Save(f.With(ctx), &homeless{ID: 1, N: 2}))
		elsewhere(r.SaveAll(f.With(ctx), []*homeless{{ID: 1, N: 2}, {ID: 2}}))
		_, err = r.Update(f.With(ctx), 1, func(*homeless) error { t.Error("called"); return nil })
		elsewhere(err)
		_, err = r.FindByID(f.With(ctx), 1)
		elsewhere(err)
		use(s.a)
		check.Must(t, r.Save(f.With(ctx), &homeless{ID: 1, N: 3}))
		// The same table made again is the same table.
		check.Must(t, db.Exec("DROP TABLE orders").Error)
		check.Must(t, db.Exec("CREATE TABLE orders (id bigint PRIMARY KEY, n int)").Error)
		check.Must(t, r.Save(f.With(ctx), &homeless{ID: 1, N: 4}))
		for _, schema := range []string{s.a, s.b} {
			var n int64
			check.Must(t, s.open(t, schema).Table("orders").Count(&n).Error)
			if n != map[string]int64{s.a: 1, s.b: 0}[schema] {
				t.Errorf("%d rows in %s", n, schema)
			}
		}
	})
}

// A view, and a partition, have the fence and the guard of the table below.
func TestGormFence_ViewsAndPartitions(t *testing.T) {
	t.Parallel()
	ctx, s := check.Bounded(t, time.Minute), postgresHomes(t)
	db := s.open(t, s.a)
	for _, q := range []string{
		"CREATE TABLE TABLES.orders (id bigint PRIMARY KEY, n int) PARTITION BY RANGE (id)",
		"CREATE TABLE TABLES.part PARTITION OF TABLES.orders FOR VALUES FROM (0) TO (100)",
		"CREATE VIEW orders AS SELECT * FROM TABLES.orders",
		"CREATE VIEW further AS SELECT * FROM orders WHERE n >= 0",
		"CREATE TABLE own (id bigint)",
		"CREATE VIEW joined AS SELECT o.* FROM TABLES.orders o JOIN own USING (id)",
		"CREATE TEMPORARY TABLE passing (id bigint PRIMARY KEY, n int)",
	} {
		check.Must(t, db.Exec(strings.ReplaceAll(q, "TABLES", s.table)).Error)
	}
	check.Must(t, gormrepo.MigrateFence(ctx, db, s.table))
	for n, table := range []string{s.table + ".orders", s.table + ".part", "further"} {
		r, err := homeRepo(t, db, table, nil)
		check.Must(t, err)
		f := fences.Turn(int64(n+1), "a", 1, "k").Guard("k")
		_, err = r.Count(f.With(ctx))
		check.Must(t, err)
		if _, err := r.Count(fences.Turn(int64(n+1), "a", 2, "other").Guard("other").With(ctx)); !errors.Is(err, repo.ErrWrongKey) || !contains(err, s.table+".orders") {
			t.Errorf("%s: %v", table, err)
		}
	}
	for _, table := range []string{"joined", "passing"} {
		r, err := homeRepo(t, db, table, nil)
		check.Must(t, err)
		if _, err := r.Count(fences.Turn(9, "a", 1, "k").With(ctx)); err == nil {
			t.Errorf("%s has a fence", table)
		}
	}
	r, err := homeRepo(t, db, "joined", &gormrepo.Options{FenceSchema: s.table})
	check.Must(t, err)
	_, err = r.Count(fences.Turn(10, "a", 1, "k").With(ctx))
	check.Must(t, err)
}

// On SQLite the fence is in the file of the table.
func TestGormFence_AttachedFile(t *testing.T) {
	t.Parallel()
	ctx, db := check.Bounded(t, time.Minute), sqldb.SQLite(t)
	pool, err := db.DB()
	check.Must(t, err)
	pool.SetMaxOpenConns(1)
	check.Must(t, db.Exec("ATTACH ? AS aux", filepath.Join(t.TempDir(), "aux.db")).Error)
	check.Must(t, db.Exec("CREATE TABLE aux.orders (id bigint PRIMARY KEY, n int)").Error)
	check.Must(t, gormrepo.MigrateFence(ctx, db))
	for n, table := range []string{"aux.orders", "orders"} {
		r, err := homeRepo(t, db, table, nil)
		check.Must(t, err)
		check.Must(t, r.Save(fences.Turn(int64(n+1), "a", 1, "k").With(ctx), &homeless{ID: 1}))
	}
	var counts []int64
	for _, file := range []string{"main", "aux"} {
		var n int64
		check.Must(t, db.Raw(fmt.Sprintf("SELECT count(*) FROM %s.holdfast_ops", file)).Scan(&n).Error)
		counts = append(counts, n)
	}
	if counts[0] != 0 || counts[1] != 2 {
		t.Errorf("notes in main and aux: %v", counts)
	}
	r, err := homeRepo(t, db, "orders", &gormrepo.Options{FenceSchema: "main"})
	check.Must(t, err)
	if err := r.Save(fences.Turn(9, "a", 1, "k").With(ctx), &homeless{ID: 1}); !errors.Is(err, repo.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}
