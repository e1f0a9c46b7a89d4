package driver

import (
	"bytes"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"time"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/internal/query"
	"github.com/holdfast-go/holdfast/repo/internal/values"
)

// CheckAggregation refuses an aggregation of the entity type t: ErrInvalid for a field that t
// does not have, for a sum of a field that is no number and for an order by no column;
// ErrUnsupported for a field whose values have no order that all stores agree on.
func CheckAggregation(t reflect.Type, a Aggregation) error {
	for _, c := range a.Columns {
		if c.Func == FuncCount {
			continue
		}
		ft, err := resolve(t, t, c.Field)
		if err == nil {
			err = checkColumn(c, entity.Deref(ft))
		}
		if err != nil {
			return err
		}
	}
	for _, o := range a.Orders {
		if o.Column < 0 || o.Column >= len(a.Columns) {
			return fmt.Errorf("%w: order by column %d of %d", repo.ErrInvalid, o.Column, len(a.Columns))
		}
	}
	return nil
}

func checkColumn(c Column, t reflect.Type) error {
	isNumber := entity.IsInt(t) || t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64
	switch {
	case c.Func == FuncSum && !isNumber:
		return fmt.Errorf("%w: sum of field %s, which is a %s", repo.ErrInvalid, c.Field, t)
	case c.Func != FuncKey && !isNumber && t.Kind() != reflect.String && t != reflect.TypeFor[time.Time]():
		return fmt.Errorf("%w: %s of field %s, which is a %s", repo.ErrUnsupported, c.Func, c.Field, t)
	case c.Func == FuncKey && !values.Ordered(t) && t.Kind() != reflect.Struct:
		return fmt.Errorf("%w: groups by field %s, which is a %s", repo.ErrUnsupported, c.Field, t)
	}
	return nil
}

// Aggregate makes the rows of a from the entities of type t, for stores that cannot do so
// themselves. each calls visit with the struct of every entity that satisfies the options.
// The memory grows with the number of groups.
func Aggregate(t reflect.Type, a Aggregation, each func(q []repo.Option, visit func(e reflect.Value)) error) ([][]any, error) {
	if err := CheckAggregation(t, a); err != nil {
		return nil, err
	}
	s := &groups{columns: a.Columns, fields: make([]*entity.Field, len(a.Columns)), byKey: map[any]*group{}}
	named := []string{} // and not all of them, where there are counts alone
	for i, c := range a.Columns {
		if c.Func == FuncKey {
			s.keys = append(s.keys, i)
		}
		if c.Func != FuncCount {
			s.fields[i], _ = entity.FieldByName(t, c.Field)
			named = append(named, c.Field)
		}
	}
	only := query.Func(func(q *query.Query) { q.Fields = named })
	if err := each(append(slices.Clone(a.Options), only), s.add); err != nil {
		return nil, err
	}
	if len(s.keys) == 0 && len(s.all) == 0 {
		s.all = append(s.all, newGroup(a.Columns))
	}
	rows := make([][]any, len(s.all))
	for i, g := range s.all {
		var err error
		if rows[i], err = g.row(s.fields); err != nil {
			return nil, err
		}
	}
	return cutRows(a, rows), nil
}

// groups are those that have been seen.
type groups struct {
	columns []Column
	// fields are those of the columns, nil for a count, and keys the columns with FuncKey.
	fields []*entity.Field
	keys   []int
	byKey  map[any]*group
	all    []*group
}

func (s *groups) add(e reflect.Value) {
	row := lo.Map(s.fields, func(f *entity.Field, _ int) any { return plainOf(f, e) })
	key := identityOf(row, s.keys)
	g := s.byKey[key]
	if g == nil {
		g = newGroup(s.columns)
		s.byKey[key], s.all = g, append(s.all, g)
	}
	g.add(row)
}

func cutRows(a Aggregation, rows [][]any) [][]any {
	slices.SortStableFunc(rows, func(x, y []any) int {
		for _, o := range a.Orders {
			if n := values.CompareNullable(reflect.ValueOf(x[o.Column]), reflect.ValueOf(y[o.Column]), o.Desc, o.NullsAtEnd()); n != 0 {
				return n
			}
		}
		return 0
	})
	rows = rows[min(a.Offset, len(rows)):]
	if a.Limit > 0 {
		rows = rows[:min(a.Limit, len(rows))]
	}
	return rows
}

// plainOf is the value of a field without what is around it, nil where it is missing.
func plainOf(f *entity.Field, e reflect.Value) any {
	if f == nil {
		return nil
	}
	v, ok := values.Plain(f.Value(e))
	if !ok {
		return nil
	}
	if b, ok := reflect.TypeAssert[[]byte](v); ok {
		return bytes.Clone(b)
	}
	return v.Interface()
}

// identityOf is == for rows of one group.
func identityOf(row []any, keys []int) any {
	if len(keys) == 0 {
		return nil
	}
	return entity.Comparable(lo.Map(keys, func(i, _ int) any {
		if t, ok := row[i].(time.Time); ok {
			return t.UTC().Round(0)
		}
		if row[i] == nil {
			return struct{}{}
		}
		return row[i]
	}))
}

// group is what has been seen of one group.
type group struct {
	columns []Column
	values  []any
	count   int64
	sums    []big.Int
	floats  []float64
}

func newGroup(columns []Column) *group {
	n := len(columns)
	return &group{columns: columns, values: make([]any, n), sums: make([]big.Int, n), floats: make([]float64, n)}
}

func (g *group) add(row []any) {
	g.count++
	for i, v := range row {
		if v == nil {
			continue
		}
		rv := reflect.ValueOf(v)
		switch g.columns[i].Func {
		case FuncKey:
			g.values[i] = v
		case FuncSum:
			g.addTo(i, rv)
		case FuncMin, FuncMax:
			if g.values[i] == nil || values.CompareNullable(rv, reflect.ValueOf(g.values[i]), g.columns[i].Func == FuncMax, false) < 0 {
				g.values[i] = v
			}
		case FuncCount:
		}
	}
}

func (g *group) addTo(i int, v reflect.Value) {
	switch {
	case v.CanInt():
		g.sums[i].Add(&g.sums[i], big.NewInt(v.Int()))
	case v.CanUint():
		g.sums[i].Add(&g.sums[i], new(big.Int).SetUint64(v.Uint()))
	default:
		g.floats[i] += v.Float()
	}
}

func (g *group) row(fields []*entity.Field) ([]any, error) {
	for i, c := range g.columns {
		switch {
		case c.Func == FuncCount:
			g.values[i] = g.count
		case c.Func == FuncSum && !entity.IsInt(fields[i].Type):
			g.values[i] = g.floats[i]
		case c.Func == FuncSum && !g.sums[i].IsInt64():
			return nil, fmt.Errorf("%w: the sum of field %s is %s, which is no int64", repo.ErrUnsupported, c.Field, &g.sums[i])
		case c.Func == FuncSum:
			g.values[i] = g.sums[i].Int64()
		}
	}
	return g.values, nil
}
