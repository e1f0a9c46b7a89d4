package repo

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/internal/query"
)

// Projection reads entities of type T into a smaller struct P; see Project. Its fields
// have the names of those of T, or say by a tag what they hold:
//
//	type Sales struct {
//		Buyer  string                           // of the same name in Order
//		City   string `holdfast:"Address.City"` // of another one
//		Orders int64  `holdfast:"count"`        // how many entities
//		Total  int64  `holdfast:"sum Total"`    // or min, or max
//	}
//
// Fields with count, sum, min or max make groups of the entities that agree in the others.
// A field tagged "-", and one that is not exported, is left alone.
//
// The types must agree but for pointers, and numbers and texts with their like. Where a
// value is missing a pointer is nil and another field zero. A count is an integer. A sum is
// an integer or a float as the field is, and 0 without values; min and max are of numbers,
// texts and time.Time.
type Projection[T, P any] struct{ columns []column }

// column is a field of P and what it holds.
type column struct {
	query.Column
	// field is the one of T, nil for a count, and index that of P.
	field *entity.Field
	index int
	name  string
}

// MustProjection is NewProjection for variables of a package: it panics on an error, so
// that a misspelt name fails when the program starts.
//
//	var sales = repo.MustProjection[Order, Sales]()
func MustProjection[T, P any]() Projection[T, P] {
	p, err := NewProjection[T, P]()
	if err != nil {
		panic(err)
	}
	return p
}

// NewProjection reads the fields of P. ErrInvalid when P is no struct or has no fields, when
// T has no such field, and when the types do not agree.
func NewProjection[T, P any]() (Projection[T, P], error) {
	t, pt := reflect.TypeFor[T](), reflect.TypeFor[P]()
	p := Projection[T, P]{}
	if pt.Kind() != reflect.Struct {
		return p, fmt.Errorf("repo: projection: %w: to a %s, which is no struct", ErrInvalid, pt)
	}
	for i := range pt.NumField() {
		sf := pt.Field(i)
		tag := sf.Tag.Get("holdfast")
		if !sf.IsExported() || tag == "-" {
			continue
		}
		c, err := columnOf(t, sf, tag)
		if err != nil {
			return p, fmt.Errorf("repo: projection: %s: field %s: %w", pt, sf.Name, err)
		}
		c.index = i
		p.columns = append(p.columns, c)
	}
	if len(p.columns) == 0 {
		return p, fmt.Errorf("repo: projection: %w: to %s, which has no fields", ErrInvalid, pt)
	}
	return p, nil
}

func columnOf(t reflect.Type, sf reflect.StructField, tag string) (column, error) {
	c := column{name: sf.Name, Column: query.Column{Field: tag}}
	name, of, _ := strings.Cut(tag, " ")
	switch fn := query.ColumnFunc(name); {
	case tag == "":
		c.Field = sf.Name
	case fn == query.FuncCount && of == "":
		c.Column = query.Column{Func: fn}
		if !entity.IsInt(sf.Type) {
			return c, fmt.Errorf("%w: a count in a %s", ErrInvalid, sf.Type)
		}
		return c, nil
	case fn == query.FuncSum || fn == query.FuncMin || fn == query.FuncMax:
		c.Column = query.Column{Func: fn, Field: strings.TrimSpace(of)}
	}
	f, ok := entity.FieldByName(t, c.Field)
	if !ok {
		return c, fmt.Errorf("%w: %s has no field %q", ErrInvalid, t, c.Field)
	}
	if !entity.Compares(sf.Type, f.Type) {
		return c, fmt.Errorf("%w: field %s of %s is a %s, projected to a %s", ErrInvalid, c.Field, t, f.Type, sf.Type)
	}
	c.field = f
	return c, nil
}

// groups tells whether the projection makes groups.
func (p Projection[T, P]) groups() bool {
	return lo.SomeBy(p.columns, func(c column) bool { return c.Func != query.FuncKey })
}
