package memrepo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/repo"
)

// batch writes under the lock and can take everything back.
type batch[T any] struct {
	ctx  context.Context // of the one call that the batch lives for
	r    *Repository[T]
	t    *table[T]
	now  time.Time
	undo []undo[T]
}

type undo[T any] struct {
	key any
	old *row[T] // nil: there was none
}

func (r *Repository[T]) batch(ctx context.Context, t *table[T]) *batch[T] {
	// A monotonic reading would not survive a database.
	return &batch[T]{ctx: ctx, r: r, t: t, now: r.now().Round(0)}
}

func (b *batch[T]) rollback() {
	for _, u := range slices.Backward(b.undo) {
		b.set(u.key, u.old)
	}
}

// set replaces the row of key and keeps the constraints' books.
func (b *batch[T]) set(key any, w *row[T]) {
	for _, x := range b.t.unique {
		if old, ok := b.t.rows[key]; ok {
			if vals := x.values(valueOf(old.val)); vals != nil {
				delete(x.owner, vals)
			}
		}
		if w != nil {
			if vals := x.values(valueOf(w.val)); vals != nil {
				x.owner[vals] = key
			}
		}
	}
	if w == nil {
		delete(b.t.rows, key)
		return
	}
	b.t.rows[key] = w
}

// put stores e under key. The batch owns e from now on.
func (b *batch[T]) put(key any, e *T) error {
	for _, x := range b.t.unique {
		if vals := x.values(valueOf(e)); vals != nil {
			if owner, taken := x.owner[vals]; taken && owner != key {
				return fmt.Errorf("%w: %s", repo.ErrDuplicateKey, x)
			}
		}
	}
	old := b.t.rows[key]
	w := &row[T]{val: e}
	if old != nil {
		w.seq = old.seq
	} else {
		b.t.seq++
		w.seq = b.t.seq
	}
	b.undo = append(b.undo, undo[T]{key, old})
	b.set(key, w)
	return nil
}

// remove deletes or marks the row of key and tells whether there was one to
// delete.
func (b *batch[T]) remove(key any) bool {
	w, ok := b.r.live(b.t, key)
	if !ok {
		return false
	}
	b.undo = append(b.undo, undo[T]{key, w})
	if b.r.ent.Deleted == nil {
		b.set(key, nil)
		return true
	}
	marked := copyOf(w.val)
	b.r.ent.SetDeleted(valueOf(marked), &b.now)
	b.set(key, &row[T]{val: marked, seq: w.seq})
	return true
}
