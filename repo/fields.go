package repo

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/internal/query"
)

// Fields are the fields of T that a client of a list endpoint may filter and sort by. It
// turns names and values that come at run time into conditions, and refuses all others. It
// may be used concurrently.
//
//	var listed, _ = repo.FieldsOf[Order]("Status", "Total", "Address.City")
//
//	cond, err := listed.Where("total", "ge", "100")   // GET /orders?total=ge:100
//	sort, err := listed.SortBy("-total")
type Fields[T any] struct {
	byName map[string]*entity.Field
	names  []string
}

// FieldsOf allows the fields with the Go names, as NewField knows them. Name them all:
// what a client may ask for it can find out, field by field. A field that T does not have,
// one that cannot be compared, and two fields of one name are ErrInvalid.
func FieldsOf[T any](names ...string) (*Fields[T], error) {
	t := reflect.TypeFor[T]()
	fs := &Fields[T]{byName: map[string]*entity.Field{}}
	if len(names) == 0 {
		return nil, fmt.Errorf("repo: fields: %w: no fields of %s are named", ErrInvalid, t)
	}
	for _, name := range names {
		f, ok := entity.FieldByName(t, name)
		if !ok {
			return nil, fmt.Errorf("repo: fields: %w: %s has no field %q", ErrInvalid, t, name)
		}
		if _, err := parse(entity.Deref(f.Type), ""); err == errNoText { //nolint:errorlint // it is never wrapped
			return nil, fmt.Errorf("repo: fields: %w: field %s of %s: a %s cannot be read from text", ErrInvalid, name, t, f.Type)
		}
		f.Name = name
		shown := entity.JSONName(t, f.Index)
		if fs.byName[shown] != nil || fs.byName[name] != nil {
			return nil, fmt.Errorf("repo: fields: %w: two fields of %s are called %q", ErrInvalid, t, shown)
		}
		fs.byName[name], fs.byName[shown] = f, f
		fs.names = append(fs.names, shown)
	}
	return fs, nil
}

// Names lists the fields by their names in JSON, dotted inside nested structs.
func (fs *Fields[T]) Names() []string { return slices.Clone(fs.names) }

// operators are those that clients write.
func operators() map[string]query.Op {
	return map[string]query.Op{
		"eq": query.OpEq, "ne": query.OpNe, "lt": query.OpLt, "le": query.OpLe, "gt": query.OpGt, "ge": query.OpGe,
		"in": query.OpIn, "notIn": query.OpNotIn, "null": query.OpNull, "notNull": query.OpNotNull,
		"prefix": query.OpPrefix, "contains": query.OpContains, "suffix": query.OpSuffix,
		"between": query.OpAnd,
	}
}

// Operators lists what Where knows, sorted.
func (*Fields[T]) Operators() []string { return slices.Sorted(maps.Keys(operators())) }

// Where makes a condition of a field, an operator and values in text. The field goes by
// its name in JSON or in Go. The operators are eq, ne, lt, le, gt, ge, prefix, contains and
// suffix with one value, between with two, in and notIn with one or more, null and notNull
// with none. Numbers, true and false are written as in Go, times as in RFC 3339 or as a
// date in UTC, and other types as their UnmarshalText reads them. A field that is not
// allowed, an operator that there is not or that does not suit the field, and a value that
// cannot be read are ErrInvalid; the error shows the name and no value.
func (fs *Fields[T]) Where(name, operator string, values ...string) (Condition, error) {
	f, ok := fs.byName[name]
	if !ok {
		return Condition{}, fmt.Errorf("repo: where: %w: no field %.60q to filter by", ErrInvalid, name)
	}
	op, ok := operators()[operator]
	if !ok {
		return Condition{}, fmt.Errorf("repo: where: %w: no operator %.60q", ErrInvalid, operator)
	}
	if err := checkOperator(f, name, operator, op, len(values)); err != nil {
		return Condition{}, failed("where", err)
	}
	list := make([]any, len(values))
	for i, text := range values {
		v, err := parse(entity.Deref(f.Type), text)
		if err != nil {
			return Condition{}, fmt.Errorf("repo: where: %w: field %q: value %d is no %s", ErrInvalid, name, i, entity.Deref(f.Type))
		}
		list[i] = v
	}
	t := reflect.TypeFor[T]()
	c := query.Cond{Field: f.Name, Op: op, Owner: t, ValueType: f.Type}
	switch op {
	case query.OpIn, query.OpNotIn:
		c.Value = list
	case query.OpNull, query.OpNotNull:
	case query.OpPrefix, query.OpContains, query.OpSuffix:
		c.Value = values[0]
	case query.OpAnd:
		low, high := c, c
		low.Op, low.Value, high.Op, high.Value = query.OpGe, list[0], query.OpLe, list[1]
		c = query.Cond{Op: query.OpAnd, Sub: []query.Cond{low, high}}
	default:
		c.Value = list[0]
	}
	return Condition{c}, nil
}

func checkOperator(f *entity.Field, name, operator string, op query.Op, values int) error {
	fewest, most := 1, 1
	switch op {
	case query.OpNull, query.OpNotNull:
		fewest, most = 0, 0
	case query.OpAnd:
		fewest, most = 2, 2
	case query.OpIn, query.OpNotIn:
		most = maxListed
	case query.OpPrefix, query.OpContains, query.OpSuffix:
		if !entity.IsText(f.Type) {
			return fmt.Errorf("%w: %s of field %q, which is no text", ErrInvalid, operator, name)
		}
	}
	if values < fewest || values > most {
		return fmt.Errorf("%w: %s of field %q has %d values", ErrInvalid, operator, name, values)
	}
	return nil
}

// maxListed bounds a list that a client sends.
const maxListed = 1000

// SortBy makes a sort key of a name in JSON or in Go, with a minus before it for the
// largest first. A field that is not allowed is ErrInvalid.
func (fs *Fields[T]) SortBy(name string) (Sort, error) {
	plain, desc := strings.CutPrefix(name, "-")
	f, ok := fs.byName[plain]
	if !ok {
		return Sort{}, fmt.Errorf("repo: sort by: %w: no field %.60q to sort by", ErrInvalid, plain)
	}
	return Sort{query.Order{Field: f.Name, Desc: desc, Owner: reflect.TypeFor[T]()}}, nil
}

// errNoText says that values of a type are not read from text.
var errNoText = fmt.Errorf("%w: it has no text", ErrInvalid)

// parse reads a value of type t.
func parse(t reflect.Type, text string) (any, error) {
	out := reflect.New(t)
	if t == reflect.TypeFor[time.Time]() {
		if day, err := time.Parse(time.DateOnly, text); err == nil {
			return day, nil
		}
	}
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](out); ok {
		err := u.UnmarshalText([]byte(text))
		return out.Elem().Interface(), err
	}
	v := out.Elem()
	var err error
	switch {
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(text)
		v.SetBool(b)
	case v.CanInt():
		var n int64
		n, err = strconv.ParseInt(text, 10, t.Bits())
		v.SetInt(n)
	case v.CanUint():
		var n uint64
		n, err = strconv.ParseUint(text, 10, t.Bits())
		v.SetUint(n)
	case v.CanFloat():
		var n float64
		n, err = strconv.ParseFloat(text, t.Bits())
		v.SetFloat(n)
	default:
		return nil, errNoText
	}
	return v.Interface(), err
}
