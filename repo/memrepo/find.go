package memrepo

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// FindByID returns a copy of the entity with the id; see repo.Repository.
func (r *Repository[T]) FindByID(ctx context.Context, id any) (*T, error) {
	w, err := r.find(ctx, id)
	if err != nil {
		return nil, wrap("find by id", err)
	}
	return copyOf(w.val), nil
}

func (r *Repository[T]) find(ctx context.Context, id any) (*row[T], error) {
	if err := done(ctx); err != nil {
		return nil, err
	}
	key, err := r.key(id)
	if err != nil {
		return nil, err
	}
	t, unlock, err := r.toRead(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	w, ok := r.live(t, key)
	if !ok {
		return nil, fmt.Errorf("%w: %s %v", repo.ErrNotFound, r.ent.Type, key)
	}
	return w, nil
}

// FindAllByID returns copies in the order of ids; see repo.Repository. A bad id
// is reported in a *repo.BatchError.
func (r *Repository[T]) FindAllByID(ctx context.Context, ids []any) ([]*T, error) {
	if err := done(ctx); err != nil {
		return nil, wrap("find all by id", err)
	}
	keys, err := r.keys(ids)
	if err != nil {
		return nil, wrap("find all by id", err)
	}
	found := make([]*row[T], 0, len(keys))
	t, unlock, err := r.toRead(ctx)
	if err != nil {
		return nil, wrap("find all by id", err)
	}
	for _, key := range keys {
		if w, ok := r.live(t, key); ok {
			found = append(found, w)
		}
	}
	unlock()
	return copies(found), nil
}

// keys converts ids and leaves out repeated ones.
func (r *Repository[T]) keys(ids []any) ([]any, error) {
	var bad []*repo.ItemError
	seen := make(map[any]bool, len(ids))
	keys := make([]any, 0, len(ids))
	for i, id := range ids {
		key, err := r.key(id)
		if err != nil {
			bad = append(bad, &repo.ItemError{Index: i, Err: err})
			continue
		}
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	if len(bad) > 0 {
		return nil, &repo.BatchError{Items: bad}
	}
	return keys, nil
}

// ExistsByID tells whether there is an entity with the id; see
// repo.Repository.
func (r *Repository[T]) ExistsByID(ctx context.Context, id any) (bool, error) {
	if err := done(ctx); err != nil {
		return false, wrap("exists by id", err)
	}
	key, err := r.key(id)
	if err != nil {
		return false, wrap("exists by id", err)
	}
	t, unlock, err := r.toRead(ctx)
	if err != nil {
		return false, wrap("exists by id", err)
	}
	defer unlock()
	_, ok := r.live(t, key)
	return ok, nil
}

// Find returns copies of the entities that satisfy the options; see
// repo.Repository.
func (r *Repository[T]) Find(ctx context.Context, opts ...repo.Option) ([]*T, error) {
	q, err := driver.Compile[T](opts...)
	if err != nil {
		return nil, wrap("find", err)
	}
	found, err := r.matching(ctx, q)
	if err != nil {
		return nil, wrap("find", err)
	}
	if err := r.sort(found, q.Orders); err != nil {
		return nil, wrap("find", err)
	}
	found = found[min(q.Offset, len(found)):]
	if q.Limit > 0 {
		found = found[:min(q.Limit, len(found))]
	}
	return copies(found), nil
}

// Count counts the entities that Find would return; see repo.Repository.
func (r *Repository[T]) Count(ctx context.Context, opts ...repo.Option) (int64, error) {
	q, err := driver.Compile[T](opts...)
	if err != nil {
		return 0, wrap("count", err)
	}
	found, err := r.matching(ctx, q)
	return int64(len(found)), wrap("count", err)
}

// matching returns the rows that satisfy q, oldest first. Conditions run
// without the lock, because Native ones are code of the user.
func (r *Repository[T]) matching(ctx context.Context, q driver.Query) ([]*row[T], error) {
	if err := done(ctx); err != nil {
		return nil, err
	}
	match, err := r.matcher(q)
	if err != nil {
		return nil, err
	}
	found, err := r.all(ctx)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(w *row[T]) bool { return !match(w.val) })
	slices.SortFunc(found, func(a, b *row[T]) int { return cmp.Compare(a.seq, b.seq) })
	return found, done(ctx)
}

func (r *Repository[T]) all(ctx context.Context) ([]*row[T], error) {
	t, unlock, err := r.toRead(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	rows := make([]*row[T], 0, len(t.rows))
	for _, w := range t.rows {
		if !r.ent.IsDeleted(valueOf(w.val)) {
			rows = append(rows, w)
		}
	}
	return rows, nil
}

func copies[T any](rows []*row[T]) []*T {
	out := make([]*T, len(rows))
	for i, w := range rows {
		out[i] = copyOf(w.val)
	}
	return out
}
