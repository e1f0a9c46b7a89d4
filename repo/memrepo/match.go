package memrepo

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/values"
)

// natives are the conditions of q that are code of the user.
func (r *Repository[T]) natives(q driver.Query) ([]func(*T) bool, error) {
	natives := make([]func(*T) bool, len(q.Native))
	for i, n := range q.Native {
		fn, ok := n.(func(*T) bool)
		if !ok || fn == nil {
			return nil, fmt.Errorf("%w: native option %T, want a func(*%s) bool", repo.ErrUnsupported, n, r.ent.Type)
		}
		natives[i] = fn
	}
	return natives, nil
}

// A condition is compiled once. What cannot be compared is reported then, not per row,
// so that an empty repository answers as a full one does.
type condition func(e reflect.Value) bool

func (r *Repository[T]) conjunction(conds []driver.Cond) (condition, error) {
	list := make([]condition, len(conds))
	for i, c := range conds {
		var err error
		if list[i], err = r.condition(c); err != nil {
			return nil, err
		}
	}
	return func(e reflect.Value) bool {
		return !slices.ContainsFunc(list, func(c condition) bool { return !c(e) })
	}, nil
}

func (r *Repository[T]) condition(c driver.Cond) (condition, error) {
	switch c.Op {
	case driver.OpAnd:
		return r.conjunction(c.Sub)
	case driver.OpOr:
		return r.alternatives(c.Sub)
	}
	f, err := r.field(c.Field)
	if err != nil {
		return nil, err
	}
	test, err := fieldTest(c)
	if err != nil {
		return nil, err
	}
	return func(e reflect.Value) bool {
		v, ok := values.Plain(fieldOf(f, e))
		if test == nil { // null or not null
			return ok == (c.Op == driver.OpNotNull)
		}
		return ok && test(v)
	}, nil
}

func (r *Repository[T]) alternatives(conds []driver.Cond) (condition, error) {
	list := make([]condition, len(conds))
	for i, c := range conds {
		var err error
		if list[i], err = r.condition(c); err != nil {
			return nil, err
		}
	}
	return func(e reflect.Value) bool {
		return slices.ContainsFunc(list, func(c condition) bool { return c(e) })
	}, nil
}

// fieldTest says what the value of a field, which is never null, must satisfy.
func fieldTest(c driver.Cond) (func(v reflect.Value) bool, error) {
	switch c.Op {
	case driver.OpNull, driver.OpNotNull:
		return nil, nil
	case driver.OpIn, driver.OpNotIn:
		return membership(c)
	case driver.OpPrefix, driver.OpContains, driver.OpSuffix:
		text, _ := c.Value.(string)
		holds := map[driver.Op]func(s, text string) bool{
			driver.OpPrefix: strings.HasPrefix, driver.OpContains: strings.Contains, driver.OpSuffix: strings.HasSuffix,
		}[c.Op]
		text = folded(c, reflect.ValueOf(text)).String()
		return func(v reflect.Value) bool { return holds(folded(c, v).String(), text) != c.Negated }, nil
	case driver.OpEq, driver.OpNe, driver.OpLt, driver.OpLe, driver.OpGt, driver.OpGe:
		return comparison(c)
	default:
		return nil, fmt.Errorf("%w: comparison %q", repo.ErrUnsupported, c.Op)
	}
}

// folded is text in lower case where the condition asks for it.
func folded(c driver.Cond, v reflect.Value) reflect.Value {
	if !c.IgnoreCase || v.Kind() != reflect.String {
		return v
	}
	return reflect.ValueOf(strings.ToLower(v.String()))
}

func membership(c driver.Cond) (func(v reflect.Value) bool, error) {
	list, ok := c.Value.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: in of %T", repo.ErrInvalid, c.Value)
	}
	var among []reflect.Value
	for _, x := range list {
		v, ok := values.Plain(reflect.ValueOf(x))
		switch {
		case ok:
			among = append(among, folded(c, v))
		case c.Op == driver.OpNotIn: // nothing compares with null
			return func(reflect.Value) bool { return false }, nil
		}
	}
	return func(v reflect.Value) bool {
		v = folded(c, v)
		return slices.ContainsFunc(among, func(x reflect.Value) bool { return values.Equal(v, x) }) == (c.Op == driver.OpIn)
	}, nil
}

func comparison(c driver.Cond) (func(v reflect.Value) bool, error) {
	want, ok := values.Plain(reflect.ValueOf(c.Value))
	if !ok { // nothing compares with null
		return func(reflect.Value) bool { return false }, nil
	}
	want = folded(c, want)
	if c.Op == driver.OpEq || c.Op == driver.OpNe {
		return func(v reflect.Value) bool { return values.Equal(folded(c, v), want) == (c.Op == driver.OpEq) }, nil
	}
	if !values.Ordered(want.Type()) {
		return nil, fmt.Errorf("%w: %s of field %s, a %s has no order", repo.ErrUnsupported, c.Op, c.Field, want.Type())
	}
	holds := map[driver.Op]func(int) bool{
		driver.OpLt: func(n int) bool { return n < 0 },
		driver.OpLe: func(n int) bool { return n <= 0 },
		driver.OpGt: func(n int) bool { return n > 0 },
		driver.OpGe: func(n int) bool { return n >= 0 },
	}[c.Op]
	return func(v reflect.Value) bool {
		n, ok := values.Compare(folded(c, v), want)
		return ok && holds(n)
	}, nil
}
