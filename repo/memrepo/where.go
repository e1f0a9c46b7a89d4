package memrepo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/actor"
)

// UpdateWhere assigns to fields of all entities that satisfy the condition, or of none;
// see repo.Writer.
func (r *Repository[T]) UpdateWhere(ctx context.Context, where repo.Condition, set ...repo.Assignment) (int64, error) {
	if err := driver.Ended(ctx); err != nil {
		return 0, wrap("update where", err)
	}
	u, err := driver.CompileUpdate(r.ent.Type, where, set)
	if err != nil {
		return 0, wrap("update where", err)
	}
	for _, c := range u.Changes {
		if err := r.isWritten(c.Field, false); err != nil {
			return 0, wrap("update where", err)
		}
	}
	n, err := r.writeWhere(ctx, u.Where, func(b *batch[T], w *row[T]) error { return b.change(w, u.Changes) })
	return n, wrap("update where", err)
}

// DeleteWhere deletes or marks all entities that satisfy the condition, or none; see
// repo.Writer.
func (r *Repository[T]) DeleteWhere(ctx context.Context, where repo.Condition) (int64, error) {
	if err := driver.Ended(ctx); err != nil {
		return 0, wrap("delete where", err)
	}
	conds, err := driver.CompileWhere(r.ent.Type, where)
	if err != nil {
		return 0, wrap("delete where", err)
	}
	n, err := r.writeWhere(ctx, conds, func(b *batch[T], w *row[T]) error {
		b.remove(r.keyOf(w.val))
		return nil
	})
	return n, wrap("delete where", err)
}

// writeWhere calls write for every row that satisfies the conditions, in the order in which
// they were first saved, and returns how many there were.
func (r *Repository[T]) writeWhere(ctx context.Context, conds []driver.Cond, write func(b *batch[T], w *row[T]) error) (n int64, err error) {
	matches, err := r.conjunction(conds)
	if err != nil {
		return 0, err
	}
	const many = 2 // an error in a part of them spoils a transaction
	err = r.write(ctx, many, func(b *batch[T]) []*repo.ItemError {
		found := lo.Filter(lo.Values(b.t.rows), func(w *row[T], _ int) bool {
			return !r.ent.IsDeleted(valueOf(w.val)) && matches(valueOf(w.val))
		})
		slices.SortFunc(found, func(x, y *row[T]) int { return cmp.Compare(x.seq, y.seq) })
		for _, w := range found {
			if err := write(b, w); err != nil {
				return []*repo.ItemError{{Err: err}}
			}
		}
		n = int64(len(found))
		return nil
	})
	if err != nil {
		return 0, single(err)
	}
	return n, nil
}

// single is the error of a list of one, without the list. The cause of a rollback may have
// been another list.
func single(err error) error {
	if errors.Is(err, repo.ErrRolledBack) {
		return err
	}
	if batch, ok := errors.AsType[*repo.BatchError](err); ok && len(batch.Items) == 1 {
		return batch.Items[0].Err
	}
	return err
}

// change writes some fields of a row.
func (b *batch[T]) change(w *row[T], changes []driver.Change) error {
	e := copyOf(w.val)
	for _, c := range changes {
		if err := c.Apply(valueOf(e)); err != nil {
			return err
		}
	}
	if err := b.touch(e); err != nil {
		return err
	}
	return b.put(b.r.keyOf(e), copyOf(e)) // which shares no memory with the changes
}

// touch counts the version up, and sets when and who it was.
func (b *batch[T]) touch(e *T) error {
	ent, v := b.r.ent, valueOf(e)
	ent.SetVersion(v, ent.VersionOf(v)+1)
	return ent.StampUpdated(v, b.now, actor.From(b.ctx))
}

// Restore takes the deletion mark off the entities with the ids, all or none; see
// repo.Writer.
func (r *Repository[T]) Restore(ctx context.Context, ids ...any) (int64, error) {
	if err := driver.Ended(ctx); err != nil {
		return 0, wrap("restore", err)
	}
	if r.ent.Deleted == nil {
		return 0, wrap("restore", fmt.Errorf("%w: %s has no deletion mark", repo.ErrInvalid, r.ent.Type))
	}
	keys, err := r.keys(ids)
	if err != nil {
		return 0, wrap("restore", err)
	}
	var n int64
	err = r.write(ctx, len(keys), func(b *batch[T]) []*repo.ItemError {
		for _, key := range keys {
			w, ok := b.t.rows[key]
			if !ok || !r.ent.IsDeleted(valueOf(w.val)) {
				continue
			}
			e := copyOf(w.val)
			r.ent.SetDeleted(valueOf(e), nil)
			if err := b.touch(e); err != nil {
				return []*repo.ItemError{{Err: err}}
			}
			if err := b.put(key, e); err != nil {
				return []*repo.ItemError{{Err: err}}
			}
			n++
		}
		return nil
	})
	if err != nil {
		return 0, wrap("restore", single(err))
	}
	return n, nil
}
