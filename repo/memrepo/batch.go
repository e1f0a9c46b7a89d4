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

// replace does what Save promises with e, an entity that a document gave. One whose
// document names no version overwrites what is stored in any version.
func (b *batch[T]) replace(e *T) error {
	if r := b.r; r.ent.VersionOf(valueOf(e)) == 0 && r.ent.MayBeRead(e, r.unnumbered(e)) {
		if old, ok := r.live(b.t, r.keyOf(e)); ok {
			return b.overwrite(r.keyOf(e), old, e)
		}
	}
	return b.save(e)
}

// save does what Save promises with e, which the batch owns from now on, and
// sets its key, version and times.
func (b *batch[T]) save(e *T) error {
	r, v := b.r, valueOf(e)
	isNew := r.ent.IsNew(v.Addr(), r.unnumbered(e))
	mayBeRead := r.ent.MayBeRead(e, r.unnumbered(e))
	if err := b.assignKey(e); err != nil {
		return err
	}
	key := r.keyOf(e)
	old := b.t.rows[key]
	if old == nil {
		if !isNew && r.ent.VersionOf(v) != 0 {
			return fmt.Errorf("%w: the entity is gone", repo.ErrStale)
		}
		return b.insert(key, e)
	}
	switch deleted := r.ent.IsDeleted(valueOf(old.val)); {
	case deleted && r.revive && isNew:
		return b.overwrite(key, old, e)
	case isNew && (deleted || !mayBeRead || r.ent.VersionOf(valueOf(old.val)) != 0):
		return fmt.Errorf("%w: the entity exists", repo.ErrDuplicateKey)
	case deleted && !r.revive:
		return fmt.Errorf("%w: the entity is marked as deleted", repo.ErrNotFound)
	}
	if have, want := r.ent.VersionOf(valueOf(old.val)), r.ent.VersionOf(v); have != want {
		return fmt.Errorf("%w: version %d is stored, not %d", repo.ErrStale, have, want)
	}
	return b.overwrite(key, old, e)
}

func (b *batch[T]) insert(key any, e *T) error {
	ent, v := b.r.ent, valueOf(e)
	ent.SetVersion(v, b.r.first)
	ent.SetDeleted(v, nil)
	ent.Stamp(v, b.now)
	return b.put(key, e)
}

func (b *batch[T]) overwrite(key any, old *row[T], e *T) error {
	ent, v, was := b.r.ent, valueOf(e), valueOf(copyOf(old.val))
	ent.SetVersion(v, ent.VersionOf(was)+1)
	ent.SetDeleted(v, nil)
	for _, f := range ent.Created {
		set(f, v, was)
	}
	ent.Stamp(v, b.now)
	return b.put(key, e)
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
