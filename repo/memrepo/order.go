package memrepo

import (
	"cmp"
	sqldriver "database/sql/driver"
	"fmt"
	"reflect"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/internal/values"
)

// order compares rows by the sort keys, and equal ones by when they were first saved.
func (r *Repository[T]) order(orders []driver.Order) (func(a, b *row[T]) int, error) {
	fields := make([]*entity.Field, len(orders))
	for i, o := range orders {
		f, err := r.field(o.Field)
		if err != nil {
			return nil, err
		}
		t := f.Type
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if !values.Ordered(t) && !t.Implements(reflect.TypeFor[sqldriver.Valuer]()) {
			return nil, fmt.Errorf("%w: order by %s, a %s has no order", repo.ErrUnsupported, o.Field, t)
		}
		fields[i] = f
	}
	return func(a, b *row[T]) int {
		for i, o := range orders {
			if n := values.CompareNullable(fieldOf(fields[i], valueOf(a.val)), fieldOf(fields[i], valueOf(b.val)), o.Desc, o.NullsAtEnd()); n != 0 {
				return n
			}
		}
		return cmp.Compare(a.seq, b.seq)
	}, nil
}
