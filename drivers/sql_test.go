package drivers_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
)

func openSQLite(t *testing.T, c drivers.SQLConfig) *gorm.DB {
	t.Helper()
	db, err := drivers.OpenSQL(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeSQL(t, db) })
	return db
}

func closeSQL(t *testing.T, db *gorm.DB) {
	t.Helper()
	pool, err := db.DB()
	if err != nil {
		t.Error(err)
		return
	}
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
}

func pragma(t *testing.T, db *gorm.DB, name string) string {
	t.Helper()
	var v string
	if err := db.Raw("PRAGMA " + name).Scan(&v).Error; err != nil {
		t.Fatal(err)
	}
	return v
}

func TestOpenSQL_SQLite(t *testing.T) {
	t.Parallel()
	defaults := map[string]string{"journal_mode": "wal", "busy_timeout": "10000", "synchronous": "2", "foreign_keys": "1"}

	t.Run("PathWithOddCharacters", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "a #1 50%25 b.db")
		db := openSQLite(t, drivers.SQLConfig{Dialect: "sqlite", DSN: path})
		for name, want := range defaults {
			if got := pragma(t, db, name); got != want {
				t.Errorf("%s = %s, want %s", name, got, want)
			}
		}
		if matches, err := filepath.Glob(filepath.Join(filepath.Dir(path), "a #1 50%25 b.db")); err != nil || len(matches) != 1 {
			t.Errorf("the database is not at the path that was given: %v %v", matches, err)
		}
	})
	t.Run("ParametersOfTheDSNWin", func(t *testing.T) {
		t.Parallel()
		db := openSQLite(t, drivers.SQLConfig{DSN: "file:" + filepath.Join(t.TempDir(), "x.db") + "?_pragma=busy_timeout(77)&_journal=DELETE"})
		if got := pragma(t, db, "busy_timeout"); got != "77" {
			t.Errorf("busy_timeout = %s", got)
		}
		if got := pragma(t, db, "journal_mode"); got != "delete" {
			t.Errorf("journal_mode = %s", got)
		}
	})
	t.Run("MemoryIsOneDatabase", func(t *testing.T) {
		t.Parallel()
		for _, dsn := range []string{":memory:", "sqlite::memory:", "jdbc:sqlite::memory:", "file:x?mode=memory"} {
			db := openSQLite(t, drivers.SQLConfig{DSN: dsn, MaxOpenConns: 8, ConnMaxLifetime: time.Nanosecond})
			if pool, err := db.DB(); err != nil || pool.Stats().MaxOpenConnections != 1 {
				t.Errorf("%s: more than one connection: %v", dsn, err)
			}
			if err := db.Exec("CREATE TABLE a (n INT)").Error; err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					if err := db.Exec("INSERT INTO a VALUES (1)").Error; err != nil {
						t.Errorf("%s: %v", dsn, err)
					}
				})
			}
			wg.Wait()
		}
	})
	t.Run("TimesSortAsText", func(t *testing.T) {
		t.Parallel()
		type event struct {
			ID int
			At time.Time
		}
		db := openSQLite(t, drivers.SQLConfig{DSN: "sqlite:" + filepath.Join(t.TempDir(), "x.db")})
		if err := db.AutoMigrate(&event{}); err != nil {
			t.Fatal(err)
		}
		early := time.Date(2026, 1, 1, 12, 0, 0, 5e8, time.FixedZone("east", 9*3600)) // 03:00 UTC
		late := time.Date(2026, 1, 1, 4, 0, 0, 0, time.UTC)
		if err := db.Create([]event{{1, late}, {2, early}}).Error; err != nil {
			t.Fatal(err)
		}
		// SQL itself understands what is stored, of a time with a monotonic
		// reading too.
		var known int
		if err := db.Create(&event{3, time.Now()}).Error; err != nil {
			t.Fatal(err)
		}
		if err := db.Raw("SELECT count(*) FROM events WHERE julianday(CAST(at AS TEXT)) > 2400000").Scan(&known).Error; err != nil || known != 3 {
			t.Errorf("%d times are understood: %v", known, err)
		}
		var got []event
		if err := db.Where("at < ?", late.In(time.FixedZone("west", -8*3600))).Find(&got).Error; err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || got[0].ID != 2 || !got[0].At.Equal(early) {
			t.Errorf("found %+v", got)
		}
	})
	t.Run("ForeignKeysAreEnforced", func(t *testing.T) {
		t.Parallel()
		db := openSQLite(t, drivers.SQLConfig{DSN: "sqlite:" + filepath.Join(t.TempDir(), "x.db")})
		for _, stmt := range []string{"CREATE TABLE p (id INTEGER PRIMARY KEY)", "CREATE TABLE c (p INT REFERENCES p(id))"} {
			if err := db.Exec(stmt).Error; err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Exec("INSERT INTO c VALUES (7)").Error; err == nil {
			t.Error("a child without a parent was accepted")
		}
	})
}

// Ensure that processes which start together and open the same new file do not
// fail on the switch to WAL, and that read-modify-write transactions wait for
// each other instead of failing.
func TestOpenSQL_SQLiteManyOpenersAndWriters(t *testing.T) {
	t.Parallel()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "shared.db")
	const openers, rounds = 6, 20
	var wg sync.WaitGroup
	for range openers {
		wg.Go(func() {
			db, err := drivers.OpenSQL(t.Context(), drivers.SQLConfig{DSN: dsn, DialTimeout: 30 * time.Second})
			if err != nil {
				t.Error(err)
				return
			}
			defer closeSQL(t, db)
			err = db.Transaction(func(tx *gorm.DB) error {
				return errors.Join(
					tx.Exec("CREATE TABLE IF NOT EXISTS counter (n INT)").Error,
					tx.Exec("INSERT INTO counter SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM counter)").Error)
			})
			if err != nil {
				t.Error(err)
				return
			}
			for range rounds {
				err := db.Transaction(func(tx *gorm.DB) error {
					var n int
					if err := tx.Raw("SELECT n FROM counter").Scan(&n).Error; err != nil {
						return err
					}
					return tx.Exec("UPDATE counter SET n = ?", n+1).Error
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var n int
	if err := openSQLite(t, drivers.SQLConfig{DSN: dsn}).Raw("SELECT n FROM counter").Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	if n != openers*rounds {
		t.Errorf("counted %d, want %d", n, openers*rounds)
	}
}

func TestOpenSQL_Fails(t *testing.T) {
	t.Parallel()
	const secret = "s3cr!t~canary"
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		cfg  drivers.SQLConfig
		is   error
		text string
	}{
		"Empty":             {t.Context(), drivers.SQLConfig{}, drivers.ErrInvalid, "sql.dsn: is not set"},
		"DialectUnknown":    {t.Context(), drivers.SQLConfig{Dialect: "oracle", DSN: "x"}, drivers.ErrInvalid, "sql.dialect"},
		"DialectUntold":     {t.Context(), drivers.SQLConfig{DSN: "some/where"}, drivers.ErrInvalid, "sql.dialect"},
		"DialectMismatch":   {t.Context(), drivers.SQLConfig{Dialect: "mysql", DSN: "postgres://h/d"}, drivers.ErrInvalid, "postgres"},
		"NegativePool":      {t.Context(), drivers.SQLConfig{DSN: ":memory:", MaxOpenConns: -1}, drivers.ErrInvalid, "sql.maxOpenConns"},
		"PostgresMalformed": {t.Context(), drivers.SQLConfig{DSN: "postgres://u:" + secret + "/x:y@h/d"}, drivers.ErrInvalid, "sql.dsn"},
		"MySQLMalformed":    {t.Context(), drivers.SQLConfig{Dialect: "mysql", DSN: "u:" + secret + "@tcp(h"}, drivers.ErrInvalid, "sql.dsn"},
		"NothingListens": {
			t.Context(),
			drivers.SQLConfig{DSN: "postgres://u:" + secret + "@127.0.0.1:1/d"},
			drivers.ErrUnavailable, "postgres://127.0.0.1:1/d",
		},
		"NothingListensMySQL": {
			t.Context(),
			drivers.SQLConfig{DSN: "u:" + secret + "@tcp(127.0.0.1:1)/d"},
			drivers.ErrUnavailable, "mysql://127.0.0.1:1/d",
		},
		"FolderAbsent":       {t.Context(), drivers.SQLConfig{DSN: "sqlite:/nowhere/at/all/x.db"}, drivers.ErrInvalid, "the folder /nowhere/at/all does not exist"},
		"FolderOfAURIAbsent": {t.Context(), drivers.SQLConfig{DSN: "file:/nowhere/at%20all/x.db"}, drivers.ErrInvalid, "the folder /nowhere/at all does not exist"},
		"Cancelled":          {ctx, drivers.SQLConfig{DSN: "postgres://127.0.0.1:1/d"}, context.Canceled, "open sql"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := drivers.OpenSQL(c.ctx, c.cfg)
			if err == nil {
				closeSQL(t, db)
				t.Fatal("no error")
			}
			if !errors.Is(err, c.is) {
				t.Errorf("%v does not match %v", err, c.is)
			}
			if !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v does not say %q", err, c.text)
			}
			for _, text := range []string{err.Error(), fmt.Sprintf("%v %+v %#v %d %q", c.cfg, c.cfg, c.cfg, c.cfg, c.cfg)} {
				if strings.Contains(text, secret) {
					t.Errorf("the password shows: %s", text)
				}
			}
		})
	}
}

// Ensure that opening waits for a lock that SQLite itself does not wait for, as
// the switch to WAL meets it now and then when processes start together.
func TestOpenSQL_SQLiteLocked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "locked.db")
	other := openSQLite(t, drivers.SQLConfig{DSN: "file:" + path + "?_journal=DELETE&_txlock=exclusive"})
	tx := other.Begin()
	if tx.Error != nil {
		t.Fatal(tx.Error)
	}
	impatient := drivers.SQLConfig{DSN: "file:" + path + "?_busy_timeout=1", DialTimeout: 200 * time.Millisecond}
	_, err := drivers.OpenSQL(t.Context(), impatient)
	if !errors.Is(err, drivers.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "locked") {
		t.Errorf("while it is locked: %v", err)
	}
	time.AfterFunc(100*time.Millisecond, func() { tx.Rollback() })
	impatient.DialTimeout = 30 * time.Second
	openSQLite(t, impatient)
}

func TestOpen(t *testing.T) {
	t.Parallel()
	if _, err := drivers.Open(t.Context(), drivers.Config{}); !errors.Is(err, drivers.ErrInvalid) {
		t.Error(err)
	}
	sqlite := drivers.SQLConfig{DSN: "sqlite:" + filepath.Join(t.TempDir(), "x.db")}
	conns, err := drivers.Open(t.Context(), drivers.Config{SQL: sqlite})
	if err != nil {
		t.Fatal(err)
	}
	if conns.SQL == nil || conns.Etcd != nil || conns.Mongo != nil {
		t.Errorf("%+v", conns)
	}
	pool, err := conns.SQL.DB()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := conns.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := pool.PingContext(t.Context()); err == nil {
		t.Error("the pool is still open")
	}
	// What was opened before the failure is closed; the check for leaks sees the rest.
	_, err = drivers.Open(t.Context(), drivers.Config{SQL: sqlite, Etcd: drivers.EtcdConfig{Endpoints: []string{"http://127.0.0.1:1"}}})
	if _, ok := errors.AsType[*drivers.EndpointError](err); !ok || !errors.Is(err, drivers.ErrUnavailable) {
		t.Error(err)
	}
}
