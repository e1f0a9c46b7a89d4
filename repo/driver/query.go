package driver

import (
	"fmt"
	"reflect"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/internal/query"
)

// What a query consists of.
type (
	// Query is a list of options put together.
	Query = query.Query
	// Cond is one condition.
	Cond = query.Cond
	// Order is one sort key.
	Order = query.Order
	// Nulls says where a sort puts entities whose field has no value.
	Nulls = query.Nulls
	// Op is how a condition compares.
	Op = query.Op
)

// The comparisons that every backend knows.
const (
	OpEq       = query.OpEq
	OpNe       = query.OpNe
	OpLt       = query.OpLt
	OpLe       = query.OpLe
	OpGt       = query.OpGt
	OpGe       = query.OpGe
	OpIn       = query.OpIn
	OpNotIn    = query.OpNotIn
	OpNull     = query.OpNull
	OpNotNull  = query.OpNotNull
	OpPrefix   = query.OpPrefix
	OpContains = query.OpContains
	OpSuffix   = query.OpSuffix
	OpAnd      = query.OpAnd
	OpOr       = query.OpOr
)

// The places of entities without a value.
const (
	NullsDefault = query.NullsDefault
	NullsFirst   = query.NullsFirst
	NullsLast    = query.NullsLast
)

// Compile checks the options against T and returns them in the form that
// backends read. It returns ErrInvalid for a field that T does not have, a
// handle made for another type, a value of a kind that the field cannot have,
// and a bad limit.
//
// Conditions come without negations: Not has been moved into the comparisons, so that
// every one of them is strict, which means that it does not hold for a field without a
// value. What always holds was left out, and a query that never finds anything has an
// OpOr without alternatives.
func Compile[T any](opts ...repo.Option) (Query, error) {
	return CompileFor(reflect.TypeFor[T](), opts...)
}

// CompileFor does what Compile does, for the entity type t.
func CompileFor(t reflect.Type, opts ...repo.Option) (Query, error) {
	var q Query
	for _, o := range opts {
		if o == nil {
			return q, fmt.Errorf("%w: nil query option", repo.ErrInvalid)
		}
		o.AddTo(&q)
	}
	if len(q.Bad) > 0 {
		return q, q.Bad[0]
	}
	for _, c := range q.Where {
		if err := checkCond(t, c, false); err != nil {
			return q, err
		}
	}
	if where := simplify(Cond{Op: OpAnd, Sub: q.Where}, false); where.Op == OpAnd {
		q.Where = where.Sub
	} else {
		q.Where = []Cond{where}
	}
	for _, o := range q.Orders {
		if _, err := resolve(t, o.Owner, o.Field); err != nil {
			return q, err
		}
	}
	for _, name := range q.Fields {
		if _, err := resolve(t, t, name); err != nil {
			return q, err
		}
	}
	return q, nil
}

func checkCond(t reflect.Type, c Cond, negated bool) error {
	switch c.Op {
	case "":
		return fmt.Errorf("%w: an empty condition", repo.ErrInvalid)
	case OpAnd, OpOr, query.OpNot:
		for _, sub := range c.Sub {
			if err := checkCond(t, sub, negated != (c.Op == query.OpNot)); err != nil {
				return err
			}
		}
		return nil
	}
	ft, err := resolve(t, c.Owner, c.Field)
	if err != nil {
		return err
	}
	if !entity.Compares(c.ValueType, ft) {
		return fmt.Errorf("%w: field %s of %s is a %s, compared as a %s", repo.ErrInvalid, c.Field, t, ft, c.ValueType)
	}
	if needsText(c) && !entity.IsText(ft) {
		return fmt.Errorf("%w: %s of field %s of %s, which is no text", repo.ErrInvalid, c.Op, c.Field, t)
	}
	isNotIn := c.Op == OpNotIn && !negated || c.Op == OpIn && negated
	if list, ok := c.Value.([]any); ok && isNotIn && len(list) == 0 {
		return fmt.Errorf("%w: field %s of %s not in an empty list", repo.ErrInvalid, c.Field, t)
	}
	return nil
}

// needsText tells whether the condition makes sense for text only.
func needsText(c Cond) bool {
	switch c.Op {
	case OpPrefix, OpContains, OpSuffix:
		return true
	case OpNull, OpNotNull:
		return false
	default:
		return c.IgnoreCase
	}
}

// negation is the comparison that holds where op fails.
func negation(op Op) Op {
	return map[Op]Op{
		OpEq: OpNe, OpNe: OpEq, OpLt: OpGe, OpGe: OpLt, OpGt: OpLe, OpLe: OpGt,
		OpIn: OpNotIn, OpNotIn: OpIn, OpNull: OpNotNull, OpNotNull: OpNull, OpAnd: OpOr, OpOr: OpAnd,
	}[op]
}

// simplify moves negations into the comparisons, by the laws of De Morgan, which hold
// for comparisons without an answer too, and leaves out what does not matter.
func simplify(c Cond, negated bool) Cond {
	switch c.Op {
	case query.OpNot:
		return simplify(c.Sub[0], !negated)
	case OpAnd, OpOr:
	case OpPrefix, OpContains, OpSuffix:
		c.Negated = c.Negated != negated
		return c
	default:
		if negated {
			c.Op = negation(c.Op)
		}
		return c
	}
	if negated {
		c.Op = negation(c.Op)
	}
	var list []Cond
	for _, sub := range c.Sub {
		switch sub = simplify(sub, negated); {
		case sub.Op == c.Op:
			list = append(list, sub.Sub...) // it has none where it does not matter
		case (sub.Op == OpAnd || sub.Op == OpOr) && len(sub.Sub) == 0:
			return Cond{Op: sub.Op} // it alone decides
		default:
			list = append(list, sub)
		}
	}
	if len(list) == 1 {
		return list[0]
	}
	return Cond{Op: c.Op, Sub: list}
}

func resolve(t, owner reflect.Type, name string) (reflect.Type, error) {
	if owner != t {
		return nil, fmt.Errorf("%w: field %s is of %v, not of %s", repo.ErrInvalid, name, owner, t)
	}
	f, ok := entity.FieldByName(t, name)
	if !ok {
		return nil, fmt.Errorf("%w: %s has no field %q", repo.ErrInvalid, t, name)
	}
	return f.Type, nil
}
