package repo

import (
	"fmt"
	"reflect"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// Option narrows, orders or cuts what Find and Count see. Several options hold
// together; AnyOf makes alternatives.
type Option interface{ addTo(q *Query) }

// Op is how a condition compares.
type Op string

// The comparisons that every backend knows.
const (
	OpEq      Op = "="
	OpNe      Op = "!="
	OpLt      Op = "<"
	OpLe      Op = "<="
	OpGt      Op = ">"
	OpGe      Op = ">="
	OpIn      Op = "in"
	OpNull    Op = "null"
	OpNotNull Op = "not null"
	OpPrefix  Op = "prefix"
	OpAny     Op = "any of"
)

// Cond is one condition, as a backend sees it.
type Cond struct {
	// Field is the name of the Go field, dotted inside nested structs.
	Field string
	// Op says how the two are compared.
	Op Op
	// Value is what the field is compared with: a []any for OpIn.
	Value any
	// Any holds the alternatives of OpAny, each a conjunction.
	Any [][]Cond

	owner reflect.Type
	value reflect.Type
}

func (c Cond) addTo(q *Query) { q.Where = append(q.Where, c) }

// Order is one sort key, as a backend sees it.
type Order struct {
	// Field is the Go name of the field.
	Field string
	// Desc puts the largest first.
	Desc bool

	owner reflect.Type
}

func (o Order) addTo(q *Query) { q.Orders = append(q.Orders, o) }

// Query is the compiled form of a list of options, for backends.
type Query struct {
	// Where holds the conditions; an entity must meet all of them.
	Where []Cond
	// Orders holds the sort keys, the first one first.
	Orders []Order
	// Limit is the largest number of entities to return; 0 means no limit.
	Limit int
	// Offset is how many to pass over first.
	Offset int
	// Native holds the values given to the option Native.
	Native []any

	bad []error
}

type queryFunc func(*Query)

func (f queryFunc) addTo(q *Query) { f(q) }

// Limit returns at most n entities. n must be positive.
func Limit(n int) Option {
	return queryFunc(func(q *Query) {
		if n <= 0 {
			q.bad = append(q.bad, fmt.Errorf("%w: limit %d", ErrInvalid, n))
		}
		q.Limit = n
	})
}

// Offset passes over the first n entities. n must not be negative.
func Offset(n int) Option {
	return queryFunc(func(q *Query) {
		if n < 0 {
			q.bad = append(q.bad, fmt.Errorf("%w: offset %d", ErrInvalid, n))
		}
		q.Offset = n
	})
}

// Native passes a condition in the store's own language: a
// func(*gorm.DB) *gorm.DB on SQL, a bson.D or bson.M filter on MongoDB, a
// func(*T) bool in memory. A value that the store does not know is
// ErrUnsupported, never ignored.
func Native(v any) Option {
	return queryFunc(func(q *Query) { q.Native = append(q.Native, v) })
}

// AnyOf holds when at least one of the conditions does. It takes conditions
// only, no order, limit or Native.
func AnyOf(conds ...Option) Option {
	return queryFunc(func(q *Query) {
		c := Cond{Op: OpAny}
		for _, o := range conds {
			var sub Query
			if o != nil {
				o.addTo(&sub)
			}
			if len(sub.Where) == 0 || len(sub.Orders) > 0 || len(sub.Native) > 0 || sub.Limit > 0 || sub.Offset > 0 {
				q.bad = append(q.bad, fmt.Errorf("%w: AnyOf takes conditions only", ErrInvalid))
			}
			q.bad = append(q.bad, sub.bad...)
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

func (f Field[T, V]) cond(op Op, v any) Option {
	return Cond{Field: f.name, Op: op, Value: v, owner: reflect.TypeFor[T](), value: reflect.TypeFor[V]()}
}

// Eq holds when the field equals v.
func (f Field[T, V]) Eq(v V) Option { return f.cond(OpEq, v) }

// Ne holds when the field has another value than v. A field without a value
// does not compare: use Null for it.
func (f Field[T, V]) Ne(v V) Option { return f.cond(OpNe, v) }

// Lt holds when the field is less than v.
func (f Field[T, V]) Lt(v V) Option { return f.cond(OpLt, v) }

// Le holds when the field is at most v.
func (f Field[T, V]) Le(v V) Option { return f.cond(OpLe, v) }

// Gt holds when the field is greater than v.
func (f Field[T, V]) Gt(v V) Option { return f.cond(OpGt, v) }

// Ge holds when the field is at least v.
func (f Field[T, V]) Ge(v V) Option { return f.cond(OpGe, v) }

// In holds when the field equals one of vs. Without values nothing does.
func (f Field[T, V]) In(vs ...V) Option {
	list := make([]any, len(vs))
	for i, v := range vs {
		list[i] = v
	}
	return f.cond(OpIn, list)
}

// Null holds when the field has no value: NULL in SQL, null or absent in
// MongoDB, a nil pointer in memory.
func (f Field[T, V]) Null() Option { return f.cond(OpNull, nil) }

// NotNull holds when the field has a value.
func (f Field[T, V]) NotNull() Option { return f.cond(OpNotNull, nil) }

// Prefix holds when the text of the field begins with prefix, which is taken
// literally. The field must be text.
func (f Field[T, V]) Prefix(prefix string) Option { return f.cond(OpPrefix, prefix) }

// Asc sorts by the field, smallest first.
func (f Field[T, V]) Asc() Option { return Order{Field: f.name, owner: reflect.TypeFor[T]()} }

// Desc sorts by the field, largest first.
func (f Field[T, V]) Desc() Option {
	return Order{Field: f.name, Desc: true, owner: reflect.TypeFor[T]()}
}

// Compile checks the options against T and returns them in the form that
// backends read. It returns ErrInvalid for a field that T does not have, a
// handle made for another type, a value of a kind that the field cannot have,
// and a bad limit.
func Compile[T any](opts ...Option) (Query, error) {
	var q Query
	for _, o := range opts {
		if o == nil {
			return q, fmt.Errorf("%w: nil query option", ErrInvalid)
		}
		o.addTo(&q)
	}
	if len(q.bad) > 0 {
		return q, q.bad[0]
	}
	t := reflect.TypeFor[T]()
	if err := checkConds(t, q.Where); err != nil {
		return q, err
	}
	for _, o := range q.Orders {
		if _, err := resolve(t, o.owner, o.Field); err != nil {
			return q, err
		}
	}
	return q, nil
}

func checkConds(t reflect.Type, conds []Cond) error {
	for _, c := range conds {
		if c.Op == OpAny {
			for _, alt := range c.Any {
				if err := checkConds(t, alt); err != nil {
					return err
				}
			}
			continue
		}
		ft, err := resolve(t, c.owner, c.Field)
		if err != nil {
			return err
		}
		if !entity.Compares(c.value, ft) {
			return fmt.Errorf("%w: field %s of %s is a %s, compared as a %s", ErrInvalid, c.Field, t, ft, c.value)
		}
		if c.Op == OpPrefix && !entity.IsText(ft) {
			return fmt.Errorf("%w: prefix of field %s of %s, which is no text", ErrInvalid, c.Field, t)
		}
	}
	return nil
}

func resolve(t, owner reflect.Type, name string) (reflect.Type, error) {
	if owner != t {
		return nil, fmt.Errorf("%w: field %s is of %v, not of %s", ErrInvalid, name, owner, t)
	}
	f, ok := entity.FieldByName(t, name)
	if !ok {
		return nil, fmt.Errorf("%w: %s has no field %q", ErrInvalid, t, name)
	}
	return f.Type, nil
}
