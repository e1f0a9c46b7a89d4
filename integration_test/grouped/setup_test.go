package grouped_test

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers/config"
	mysqldriver "github.com/holdfast-go/holdfast/drivers/mysql"
	"github.com/holdfast-go/holdfast/drivers/postgres"
	"github.com/holdfast-go/holdfast/drivers/sqlite"
	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// record has all that a save writes into an entity: a serial key, a version and times.
type record struct {
	ID        int64  `gorm:"primaryKey"`
	Name      string `gorm:"size:40;uniqueIndex"`
	N         int64  `gorm:"check:records_n,n >= 0"`
	By        string
	Version   int64 `holdfast:"version"`
	CreatedAt time.Time
	UpdatedAt time.Time
}

type hookKey struct{}

// hook runs before each attempt to save a record.
type hook func(ctx context.Context, e *record) error

func (e *record) BeforeSave(tx *gorm.DB) error {
	if fn, ok := tx.Statement.Context.Value(hookKey{}).(hook); ok {
		return fn(tx.Statement.Context, e)
	}
	return nil
}

func withHook(ctx context.Context, fn hook) context.Context {
	return context.WithValue(ctx, hookKey{}, fn)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func requireEnv(t *testing.T, name string) string {
	t.Helper()
	v := os.Getenv(name)
	switch {
	case v != "":
	case os.Getenv("REQUIRE_BACKENDS") == "1":
		t.Fatalf("%s is not set, and REQUIRE_BACKENDS=1 demands it", name)
	default:
		t.Skipf("%s is not set: no server to test with", name)
	}
	return v
}

func uniqueName() string { return "holdfast_test_" + strings.ToLower(rand.Text()[:12]) }

type opener func(ctx context.Context, c config.SQLConfig) (*gorm.DB, error)

func open(ctx context.Context, t *testing.T, by opener, dialect, dsn string) *gorm.DB {
	t.Helper()
	db, err := by(ctx, config.SQLConfig{Dialect: dialect, DSN: dsn, MaxOpenConns: 4})
	must(t, err)
	t.Cleanup(func() {
		if pool, err := db.DB(); err != nil || pool.Close() != nil {
			t.Error("the pool cannot be closed")
		}
	})
	return db
}

// within makes a database or a schema, and drops it in the end.
func within(t *testing.T, db *gorm.DB, what, name, more string) {
	t.Helper()
	must(t, db.Exec("CREATE "+what+" "+name).Error)
	t.Cleanup(func() {
		if err := db.Exec("DROP " + what + " " + name + more).Error; err != nil {
			t.Error(err)
		}
	})
}

// databases open an empty one for a test.
var databases = map[string]func(ctx context.Context, t *testing.T) *gorm.DB{
	"SQLite": func(ctx context.Context, t *testing.T) *gorm.DB {
		t.Helper()
		return open(ctx, t, sqlite.Open, config.SQLite, filepath.Join(t.TempDir(), "test.db"))
	},
	"PostgreSQL": func(ctx context.Context, t *testing.T) *gorm.DB {
		t.Helper()
		dsn, name := requireEnv(t, "POSTGRES_DSN"), uniqueName()
		within(t, open(ctx, t, postgres.Open, config.Postgres, dsn), "SCHEMA", name, " CASCADE")
		u, err := url.Parse(dsn)
		must(t, err)
		q := u.Query()
		q.Set("search_path", name)
		u.RawQuery = q.Encode()
		return open(ctx, t, postgres.Open, config.Postgres, u.String())
	},
	"MySQL": func(ctx context.Context, t *testing.T) *gorm.DB {
		t.Helper()
		dsn, name := requireEnv(t, "MYSQL_DSN"), uniqueName()
		within(t, open(ctx, t, mysqldriver.Open, config.MySQL, dsn), "DATABASE", name, "")
		c, err := mysql.ParseDSN(dsn)
		must(t, err)
		c.DBName = name
		return open(ctx, t, mysqldriver.Open, config.MySQL, c.FormatDSN())
	},
}

const key = "record"

// site is a locked repository whose lock another process holds, so that calls pile up.
type site struct {
	cluster *locktest.Cluster
	db      *gorm.DB
	mine    *etcdlock.Locker
	other   *etcdlock.Locker // another process's
	plain   *gormrepo.Repository[record]
	locked  *lockedrepo.Repository[record]
	holder  *etcdlock.Lock
	answers []chan error
}

func onSites(t *testing.T, test func(ctx context.Context, t *testing.T, s *site)) {
	t.Helper()
	t.Parallel()
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			db := open(ctx, t)
			must(t, db.AutoMigrate(&record{}))
			must(t, gormrepo.MigrateFence(ctx, db))
			s := &site{cluster: locktest.NewCluster(), db: db}
			t.Cleanup(func() {
				if err := s.cluster.Close(); err != nil {
					t.Error(err)
				}
			})
			var err error
			s.mine, err = s.cluster.NewLocker(&etcdlock.Options{Linger: etcdlock.NoLinger})
			must(t, err)
			s.other, err = s.cluster.NewLocker(&etcdlock.Options{Linger: etcdlock.NoLinger})
			must(t, err)
			s.plain, err = gormrepo.New[record](db, nil)
			must(t, err)
			s.locked, err = lockedrepo.New[record](s.plain, s.mine, &lockedrepo.Options{Key: key})
			must(t, err)
			s.holder, err = s.other.Lock(ctx, key)
			must(t, err)
			test(ctx, t, s)
		})
	}
}

// pile begins calls one after the other, each when the one before waits for the lock. The
// first call of all waits by itself, and those after it wait together.
func (s *site) pile(ctx context.Context, t *testing.T, calls ...func() error) {
	t.Helper()
	for _, call := range calls {
		n := s.locked.Pending()
		answer := make(chan error, 1)
		s.answers = append(s.answers, answer)
		go func() { answer <- call() }()
		await(ctx, t, func() bool {
			if n > 0 || s.locked.Pending() == 0 {
				return s.locked.Pending() == n+1
			}
			line, err := s.other.Holders(ctx, key)
			return err == nil && len(line) == 2
		})
	}
}

func await(ctx context.Context, t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("a call does not wait")
		}
	}
}

// finish gives the lock back and returns the answers of all calls.
func (s *site) finish(ctx context.Context, t *testing.T) (errs []error) {
	t.Helper()
	must(t, s.holder.Unlock(ctx))
	for _, answer := range s.answers {
		select {
		case err := <-answer:
			errs = append(errs, err)
		case <-ctx.Done():
			t.Fatal("a call has no answer")
		}
	}
	return errs
}
