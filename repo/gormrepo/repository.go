package gormrepo

import (
	"reflect"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/fence"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

type checked struct{ ID int }

var (
	_ repo.Repository[checked]      = (*Repository[checked])(nil)
	_ repo.Updater[checked]         = (*Repository[checked])(nil)
	_ driver.DocumentSaver[checked] = (*Repository[checked])(nil)
	_ repo.Transactor               = (*Repository[checked])(nil)
	_ driver.TxReporter             = (*Repository[checked])(nil)
	_ driver.Fencer                 = (*Repository[checked])(nil)
)

// Repository keeps entities of type T in one table. All methods may be called
// concurrently.
type Repository[T any] struct {
	db *gorm.DB
	// store is the *sql.DB, by which repositories know that they share one
	// database.
	store any
	// foreign tells that db is a transaction which somebody else commits.
	foreign bool
	opts    Options
	dialect dialect
	fence   *fence.Fence
	server  txconn.Server
	// trusted tells that no plugin takes writes out of their transaction.
	trusted atomic.Bool
	// sequence makes the keys, nil where that is not asked for.
	sequence *sequence
	// plugged tells that saves run the callbacks of plugins.
	plugged bool
	// careful tells that the table takes no INSERT of T, proven that it does.
	careful, proven atomic.Bool
	*model
}

// now is the time that a save writes, as precise as the databases keep it, so
// that the entity in memory equals the stored one.
func (r *Repository[T]) now() time.Time {
	return r.db.NowFunc().Round(0).Truncate(time.Microsecond)
}

// valueOf is the struct behind e.
func valueOf[T any](e *T) reflect.Value { return reflect.ValueOf(e).Elem() }
