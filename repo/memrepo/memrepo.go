package memrepo

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/huandu/go-clone"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
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

// Repository keeps entities of type T in memory. All methods may be called
// concurrently.
type Repository[T any] struct {
	ent    *entity.Entity
	newID  func(ctx context.Context) (any, error)
	now    func() time.Time
	revive bool
	first  int64 // version of a new entity
	// columns are the paths of the fields that options may name; nil for all.
	columns map[string]bool

	db *DB
	// table is what is committed.
	table *table[T]
}

// New makes an empty repository. It returns repo.ErrInvalid when T is no
// struct, has no key or is marked wrongly, and when Options.Unique names a
// field that T does not have.
func New[T any](opts *Options) (*Repository[T], error) {
	ent, err := entity.Parse(reflect.TypeFor[T]())
	if err != nil {
		return nil, fmt.Errorf("memrepo: %w", err)
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.DB == nil {
		o.DB = NewDB()
	}
	unique, err := indexesOf(ent, o.Unique)
	if err != nil {
		return nil, fmt.Errorf("memrepo: %w", err)
	}
	r := &Repository[T]{ent: ent, newID: o.NewID, now: o.Now, revive: o.Revive, db: o.DB, table: newTable[T](unique)}
	if !o.VersionFromZero {
		r.first = 1
	}
	if !o.Documents {
		r.columns = columnsOf(ent)
		timesByName(ent)
	}
	return r, nil
}

// copyOf makes a deep copy. Entities with associations can point back to
// themselves, so the copier is the one that remembers where it has been.
func copyOf[T any](e *T) *T { return clone.Slowly(e).(*T) }

func valueOf[T any](e *T) reflect.Value { return reflect.ValueOf(e).Elem() }

// generated is the field of the key that asks for a new value by being zero, nil
// where there is none.
func (r *Repository[T]) generated() *entity.Field {
	if f := r.ent.Numbered(); f != nil || r.newID == nil || len(r.ent.Key) > 1 || entity.IsInt(r.ent.Key[0].Type) {
		return f
	}
	return r.ent.Key[0]
}

// unnumbered tells whether e has no key yet.
func (r *Repository[T]) unnumbered(e *T) bool {
	f := r.generated()
	return f != nil && f.IsZero(valueOf(e))
}

// key turns an id into the map key.
func (r *Repository[T]) key(id any) (any, error) {
	k, err := r.ent.KeyFromID(id)
	if err != nil {
		return nil, err
	}
	return entity.Comparable(k), nil
}

// keyOf is the map key of e.
func (r *Repository[T]) keyOf(e *T) any { return entity.Comparable(r.ent.KeyOf(valueOf(e))) }

// live returns the row with the key unless it is absent or marked as deleted.
func (r *Repository[T]) live(t *table[T], key any) (*row[T], bool) {
	w, ok := t.rows[key]
	if !ok || r.ent.IsDeleted(valueOf(w.val)) {
		return nil, false
	}
	return w, true
}

// shownID is what an ItemError calls e by.
func (r *Repository[T]) shownID(e *T) any {
	k := r.ent.KeyOf(valueOf(e))
	if len(k) > 1 {
		return k
	}
	if r.unnumbered(e) {
		return nil
	}
	return k[0]
}

// done is the context's error with its cause, nil while it goes on.
func done(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("memrepo: %s: %w", doing, err)
}
