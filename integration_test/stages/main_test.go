package stages_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/internal/devserver"
	"github.com/holdfast-go/holdfast/lockedrepo/alsoshedlock"
)

// etcd is shared by all tests.
var etcd struct {
	sync.Once
	server *devserver.Etcd
	err    error
}

func TestMain(m *testing.M) {
	if text := os.Getenv(podEnv); text != "" {
		if err := runPod(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "holdfast-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	etcdDir = dir
	code := m.Run()
	if etcd.server != nil {
		if err := etcd.server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

var etcdDir string

func endpoints(t *testing.T) []string {
	t.Helper()
	etcd.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		etcd.server, etcd.err = devserver.StartEtcd(ctx, etcdDir, &devserver.EtcdOptions{UnsafeNoFsync: true})
	})
	if etcd.err != nil {
		t.Fatal(etcd.err)
	}
	return etcd.server.Endpoints()
}

// database is where a test has its tables.
type database struct {
	Dialect alsoshedlock.Dialect
	DSN     string
}

func (d database) config() drivers.SQLConfig {
	return drivers.SQLConfig{Dialect: string(d.Dialect), DSN: d.DSN}
}

// databases make an empty one for the test.
var databases = map[string]func(t *testing.T) database{
	"SQLite": func(t *testing.T) database {
		t.Helper()
		return database{alsoshedlock.SQLite, filepath.Join(t.TempDir(), "test.db")}
	},
	"PostgreSQL": func(t *testing.T) database {
		t.Helper()
		dsn, name := servers.RequireEnv(t, "POSTGRES_DSN"), servers.UniqueName("holdfast_test_")
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set("search_path", name)
		u.RawQuery = q.Encode()
		inTest(t, database{alsoshedlock.PostgreSQL, dsn}, "CREATE SCHEMA "+name, "DROP SCHEMA "+name+" CASCADE")
		return database{alsoshedlock.PostgreSQL, u.String()}
	},
	"MySQL": func(t *testing.T) database {
		t.Helper()
		dsn := servers.RequireEnv(t, "MYSQL_DSN")
		c, err := mysql.ParseDSN(dsn)
		if err != nil {
			t.Fatal(err)
		}
		c.DBName = servers.UniqueName("holdfast_test_")
		inTest(t, database{alsoshedlock.MySQL, dsn}, "CREATE DATABASE "+c.DBName, "DROP DATABASE "+c.DBName)
		return database{alsoshedlock.MySQL, c.FormatDSN()}
	},
}

// inTest runs a statement now, and another one when the test ends.
func inTest(t *testing.T, server database, now, end string) {
	t.Helper()
	db, err := drivers.OpenSQL(t.Context(), server.config())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Exec(now).Error; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pool, err := db.DB()
		if err := errors.Join(err, db.Exec(end).Error, pool.Close()); err != nil {
			t.Error(err)
		}
	})
}

// open returns the database and its pool. The caller closes the pool.
func (d database) open(ctx context.Context) (*gorm.DB, *sql.DB, error) {
	db, err := drivers.OpenSQL(ctx, d.config())
	if err != nil {
		return nil, nil, err
	}
	pool, err := db.DB()
	return db, pool, err
}

// pool opens the database for the test.
func (d database) pool(t *testing.T) (*gorm.DB, *sql.DB) {
	t.Helper()
	db, pool, err := d.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return db, pool
}

// shedlockTables make the table as the page of ShedLock says.
var shedlockTables = map[alsoshedlock.Dialect]string{
	alsoshedlock.PostgreSQL: "CREATE TABLE shedlock (name VARCHAR(64) NOT NULL, lock_until TIMESTAMP NOT NULL, locked_at TIMESTAMP NOT NULL, " +
		"locked_by VARCHAR(255) NOT NULL, PRIMARY KEY (name))",
	alsoshedlock.MySQL: "CREATE TABLE shedlock (name VARCHAR(64) NOT NULL, lock_until TIMESTAMP(3) NOT NULL, " +
		"locked_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), locked_by VARCHAR(255) NOT NULL, PRIMARY KEY (name))",
	alsoshedlock.SQLite: "CREATE TABLE shedlock (name VARCHAR(64) NOT NULL, lock_until TIMESTAMP NOT NULL, locked_at TIMESTAMP NOT NULL, " +
		"locked_by VARCHAR(255) NOT NULL, PRIMARY KEY (name))",
}
