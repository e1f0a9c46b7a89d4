package repo

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/internal/query"
)

// FindOne returns the first entity that Find would return, or ErrNotFound. Of several it
// is the first by the sort keys, and without any the one that the store comes upon first.
// A Limit among the options does not matter.
func FindOne[T any](ctx context.Context, r Repository[T], q ...Option) (*T, error) {
	found, err := r.Find(ctx, with(q, Limit(1))...)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("repo: find one: %w: no %s satisfies the conditions", ErrNotFound, reflect.TypeFor[T]())
	}
	return found[0], nil
}

// Exists tells whether Find would return any entity. The store stops at the first one.
func Exists[T any](ctx context.Context, r Repository[T], q ...Option) (bool, error) {
	key, err := keyFields(r)
	if err != nil {
		return false, failed("exists", err)
	}
	found, err := r.Find(ctx, with(q, only(key...), Limit(1))...)
	return len(found) > 0, err
}

// Min returns the smallest value of the field among the entities that satisfy the
// options. Entities without a value do not count; where there is no other it is
// ErrNotFound. The order is that of Asc, which an index on the field serves.
func Min[T, V any](ctx context.Context, r Repository[T], f Field[T, V], q ...Option) (V, error) {
	return extreme(ctx, r, "min", f, f.Asc(), q)
}

// Max returns the largest value of the field, as Min does the smallest.
func Max[T, V any](ctx context.Context, r Repository[T], f Field[T, V], q ...Option) (V, error) {
	return extreme(ctx, r, "max", f, f.Desc(), q)
}

func extreme[T, V any](ctx context.Context, r Repository[T], doing string, f Field[T, V], by Sort, q []Option) (V, error) {
	found, err := Pluck(ctx, r, f, with(with([]Option{by, f.NotNull()}, q...), Limit(1))...)
	var none V
	switch {
	case err != nil:
		return none, err
	case len(found) == 0:
		return none, fmt.Errorf("repo: %s: %w: no %s with a value of %s", doing, ErrNotFound, reflect.TypeFor[T](), f.name)
	}
	return found[0], nil
}

// with adds options to a list that belongs to the caller.
func with(q []Option, more ...Option) []Option {
	return append(slices.Clip(q), more...)
}

// only has the store read these fields; it may leave the others zero.
func only(fields ...string) Option {
	return query.Func(func(q *query.Query) { q.Fields = append(q.Fields, fields...) })
}

// keyFields names the fields of the key.
func keyFields[T any](r Repository[T]) ([]string, error) {
	if reader, ok := As[query.Reader[T]](r); ok {
		if names := reader.KeyFields(); len(names) > 0 {
			return names, nil
		}
	}
	e, err := entity.Parse(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	return e.KeyNames(), nil
}
