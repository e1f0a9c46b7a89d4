package repo

import (
	"context"
	"fmt"
	"reflect"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/internal/values"
)

// Pluck returns one field of the entities that Find would return, in their order. Stores
// read that field alone. An entity without a value gives the zero value; a handle whose V
// is a pointer gives nil, and NotNull leaves such entities out. ErrInvalid for a value that
// V cannot hold.
//
//	emails, err := repo.Pluck(ctx, customers, email, active.Eq(true))
func Pluck[T, V any](ctx context.Context, r Repository[T], f Field[T, V], q ...Option) ([]V, error) {
	if err := f.check(); err != nil {
		return nil, failed("pluck", err)
	}
	field, _ := entity.FieldByName(reflect.TypeFor[T](), f.name)
	found, err := r.Find(ctx, with(q, only(f.name))...)
	if err != nil {
		return nil, err
	}
	list := make([]V, len(found))
	for i, e := range found {
		if err := values.Assign(reflect.ValueOf(&list[i]).Elem(), field.Value(reflect.ValueOf(e).Elem())); err != nil {
			return nil, fmt.Errorf("repo: pluck: field %s: %w", f.name, err)
		}
	}
	return list, nil
}
