package repo

import (
	"fmt"
	"reflect"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/internal/query"
)

// Field is a typed handle on one field of T, for conditions and sort keys.
type Field[T, V any] struct{ name string }

// MustField returns a handle on the field of T with the Go name, for variables of a
// package: it panics where NewField returns an error, so that a misspelt name fails when
// the program starts.
//
//	var orderTotal = repo.MustField[Order, int64]("Total")
func MustField[T, V any](name string) Field[T, V] {
	f, err := NewField[T, V](name)
	if err != nil {
		panic(err)
	}
	return f
}

// NewField returns a handle on the field of T with the Go name: promoted fields of
// embedded structs by their own name, fields of nested structs dotted, as in
// "Address.City". A field that T does not have, and one whose type does not compare with
// V, is ErrInvalid. Whether the store has a column for the field it checks when the handle
// is used.
func NewField[T, V any](name string) (Field[T, V], error) {
	f := Field[T, V]{name}
	if err := f.check(); err != nil {
		return Field[T, V]{}, failed("new field", err)
	}
	return f, nil
}

func (f Field[T, V]) check() error {
	t, v := reflect.TypeFor[T](), reflect.TypeFor[V]()
	of, ok := entity.FieldByName(t, f.name)
	if !ok {
		return fmt.Errorf("%w: %s has no field %q", ErrInvalid, t, f.name)
	}
	if !entity.Compares(v, of.Type) {
		return fmt.Errorf("%w: field %s of %s is a %s, compared as a %s", ErrInvalid, f.name, t, of.Type, v)
	}
	return nil
}

// F is NewField with the check left to the query: a wrong name is ErrInvalid when the
// handle is used.
func F[T, V any](name string) Field[T, V] { return Field[T, V]{name} }

// Name returns the Go name of the field.
func (f Field[T, V]) Name() string { return f.name }

func (f Field[T, V]) cond(op query.Op, v any) Condition {
	return Condition{query.Cond{Field: f.name, Op: op, Value: v, Owner: reflect.TypeFor[T](), ValueType: reflect.TypeFor[V]()}}
}

// Eq holds when the field equals v. Nothing equals a nil v.
func (f Field[T, V]) Eq(v V) Condition { return f.cond(query.OpEq, v) }

// Ne holds when the field has another value than v. A field without a value
// does not compare: use Null for it.
func (f Field[T, V]) Ne(v V) Condition { return f.cond(query.OpNe, v) }

// Lt holds when the field is less than v.
func (f Field[T, V]) Lt(v V) Condition { return f.cond(query.OpLt, v) }

// Le holds when the field is at most v.
func (f Field[T, V]) Le(v V) Condition { return f.cond(query.OpLe, v) }

// Gt holds when the field is greater than v.
func (f Field[T, V]) Gt(v V) Condition { return f.cond(query.OpGt, v) }

// Ge holds when the field is at least v.
func (f Field[T, V]) Ge(v V) Condition { return f.cond(query.OpGe, v) }

// Between holds when the field is at least low and at most high.
func (f Field[T, V]) Between(low, high V) Condition { return And(f.Ge(low), f.Le(high)) }

// In holds when the field equals one of vs. Without values nothing does.
func (f Field[T, V]) In(vs ...V) Condition { return f.cond(query.OpIn, lo.ToAnySlice(vs)) }

// NotIn holds when the field has a value and equals none of vs. Where one of vs is nil
// nothing does, as in SQL. Without values it is ErrInvalid: a list that was left empty by
// mistake would find everything.
func (f Field[T, V]) NotIn(vs ...V) Condition { return f.cond(query.OpNotIn, lo.ToAnySlice(vs)) }

// Null holds when the field has no value: NULL in SQL, null or absent in
// MongoDB, a nil pointer in memory.
func (f Field[T, V]) Null() Condition { return f.cond(query.OpNull, nil) }

// NotNull holds when the field has a value.
func (f Field[T, V]) NotNull() Condition { return f.cond(query.OpNotNull, nil) }

// Prefix holds when the text of the field begins with text, which is taken
// literally. The field must be text.
func (f Field[T, V]) Prefix(text string) Condition { return f.cond(query.OpPrefix, text) }

// Contains holds when text is somewhere in the text of the field. It is taken literally.
// The field must be text.
func (f Field[T, V]) Contains(text string) Condition { return f.cond(query.OpContains, text) }

// Suffix holds when the text of the field ends with text, which is taken literally. The
// field must be text.
func (f Field[T, V]) Suffix(text string) Condition { return f.cond(query.OpSuffix, text) }

// Asc sorts by the field, smallest first. Entities without a value come before all
// others, unless NullsLast says otherwise.
func (f Field[T, V]) Asc() Sort { return Sort{query.Order{Field: f.name, Owner: reflect.TypeFor[T]()}} }

// Desc sorts by the field, largest first. Entities without a value come after all
// others, unless NullsFirst says otherwise.
func (f Field[T, V]) Desc() Sort {
	return Sort{query.Order{Field: f.name, Desc: true, Owner: reflect.TypeFor[T]()}}
}

// Sort is an Option that orders what Find returns. Of several, the first one decides, and
// the others where it finds no difference.
type Sort struct{ order query.Order }

// AddTo adds the sort key to a query.
func (s Sort) AddTo(q *query.Query) { q.Orders = append(q.Orders, s.order) }

// NullsFirst puts entities whose field has no value before all others. MongoDB has this
// order for Asc only; for Desc it is ErrUnsupported there.
func (s Sort) NullsFirst() Sort {
	s.order.Nulls = query.NullsFirst
	return s
}

// NullsLast puts entities whose field has no value after all others. MongoDB has this
// order for Desc only; for Asc it is ErrUnsupported there.
func (s Sort) NullsLast() Sort {
	s.order.Nulls = query.NullsLast
	return s
}
