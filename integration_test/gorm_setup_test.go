package integration_test

import (
	"context"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// sqlBackend opens an empty database for one test.
type sqlBackend struct {
	name string
	open func(t testing.TB) *gorm.DB
}

// sqlBackends are all kinds of SQL databases. MySQL without RETURNING is tested
// on MariaDB too, where GORM would use it.
func sqlBackends() []sqlBackend {
	return []sqlBackend{
		{"SQLite", sqliteDB},
		{"PostgreSQL", postgresDB},
		{"MySQL", mysqlDB},
		{"MySQLWithoutReturning", mysqlPlainDB},
	}
}

// onSQL runs the test on each of them, side by side.
func onSQL(t *testing.T, test func(t *testing.T, b sqlBackend)) {
	t.Helper()
	for _, b := range sqlBackends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			test(t, b)
		})
	}
}

func sqliteDB(t testing.TB) *gorm.DB {
	t.Helper()
	return openSQL(t, drivers.SQLConfig{Dialect: drivers.SQLite, DSN: filepath.Join(t.TempDir(), "test.db")})
}

// postgresDB opens a schema of its own.
func postgresDB(t testing.TB) *gorm.DB {
	t.Helper()
	return openSQL(t, drivers.SQLConfig{Dialect: drivers.Postgres, DSN: postgresSchema(t)})
}

// postgresSchema makes a schema for the test and returns a DSN that works in it.
func postgresSchema(t testing.TB) string {
	t.Helper()
	dsn, schema := requireEnv(t, "POSTGRES_DSN"), uniqueName("holdfast_test_")
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	runOnce(t, drivers.Postgres, dsn, "CREATE SCHEMA "+schema)
	t.Cleanup(func() { runOnce(t, drivers.Postgres, dsn, "DROP SCHEMA "+schema+" CASCADE") })
	return u.String()
}

func mysqlDB(t testing.TB) *gorm.DB {
	t.Helper()
	return openSQL(t, drivers.SQLConfig{Dialect: drivers.MySQL, DSN: mysqlDatabase(t)})
}

// mysqlPlainDB makes GORM take MariaDB for MySQL, which has no RETURNING.
func mysqlPlainDB(t testing.TB) *gorm.DB {
	t.Helper()
	pool, err := openSQL(t, drivers.SQLConfig{Dialect: drivers.MySQL, DSN: mysqlDatabase(t)}).DB()
	if err != nil {
		t.Fatal(err)
	}
	db, err := gorm.Open(gormmysql.New(gormmysql.Config{Conn: pool, DisableWithReturning: true}), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// mysqlFoldingDB has a collation for which letters of another case, and with accents,
// are equal.
func mysqlFoldingDB(t testing.TB) *gorm.DB {
	t.Helper()
	return openSQL(t, drivers.SQLConfig{Dialect: drivers.MySQL, DSN: mysqlDatabaseIn(t, "utf8mb4_general_ci")})
}

// mysqlDatabase makes a database of its own, whose text compares byte by byte
// as it does elsewhere.
func mysqlDatabase(t testing.TB) (dsn string) {
	t.Helper()
	return mysqlDatabaseIn(t, "utf8mb4_bin")
}

func mysqlDatabaseIn(t testing.TB, collation string) (dsn string) {
	t.Helper()
	base := requireEnv(t, "MYSQL_DSN")
	c, err := mysql.ParseDSN(base)
	if err != nil {
		t.Fatal(err)
	}
	c.DBName = uniqueName("holdfast_test_")
	runOnce(t, drivers.MySQL, base, "CREATE DATABASE "+c.DBName+" CHARACTER SET utf8mb4 COLLATE "+collation)
	t.Cleanup(func() { runOnce(t, drivers.MySQL, base, "DROP DATABASE "+c.DBName) })
	return c.FormatDSN()
}

func openSQL(t testing.TB, c drivers.SQLConfig) *gorm.DB {
	t.Helper()
	c.MaxOpenConns = 4
	db, err := drivers.OpenSQL(bounded(t, 30*time.Second), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeDB(t, db) })
	return db
}

func closeDB(t testing.TB, db *gorm.DB) {
	t.Helper()
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
}

// runOnce executes one statement on a connection of its own. It works in a
// cleanup too, where the test's context has ended.
func runOnce(t testing.TB, dialect, dsn, statement string) {
	t.Helper()
	db, err := drivers.OpenSQL(context.Background(), drivers.SQLConfig{Dialect: dialect, DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer closeDB(t, db)
	if err := db.Exec(statement).Error; err != nil {
		t.Error(err)
	}
}

// gormRepo makes the table of T and a repository on it.
func gormRepo[T any](t testing.TB, db *gorm.DB, opts *gormrepo.Options) *gormrepo.Repository[T] {
	t.Helper()
	if err := db.AutoMigrate(new(T)); err != nil {
		t.Fatal(err)
	}
	r, err := gormrepo.New[T](db, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// rows reads a table past the repository.
func rows[T any](t testing.TB, db *gorm.DB) []T {
	t.Helper()
	var all []T
	if err := db.Unscoped().Order("id").Find(&all).Error; err != nil {
		t.Fatal(err)
	}
	return all
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
