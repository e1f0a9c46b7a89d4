package gormharness

import (
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

// New makes all repositories in one database, each with a table of its
// own.
func New(db *gorm.DB) repotest.Harness {
	return repotest.Harness{
		PrepareFence: func(t *testing.T) {
			t.Helper()
			check.Must(t, gormrepo.MigrateFence(t.Context(), db))
			// All the suite's repositories are in one database, and each of its
			// cases begins with a store that has seen no claim.
			check.Must(t, db.Exec("DELETE FROM holdfast_fence WHERE k LIKE 'repotest%'").Error)
		},
		Features: repotest.Features{
			AtomicSaveAll: true, Update: true, Reader: true, Writer: true, IsolatedUpdate: true, Transactions: true, CaseSensitiveText: true,
		},
		Items:     inOwnTable[repotest.Item](db),
		Autos:     inOwnTable[repotest.Auto](db),
		Pairs:     inOwnTable[repotest.Pair](db),
		Lines:     inOwnTable[repotest.Line](db),
		Pointed:   inOwnTable[repotest.Pointed](db),
		Sealed:    inOwnTable[repotest.Sealed](db),
		Assigned:  inOwnTable[repotest.Assigned](db),
		Plain:     inOwnTable[repotest.Plain](db),
		Coded:     inOwnTable[repotest.Coded](db),
		Told:      inOwnTable[repotest.Told](db),
		Marked:    inOwnTable[repotest.Marked](db),
		FromZero:  withOptions[repotest.Marked](db, &gormrepo.Options{VersionFromZero: true}),
		Defaulted: inOwnTable[repotest.Defaulted](db),
		Stamped:   inOwnTable[repotest.Stamped](db),
		Unmarked:  inOwnTable[repotest.Unmarked](db),
		Large:     1100, // crosses the batch of PostgreSQL
		Native: func(n int64) any {
			return func(db *gorm.DB) *gorm.DB { return db.Where("stock > ?", n) }
		},
	}
}

func inOwnTable[T any](db *gorm.DB) func(t *testing.T) repo.Repository[T] {
	return withOptions[T](db, nil)
}

func withOptions[T any](db *gorm.DB, opts *gormrepo.Options) func(t *testing.T) repo.Repository[T] {
	return func(t *testing.T) repo.Repository[T] {
		t.Helper()
		db := sqldb.Renamed(t, db)
		migrateKeyed[T](t, db)
		r, err := gormrepo.New[T](db, opts)
		check.Must(t, err)
		return r
	}
}

// migrateKeyed makes the table, and the key's index where GORM finds no key.
func migrateKeyed[T any](t testing.TB, db *gorm.DB) {
	t.Helper()
	if _, ok := any(new(T)).(*repotest.Line); ok && db.Name() == "sqlite" {
		// SQLite numbers nothing but a primary key that is alone.
		check.Must(t, db.Exec("CREATE TABLE ? (bill TEXT, no INTEGER PRIMARY KEY, text TEXT, UNIQUE (bill, no))",
			clause.Table{Name: db.NamingStrategy.TableName("Line")}).Error)
		return
	}
	check.Must(t, db.AutoMigrate(new(T)))
	if _, ok := any(new(T)).(*repotest.Coded); ok {
		check.Must(t, db.Exec("CREATE UNIQUE INDEX ? ON ? (?)", clause.Column{Name: servers.UniqueName("u")},
			clause.Table{Name: db.NamingStrategy.TableName("Coded")}, clause.Column{Name: "code"}).Error)
	}
}
