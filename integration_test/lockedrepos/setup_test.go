package lockedrepos_test

import (
	"context"
	"path/filepath"
	"testing"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// account and entry are two entity types of one database.
type account struct {
	ID      string `gorm:"primaryKey"`
	Balance int64
}

type entry struct {
	ID      int64 `gorm:"primaryKey"`
	Account string
	Amount  int64
}

type hookKey struct{}

// BeforeSave runs the function that a test put into the context, in the middle
// of a save.
func (*account) BeforeSave(tx *gorm.DB) error {
	if hook, ok := tx.Statement.Context.Value(hookKey{}).(func(context.Context) error); ok {
		return hook(tx.Statement.Context)
	}
	return nil
}

const (
	accountKey = "bank.Account"
	entryKey   = "bank.Entry"
)

// sqliteFile opens a database in a file of the test's own.
func sqliteFile(t testing.TB) *gorm.DB {
	t.Helper()
	db, err := drivers.OpenSQL(t.Context(), drivers.SQLConfig{Dialect: drivers.SQLite, DSN: filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if pool, err := db.DB(); err == nil {
			_ = pool.Close()
		}
	})
	return db
}

// bank is one process's view of a database with accounts and entries.
type bank struct {
	db       *gorm.DB
	plain    *gormrepo.Repository[account]
	accounts *lockedrepo.Repository[account]
	entries  *lockedrepo.Repository[entry]
	other    *etcdlock.Locker // another process's, where a test has one
}

func newBank(t testing.TB, db *gorm.DB, locker *etcdlock.Locker, opts lockedrepo.Options) *bank {
	t.Helper()
	if err := db.AutoMigrate(&account{}, &entry{}); err != nil {
		t.Fatal(err)
	}
	check.Must(t, gormrepo.MigrateFence(t.Context(), db))
	b := &bank{db: db}
	var err error
	if b.plain, err = gormrepo.New[account](db, nil); err != nil {
		t.Fatal(err)
	}
	opts.Key = accountKey
	if b.accounts, err = lockedrepo.New(b.plain, locker, &opts); err != nil {
		t.Fatal(err)
	}
	entries, err := gormrepo.New[entry](db, nil)
	if err != nil {
		t.Fatal(err)
	}
	opts.Key = entryKey
	if b.entries, err = lockedrepo.New(entries, locker, &opts); err != nil {
		t.Fatal(err)
	}
	return b
}

// newBankOn makes the accounts on a transaction.
func newBankOn(t testing.TB, tx *gorm.DB, locker *etcdlock.Locker) *lockedrepo.Repository[account] {
	t.Helper()
	inner, err := gormrepo.New[account](tx, nil)
	check.Must(t, err)
	r, err := lockedrepo.New(inner, locker, &lockedrepo.Options{Key: accountKey})
	check.Must(t, err)
	return r
}

func (b *bank) count(t testing.TB) (accounts, entries int64) {
	t.Helper()
	accounts, err := b.accounts.Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	entries, err = b.entries.Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return accounts, entries
}
