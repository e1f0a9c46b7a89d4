package memrepo

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// Repository keeps entities of type T in memory. All methods may be called
// concurrently.
type Repository[T any] struct {
	ent    *entity.Entity
	newID  func(ctx context.Context) (any, error)
	now    func() time.Time
	revive bool
	first  int64 // version of a new entity
	// defaults are the literal ones.
	defaults []literal
	// columns are the paths of the fields that options may name; nil for all.
	columns map[string]bool

	db *DB
	// table is what is committed.
	table *table[T]
}

// live returns the row with the key unless it is absent or marked as deleted.
func (r *Repository[T]) live(t *table[T], key any) (*row[T], bool) {
	w, ok := t.rows[key]
	if !ok || r.ent.IsDeleted(valueOf(w.val)) {
		return nil, false
	}
	return w, true
}
