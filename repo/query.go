package repo

import (
	"fmt"
	"reflect"

	"github.com/holdfast-go/holdfast/repo/internal/query"
)

// Option narrows, orders or limits what Find and Count see. The options of this package
// are all there are. Several options hold together; AnyOf makes alternatives.
type Option interface{ AddTo(q *query.Query) }

// Limit returns at most n entities. n must be positive.
func Limit(n int) Option {
	return query.Func(func(q *query.Query) {
		if n <= 0 {
			q.Bad = append(q.Bad, fmt.Errorf("%w: limit %d", ErrInvalid, n))
		}
		q.Limit = n
	})
}

// Offset passes over the first n entities. n must not be negative.
func Offset(n int) Option {
	return query.Func(func(q *query.Query) {
		if n < 0 {
			q.Bad = append(q.Bad, fmt.Errorf("%w: offset %d", ErrInvalid, n))
		}
		q.Offset = n
	})
}

// Native passes a condition in the store's own language: a
// func(*gorm.DB) *gorm.DB on SQL, a bson.D or bson.M filter on MongoDB, a
// func(*T) bool in memory. A value that the store does not know is
// ErrUnsupported, never ignored.
func Native(v any) Option {
	return query.Func(func(q *query.Query) { q.Native = append(q.Native, v) })
}

// AnyOf holds when at least one of the conditions does. It takes conditions
// only, no order, limit or Native.
func AnyOf(conds ...Option) Option {
	return query.Func(func(q *query.Query) {
		c := query.Cond{Op: query.OpAny}
		for _, o := range conds {
			var sub query.Query
			if o != nil {
				o.AddTo(&sub)
			}
			if len(sub.Where) == 0 || len(sub.Orders) > 0 || len(sub.Native) > 0 || sub.Limit > 0 || sub.Offset > 0 {
				q.Bad = append(q.Bad, fmt.Errorf("%w: AnyOf takes conditions only", ErrInvalid))
			}
			q.Bad = append(q.Bad, sub.Bad...)
			c.Any = append(c.Any, sub.Where)
		}
		q.Where = append(q.Where, c)
	})
}

// Field is a typed handle on one field of T.
type Field[T, V any] struct{ name string }

// F returns a handle on the field of T with the Go name (promoted fields of
// embedded structs by their own name, fields of nested structs dotted). The
// name is checked when it is used: an unknown one is ErrInvalid.
func F[T, V any](name string) Field[T, V] { return Field[T, V]{name} }

func (f Field[T, V]) cond(op query.Op, v any) Option {
	return query.Cond{Field: f.name, Op: op, Value: v, Owner: reflect.TypeFor[T](), ValueType: reflect.TypeFor[V]()}
}

// Eq holds when the field equals v.
func (f Field[T, V]) Eq(v V) Option { return f.cond(query.OpEq, v) }

// Ne holds when the field has another value than v. A field without a value
// does not compare: use Null for it.
func (f Field[T, V]) Ne(v V) Option { return f.cond(query.OpNe, v) }

// Lt holds when the field is less than v.
func (f Field[T, V]) Lt(v V) Option { return f.cond(query.OpLt, v) }

// Le holds when the field is at most v.
func (f Field[T, V]) Le(v V) Option { return f.cond(query.OpLe, v) }

// Gt holds when the field is greater than v.
func (f Field[T, V]) Gt(v V) Option { return f.cond(query.OpGt, v) }

// Ge holds when the field is at least v.
func (f Field[T, V]) Ge(v V) Option { return f.cond(query.OpGe, v) }

// In holds when the field equals one of vs. Without values nothing does.
func (f Field[T, V]) In(vs ...V) Option {
	list := make([]any, len(vs))
	for i, v := range vs {
		list[i] = v
	}
	return f.cond(query.OpIn, list)
}

// Null holds when the field has no ValueType: NULL in SQL, null or absent in
// MongoDB, a nil pointer in memory.
func (f Field[T, V]) Null() Option { return f.cond(query.OpNull, nil) }

// NotNull holds when the field has a value.
func (f Field[T, V]) NotNull() Option { return f.cond(query.OpNotNull, nil) }

// Prefix holds when the text of the field begins with prefix, which is taken
// literally. The field must be text.
func (f Field[T, V]) Prefix(prefix string) Option { return f.cond(query.OpPrefix, prefix) }

// Asc sorts by the field, smallest first.
func (f Field[T, V]) Asc() Option { return query.Order{Field: f.name, Owner: reflect.TypeFor[T]()} }

// Desc sorts by the field, largest first.
func (f Field[T, V]) Desc() Option {
	return query.Order{Field: f.name, Desc: true, Owner: reflect.TypeFor[T]()}
}
