package sqldb

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
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
)

// Backend opens an empty database for one test.
type Backend struct {
	Name string
	Open func(t testing.TB) *gorm.DB
}

// Backends are all kinds of SQL databases. MySQL without RETURNING is tested
// on MariaDB too, where GORM would use it.
func Backends() []Backend {
	return []Backend{
		{"SQLite", SQLite},
		{"PostgreSQL", Postgres},
		{"MySQL", MySQL},
		{"MySQLWithoutReturning", MySQLPlain},
	}
}

// OnEach runs the test on each of them, side by side.
func OnEach(t *testing.T, test func(t *testing.T, b Backend)) {
	t.Helper()
	for _, b := range Backends() {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			test(t, b)
		})
	}
}

// SQLite opens a file of its own.
func SQLite(t testing.TB) *gorm.DB {
	t.Helper()
	return Open(t, drivers.SQLConfig{Dialect: drivers.SQLite, DSN: filepath.Join(t.TempDir(), "test.db")})
}

// Postgres opens a schema of its own.
func Postgres(t testing.TB) *gorm.DB {
	t.Helper()
	return Open(t, drivers.SQLConfig{Dialect: drivers.Postgres, DSN: PostgresSchema(t)})
}

// PostgresSchema makes a schema for the test and returns a DSN that works in it.
func PostgresSchema(t testing.TB) string {
	t.Helper()
	dsn, schema := servers.RequireEnv(t, "POSTGRES_DSN"), servers.UniqueName("holdfast_test_")
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	RunOnce(t, drivers.Postgres, dsn, "CREATE SCHEMA "+schema)
	t.Cleanup(func() { RunOnce(t, drivers.Postgres, dsn, "DROP SCHEMA "+schema+" CASCADE") })
	return u.String()
}

// MySQL opens a database of its own.
func MySQL(t testing.TB) *gorm.DB {
	t.Helper()
	return Open(t, drivers.SQLConfig{Dialect: drivers.MySQL, DSN: MySQLDatabase(t)})
}

// MySQLPlain makes GORM take MariaDB for MySQL, which has no RETURNING.
func MySQLPlain(t testing.TB) *gorm.DB {
	t.Helper()
	pool, err := Open(t, drivers.SQLConfig{Dialect: drivers.MySQL, DSN: MySQLDatabase(t)}).DB()
	if err != nil {
		t.Fatal(err)
	}
	db, err := gorm.Open(gormmysql.New(gormmysql.Config{Conn: pool, DisableWithReturning: true}), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// MySQLFolding has a collation for which letters of another case, and with accents,
// are equal.
func MySQLFolding(t testing.TB) *gorm.DB {
	t.Helper()
	return Open(t, drivers.SQLConfig{Dialect: drivers.MySQL, DSN: mysqlDatabaseIn(t, "utf8mb4_general_ci")})
}

// MySQLDatabase makes a database of its own, whose text compares byte by byte
// as it does elsewhere.
func MySQLDatabase(t testing.TB) (dsn string) {
	t.Helper()
	return mysqlDatabaseIn(t, "utf8mb4_bin")
}

func mysqlDatabaseIn(t testing.TB, collation string) (dsn string) {
	t.Helper()
	base := servers.RequireEnv(t, "MYSQL_DSN")
	c, err := mysql.ParseDSN(base)
	if err != nil {
		t.Fatal(err)
	}
	c.DBName = servers.UniqueName("holdfast_test_")
	RunOnce(t, drivers.MySQL, base, "CREATE DATABASE "+c.DBName+" CHARACTER SET utf8mb4 COLLATE "+collation)
	t.Cleanup(func() { RunOnce(t, drivers.MySQL, base, "DROP DATABASE "+c.DBName) })
	return c.FormatDSN()
}

// Open opens a database that is closed with the test.
func Open(t testing.TB, c drivers.SQLConfig) *gorm.DB {
	t.Helper()
	c.MaxOpenConns = 4
	db, err := drivers.OpenSQL(check.Bounded(t, 30*time.Second), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Close(t, db) })
	return db
}

// Close closes the pool of the database.
func Close(t testing.TB, db *gorm.DB) {
	t.Helper()
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
}

// RunOnce executes one statement on a connection of its own. It works in a
// cleanup too, where the test's context has ended.
func RunOnce(t testing.TB, dialect, dsn, statement string) {
	t.Helper()
	db, err := drivers.OpenSQL(context.Background(), drivers.SQLConfig{Dialect: dialect, DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer Close(t, db)
	if err := db.Exec(statement).Error; err != nil {
		t.Error(err)
	}
}

// Renamed is the same database with other table names.
func Renamed(t testing.TB, db *gorm.DB) *gorm.DB {
	t.Helper()
	other, err := gorm.Open(db.Dialector, &gorm.Config{
		ConnPool: db.ConnPool, Logger: logger.Discard,
		NamingStrategy: schema.NamingStrategy{TablePrefix: servers.UniqueName("t") + "_", IdentifierMaxLength: 63},
	})
	check.Must(t, err)
	return other
}
