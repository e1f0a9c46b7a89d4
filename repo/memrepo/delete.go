package memrepo

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// Delete deletes or marks the entities, all or none; see repo.Repository.
func (r *Repository[T]) Delete(ctx context.Context, es ...*T) error {
	if err := driver.Ended(ctx); err != nil {
		return wrap("delete", err)
	}
	if err := driver.CheckEntities(es); err != nil {
		return wrap("delete", err)
	}
	return wrap("delete", r.write(ctx, len(es), func(b *batch[T]) []*repo.ItemError {
		var bad []*repo.ItemError
		for i, e := range es {
			key := r.keyOf(e)
			w, ok := r.live(b.t, key)
			if !ok {
				continue
			}
			if have, want := r.ent.VersionOf(valueOf(w.val)), r.ent.VersionOf(valueOf(e)); have != want {
				err := fmt.Errorf("%w: version %d is stored, not %d", repo.ErrStale, have, want)
				bad = append(bad, &repo.ItemError{Index: i, ID: r.shownID(e), Err: err})
				continue
			}
			b.remove(key)
		}
		return bad
	}))
}

// DeleteByID deletes or marks the entity with the id; see repo.Repository.
func (r *Repository[T]) DeleteByID(ctx context.Context, id any) error {
	if err := driver.Ended(ctx); err != nil {
		return wrap("delete by id", err)
	}
	key, err := r.key(id)
	if err != nil {
		return wrap("delete by id", err)
	}
	_, err = r.deleteKeys(ctx, []any{key})
	return wrap("delete by id", err)
}

// DeleteAllByID deletes or marks the entities with the ids, all or none, and
// returns how many there were; see repo.Repository. A bad id is reported in a
// *repo.BatchError.
func (r *Repository[T]) DeleteAllByID(ctx context.Context, ids []any) (int64, error) {
	if err := driver.Ended(ctx); err != nil {
		return 0, wrap("delete all by id", err)
	}
	keys, err := r.keys(ids)
	if err != nil {
		return 0, wrap("delete all by id", err)
	}
	n, err := r.deleteKeys(ctx, keys)
	return n, wrap("delete all by id", err)
}

func (r *Repository[T]) deleteKeys(ctx context.Context, keys []any) (int64, error) {
	var n int64
	err := r.write(ctx, len(keys), func(b *batch[T]) []*repo.ItemError {
		for _, key := range keys {
			if b.remove(key) {
				n++
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
