package gormrepo

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
)

type checked struct{ ID int }

var (
	_ repo.Repository[checked]    = (*Repository[checked])(nil)
	_ repo.Updater[checked]       = (*Repository[checked])(nil)
	_ repo.DocumentSaver[checked] = (*Repository[checked])(nil)
	_ repo.Transactor             = (*Repository[checked])(nil)
	_ repo.TxReporter             = (*Repository[checked])(nil)
	_ repo.Fencer                 = (*Repository[checked])(nil)
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
	fence   fenceTable
	// trusted tells that no plugin takes writes out of their transaction.
	trusted atomic.Bool
	// careful tells that the table takes no INSERT of T, proven that it does.
	careful, proven atomic.Bool
	*model
}

// New makes a repository on db. It does no I/O and leaves the table alone. The
// naming strategy, the logger, the clock and the plugins of db are used;
// whether it prepares statements does not matter to statements that write many
// rows. When db is a transaction, the repository works inside it and never
// commits.
//
// It returns repo.ErrInvalid when db is nil, failed or restricted by a
// condition or a table, when T is no struct, has no primary key or is marked
// wrongly, and when opts does not fit T; repo.ErrUnsupported for a dialect
// other than postgres, mysql and sqlite.
func New[T any](db *gorm.DB, opts *Options) (*Repository[T], error) {
	r, err := newRepository[T](db, opts)
	if err != nil {
		return nil, fmt.Errorf("gormrepo: %w", err)
	}
	return r, nil
}

func newRepository[T any](db *gorm.DB, opts *Options) (*Repository[T], error) {
	if db == nil || db.Config == nil || db.Statement == nil || db.Dialector == nil {
		return nil, fmt.Errorf("%w: no database given", repo.ErrInvalid)
	}
	if db.Error != nil {
		return nil, fmt.Errorf("%w: the database given has failed: %w", repo.ErrInvalid, db.Error)
	}
	if s := db.Statement; len(s.Clauses) > 0 || s.Table != "" || s.Model != nil || s.Unscoped || len(s.Joins) > 0 || len(s.Selects) > 0 {
		// Sessions of their own would drop it without a word.
		return nil, fmt.Errorf("%w: the database given is restricted by a condition, a table or a model", repo.ErrInvalid)
	}
	d, err := dialectOf(db.Name())
	if err != nil {
		return nil, err
	}
	m, err := newModel(db, reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	r := &Repository[T]{
		db: db.Session(&gorm.Session{NewDB: true, Context: context.Background()}), store: storeOf(db),
		foreign: isTx(db), opts: opts.orDefault(), dialect: d, model: m,
	}
	r.fence = r.newFence()
	r.careful.Store(m.needsCare() || r.hasUpdateHooks())
	return r, r.opts.check(m)
}

// now is the time that a save writes, as precise as the databases keep it, so
// that the entity in memory equals the stored one.
func (r *Repository[T]) now() time.Time {
	return r.db.NowFunc().Round(0).Truncate(time.Microsecond)
}

// valueOf is the struct behind e.
func valueOf[T any](e *T) reflect.Value { return reflect.ValueOf(e).Elem() }

// shownID is what an error calls e by, nil while it has no key.
func (r *Repository[T]) shownID(e *T) any {
	k := r.entity.KeyOf(valueOf(e))
	if len(k) > 1 {
		return k
	}
	if r.wantsKey(valueOf(e)) {
		return nil
	}
	return k[0]
}
