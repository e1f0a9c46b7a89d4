package lockedrepo

import (
	"context"
	"fmt"
	"reflect"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// writer is what the wrapped repository writes with, or ErrUnsupported.
func (r *Repository[T]) writer(doing string) (repo.Writer[T], error) {
	writer, ok := repo.As[repo.Writer[T]](r.inner)
	if !ok {
		return nil, fmt.Errorf("lockedrepo: %s: %w: %T cannot do it", doing, repo.ErrUnsupported, r.inner)
	}
	return writer, nil
}

// Insert does what repo.Writer says while it holds the lock. For no entities it takes none.
func (r *Repository[T]) Insert(ctx context.Context, es ...*T) error {
	const doing = "insert"
	writer, err := r.writer(doing)
	if err != nil {
		return err
	}
	if err := driver.CheckEntities(es); err != nil {
		return fmt.Errorf("lockedrepo: %s: %w", doing, err)
	}
	if len(es) == 0 {
		return writer.Insert(ctx)
	}
	return r.locksetOf(ctx, es).locked(ctx, doing, func(ctx context.Context) error { return writer.Insert(ctx, es...) })
}

// InsertIfAbsent does what repo.Writer says while it holds the lock. For no entities it
// takes none.
func (r *Repository[T]) InsertIfAbsent(ctx context.Context, es ...*T) ([]*T, error) {
	const doing = "insert if absent"
	writer, err := r.writer(doing)
	if err != nil {
		return nil, err
	}
	if err := driver.CheckEntities(es); err != nil {
		return nil, fmt.Errorf("lockedrepo: %s: %w", doing, err)
	}
	if len(es) == 0 {
		return writer.InsertIfAbsent(ctx)
	}
	return lockedValue(ctx, r.locksetOf(ctx, es).member, doing, func(ctx context.Context) ([]*T, error) { return writer.InsertIfAbsent(ctx, es...) })
}

// UpsertBy does what repo.Writer says while it holds the lock, with Options.Stripes those
// of all stripes: the keys of the stored entities are not known before. For no entities it
// takes none.
func (r *Repository[T]) UpsertBy(ctx context.Context, es []*T, by ...repo.Handle) (repo.Upserted, error) {
	const doing = "upsert by"
	writer, err := r.writer(doing)
	if err != nil {
		return repo.Upserted{}, err
	}
	if _, err := driver.CheckNatural(es, by); err != nil {
		return repo.Upserted{}, fmt.Errorf("lockedrepo: %s: %w", doing, err)
	}
	if len(es) == 0 {
		return writer.UpsertBy(ctx, es, by...)
	}
	return lockedValue(ctx, r.whole.member, doing, func(ctx context.Context) (repo.Upserted, error) { return writer.UpsertBy(ctx, es, by...) })
}

// UpdateWhere does what repo.Writer says while it holds the lock, with Options.Stripes
// those of all stripes.
func (r *Repository[T]) UpdateWhere(ctx context.Context, where repo.Condition, set ...repo.Assignment) (int64, error) {
	const doing = "update where"
	writer, err := r.writer(doing)
	if err != nil {
		return 0, err
	}
	if _, err := driver.CompileUpdate(reflect.TypeFor[T](), where, set); err != nil {
		return 0, fmt.Errorf("lockedrepo: %s: %w", doing, err)
	}
	return lockedValue(ctx, r.whole.member, doing, func(ctx context.Context) (int64, error) { return writer.UpdateWhere(ctx, where, set...) })
}

// DeleteWhere does what repo.Writer says while it holds the lock, with Options.Stripes
// those of all stripes.
func (r *Repository[T]) DeleteWhere(ctx context.Context, where repo.Condition) (int64, error) {
	const doing = "delete where"
	writer, err := r.writer(doing)
	if err != nil {
		return 0, err
	}
	if _, err := driver.CompileWhere(reflect.TypeFor[T](), where); err != nil {
		return 0, fmt.Errorf("lockedrepo: %s: %w", doing, err)
	}
	return lockedValue(ctx, r.whole.member, doing, func(ctx context.Context) (int64, error) { return writer.DeleteWhere(ctx, where) })
}

// Restore does what repo.Writer says while it holds the lock. For no ids it takes none.
func (r *Repository[T]) Restore(ctx context.Context, ids ...any) (int64, error) {
	const doing = "restore"
	writer, err := r.writer(doing)
	if err != nil {
		return 0, err
	}
	if len(ids) == 0 {
		return writer.Restore(ctx)
	}
	return lockedValue(ctx, r.locksetOfIDs(ctx, ids...).member, doing, func(ctx context.Context) (int64, error) { return writer.Restore(ctx, ids...) })
}
