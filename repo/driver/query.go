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
	// Op is how a condition compares.
	Op = query.Op
)

// The comparisons that every backend knows.
const (
	OpEq      = query.OpEq
	OpNe      = query.OpNe
	OpLt      = query.OpLt
	OpLe      = query.OpLe
	OpGt      = query.OpGt
	OpGe      = query.OpGe
	OpIn      = query.OpIn
	OpNull    = query.OpNull
	OpNotNull = query.OpNotNull
	OpPrefix  = query.OpPrefix
	OpAny     = query.OpAny
)

// Compile checks the options against T and returns them in the form that
// backends read. It returns ErrInvalid for a field that T does not have, a
// handle made for another type, a value of a kind that the field cannot have,
// and a bad limit.
func Compile[T any](opts ...repo.Option) (Query, error) {
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
	t := reflect.TypeFor[T]()
	if err := checkConds(t, q.Where); err != nil {
		return q, err
	}
	for _, o := range q.Orders {
		if _, err := resolve(t, o.Owner, o.Field); err != nil {
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
		ft, err := resolve(t, c.Owner, c.Field)
		if err != nil {
			return err
		}
		if !entity.Compares(c.ValueType, ft) {
			return fmt.Errorf("%w: field %s of %s is a %s, compared as a %s", repo.ErrInvalid, c.Field, t, ft, c.ValueType)
		}
		if c.Op == OpPrefix && !entity.IsText(ft) {
			return fmt.Errorf("%w: prefix of field %s of %s, which is no text", repo.ErrInvalid, c.Field, t)
		}
	}
	return nil
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
