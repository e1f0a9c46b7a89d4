package memrepo

import (
	"cmp"
	sqldriver "database/sql/driver"
	"fmt"
	"reflect"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
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
		if !ordered(t) && !t.Implements(reflect.TypeFor[sqldriver.Valuer]()) {
			return nil, fmt.Errorf("%w: order by %s, a %s has no order", repo.ErrUnsupported, o.Field, t)
		}
		fields[i] = f
	}
	return func(a, b *row[T]) int {
		for i, o := range orders {
			if n := compareNullable(fieldOf(fields[i], valueOf(a.val)), fieldOf(fields[i], valueOf(b.val)), o); n != 0 {
				return n
			}
		}
		return cmp.Compare(a.seq, b.seq)
	}, nil
}

// compareNullable puts what has no value where the order wants it.
func compareNullable(a, b reflect.Value, o driver.Order) int {
	x, xok := plain(a)
	y, yok := plain(b)
	if !xok || !yok {
		n := cmp.Compare(rank(xok), rank(yok))
		if o.NullsAtEnd() {
			n = -n
		}
		return n
	}
	n, _ := compare(x, y)
	if o.Desc {
		n = -n
	}
	return n
}

func rank(ok bool) int {
	if ok {
		return 1
	}
	return 0
}
