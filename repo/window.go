package repo

import (
	"context"
	"fmt"
	"reflect"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/internal/query"
)

// WindowRequest asks for a window.
type WindowRequest struct {
	// Size is from 1 to MaxPageSize.
	Size int
	// After is the cursor of the window before, empty for the first one.
	After string
}

// Window is a part of what Find would return.
type Window[T any] struct {
	// Items are the entities of the window.
	Items []*T `json:"items"`
	// Next is the cursor of the window behind this one, and empty when there is none.
	Next string `json:"next,omitempty"`
}

// FindWindow returns the entities that come behind the cursor, in the order of the sort
// keys, which are completed by the id. The store finds the place by a condition on the
// sort keys, so that the last window costs what the first one does where an index serves
// the order. Saves between two calls neither repeat nor hide an entity whose sort keys
// they leave as they are.
//
// A cursor belongs to the entity type, the sort keys and the conditions that it was made
// with, whatever their order; any other cursor is ErrCursor. The size may change.
//
// A sort key must have a value in the store or be a field that can be without one in Go, a
// pointer for instance: entities that the store has no value for, in a field that reads as
// zero then, can be left out. On MySQL a column of type FLOAT is no sort key, since it
// does not equal what is read from it.
//
// ErrInvalid for a size that is not from 1 to MaxPageSize, a Limit or an Offset.
// ErrUnsupported for a Native option, which a cursor cannot tell from another one, and for
// a sort key of a type whose values are not comparable.
func FindWindow[T any](ctx context.Context, r Repository[T], c *Cursors, w WindowRequest, q ...Option) (Window[T], error) {
	p, q, err := windowOf(r, c, w, q)
	if err != nil {
		return Window[T]{}, failed("find window", err)
	}
	found, more, err := some(ctx, r, w.Size, q)
	if err != nil || !more {
		return Window[T]{Items: found}, err
	}
	next, err := c.write(p, reflect.ValueOf(found[len(found)-1]).Elem())
	if err != nil {
		return Window[T]{Items: found}, failed("find window", err)
	}
	return Window[T]{Items: found, Next: next}, nil
}

// windowOf returns the places in the order of the options, and the options that find what
// comes behind the cursor.
func windowOf[T any](r Repository[T], c *Cursors, w WindowRequest, q []Option) (p places, behind []Option, err error) {
	if err := checkSize(w.Size); err != nil {
		return p, nil, err
	}
	if c == nil {
		return p, nil, fmt.Errorf("%w: nil cursors", ErrInvalid)
	}
	all, missing, err := completed(r, q)
	if err != nil {
		return p, nil, err
	}
	if p, err = placesOf(reflect.TypeFor[T](), all); err != nil || w.After == "" {
		return p, with(q, missing), err
	}
	at, err := c.read(w.After, p)
	if err != nil {
		return p, nil, err
	}
	return p, with(q, missing, Condition{p.behind(at)}), nil
}

// places are those in the order of a query.
type places struct {
	owner  reflect.Type
	orders []query.Order
	fields []*entity.Field
	// print tells the query from others.
	print [printSize]byte
}

func placesOf(t reflect.Type, q query.Query) (p places, err error) {
	if len(q.Native) > 0 {
		return p, fmt.Errorf("%w: a native option in a window: a cursor cannot tell it from another one", ErrUnsupported)
	}
	p = places{owner: t, orders: q.Orders, fields: make([]*entity.Field, len(q.Orders))}
	for i, o := range q.Orders {
		f, ok := entity.FieldByName(t, o.Field)
		if !ok || o.Owner != t {
			return p, fmt.Errorf("%w: %s has no field %q to sort by", ErrInvalid, t, o.Field)
		}
		p.fields[i] = f
	}
	p.print, err = printOf(t, q)
	return p, err
}

// behind holds for the entities that come after the place, whose values are those of the
// sort keys, nil where there is none.
//
// It is nested, and it asks for at least the value in addition to more than it, so that an
// index finds the place, and so that what the order takes for equal is equal here.
func (p places) behind(at []any) query.Cond {
	if len(at) == 0 {
		return query.Cond{Op: query.OpOr} // the place itself
	}
	i := len(p.orders) - len(at)
	o, f := p.orders[i], p.fields[i]
	test := func(op query.Op) query.Cond {
		return query.Cond{Field: o.Field, Op: op, Value: at[0], Owner: p.owner, ValueType: f.Type}
	}
	rest := p.behind(at[1:])
	switch {
	case at[0] == nil && o.NullsAtEnd():
		return both(test(query.OpNull), rest)
	case at[0] == nil:
		return either(test(query.OpNotNull), both(test(query.OpNull), rest))
	}
	from, beyond := query.OpGe, query.OpGt
	if o.Desc {
		from, beyond = query.OpLe, query.OpLt
	}
	c := test(beyond)
	if len(at) > 1 {
		c = both(test(from), either(c, rest))
	}
	if o.NullsAtEnd() && f.MayBeNull(p.owner) {
		c = either(test(query.OpNull), c)
	}
	return c
}

func both(c ...query.Cond) query.Cond   { return query.Cond{Op: query.OpAnd, Sub: c} }
func either(c ...query.Cond) query.Cond { return query.Cond{Op: query.OpOr, Sub: c} }

// valuesOf are the values of the sort keys.
func (p places) valuesOf(e reflect.Value) []reflect.Value {
	return lo.Map(p.fields, func(f *entity.Field, _ int) reflect.Value { return f.Value(e) })
}
