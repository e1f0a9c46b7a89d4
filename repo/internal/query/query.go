package query

import "reflect"

// Option adds something to a query.
type Option interface{ AddTo(q *Query) }

// Op is how a condition compares.
type Op string

// The comparisons that every backend knows.
const (
	OpEq       Op = "="
	OpNe       Op = "!="
	OpLt       Op = "<"
	OpLe       Op = "<="
	OpGt       Op = ">"
	OpGe       Op = ">="
	OpIn       Op = "in"
	OpNotIn    Op = "not in"
	OpNull     Op = "null"
	OpNotNull  Op = "not null"
	OpPrefix   Op = "prefix"
	OpContains Op = "contains"
	OpSuffix   Op = "suffix"
	// OpAnd and OpOr join the conditions in Sub. Without any, OpAnd always holds
	// and OpOr never does.
	OpAnd Op = "and"
	OpOr  Op = "or"
	// OpNot negates the only condition in Sub. Backends do not see it.
	OpNot Op = "not"
)

// Cond is one condition, as a backend sees it.
type Cond struct {
	// Field is the name of the Go field, dotted inside nested structs.
	Field string
	// Op says how the two are compared.
	Op Op
	// Value is what the field is compared with: a []any for OpIn and OpNotIn.
	Value any
	// IgnoreCase tells that text is compared in lower case.
	IgnoreCase bool
	// Negated tells that OpPrefix, OpContains or OpSuffix must not hold, for a field
	// that has a value.
	Negated bool
	// Sub holds what OpAnd, OpOr and OpNot are about.
	Sub []Cond

	// Owner is the type that the handle was made for, and ValueType that of its values.
	Owner, ValueType reflect.Type
}

// Nulls says where a sort puts entities whose field has no value.
type Nulls int

// The places of entities without a value.
const (
	// NullsDefault puts them first when the smallest comes first, and last when the
	// largest does.
	NullsDefault Nulls = iota
	NullsFirst
	NullsLast
)

// Order is one sort key, as a backend sees it.
type Order struct {
	// Field is the Go name of the field, dotted inside nested structs.
	Field string
	// Desc puts the largest first.
	Desc bool
	// Nulls says where those without a value go.
	Nulls Nulls

	// Owner is the type that the handle was made for.
	Owner reflect.Type
}

// NullsAtEnd tells whether entities without a value come last.
func (o Order) NullsAtEnd() bool {
	return o.Nulls == NullsLast || o.Nulls == NullsDefault && o.Desc
}

// Query is a list of options put together, for backends.
type Query struct {
	// Where holds the conditions; an entity must meet all of them.
	Where []Cond
	// Orders holds the sort keys, the first one first.
	Orders []Order
	// Limit is the largest number of entities to return; 0 means no limit.
	Limit int
	// Offset is how many to skip first.
	Offset int
	// Fields names the fields that the caller looks at; nil means all. A store may
	// leave the others zero.
	Fields []string
	// Native holds the values given to the option Native.
	Native []any

	// Bad holds what was wrong with the arguments of options.
	Bad []error
}

// AddTo adds the condition.
func (c Cond) AddTo(q *Query) { q.Where = append(q.Where, c) }

// AddTo adds the sort key.
func (o Order) AddTo(q *Query) { q.Orders = append(q.Orders, o) }

// Func is an option that is a function.
type Func func(*Query)

// AddTo calls the function.
func (f Func) AddTo(q *Query) { f(q) }
