package memrepo

import (
	"context"
	"fmt"

	"github.com/samber/lo"

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
	if err := driver.Ended(ctx); err != nil {
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
	if err := driver.Ended(ctx); err != nil {
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
	if err := driver.Ended(ctx); err != nil {
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
	found, err := r.rows(ctx, opts)
	if err != nil {
		return nil, wrap("find", err)
	}
	return copies(found), nil
}

// rows finds the rows that satisfy the options, in their order.
func (r *Repository[T]) rows(ctx context.Context, opts []repo.Option) ([]*row[T], error) {
	q, err := driver.Compile[T](opts...)
	if err != nil {
		return nil, err
	}
	less, err := r.order(q.Orders)
	if err != nil {
		return nil, err
	}
	for _, name := range q.Fields {
		if _, err := r.field(name); err != nil {
			return nil, err
		}
	}
	first := ranking[T]{before: less, keep: lo.Ternary(q.Limit > 0, q.Offset+q.Limit, 0)}
	if err := r.each(ctx, q, first.add); err != nil {
		return nil, err
	}
	found := first.sorted()
	return found[min(q.Offset, len(found)):], nil
}

// Count counts the entities that Find would return; see repo.Repository.
func (r *Repository[T]) Count(ctx context.Context, opts ...repo.Option) (int64, error) {
	q, err := driver.Compile[T](opts...)
	if err != nil {
		return 0, wrap("count", err)
	}
	var n int64
	if err := r.each(ctx, q, func(*row[T]) { n++ }); err != nil {
		return 0, wrap("count", err)
	}
	return n, nil
}

// each calls visit with every row that satisfies q, in no order. Native conditions run
// without the lock, because they are code of the user.
func (r *Repository[T]) each(ctx context.Context, q driver.Query, visit func(*row[T])) error {
	if err := driver.Ended(ctx); err != nil {
		return err
	}
	matches, err := r.conjunction(q.Where)
	if err != nil {
		return err
	}
	natives, err := r.natives(q)
	if err != nil {
		return err
	}
	var later []*row[T]
	if err := r.scan(ctx, func(w *row[T]) {
		switch {
		case !matches(valueOf(w.val)):
		case len(natives) == 0:
			visit(w)
		default:
			later = append(later, w)
		}
	}); err != nil {
		return err
	}
	for _, w := range later {
		if lo.EveryBy(natives, func(fn func(*T) bool) bool { return fn(copyOf(w.val)) }) {
			visit(w)
		}
	}
	return driver.Ended(ctx)
}

// scan calls visit with every row that is not marked as deleted.
func (r *Repository[T]) scan(ctx context.Context, visit func(*row[T])) error {
	t, unlock, err := r.toRead(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for _, w := range t.rows {
		if !r.ent.IsDeleted(valueOf(w.val)) {
			visit(w)
		}
	}
	return nil
}

func copies[T any](rows []*row[T]) []*T {
	return lo.Map(rows, func(w *row[T], _ int) *T { return copyOf(w.val) })
}
