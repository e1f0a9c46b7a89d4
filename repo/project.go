package repo

import (
	"context"
	"fmt"
	"reflect"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo/internal/query"
	"github.com/holdfast-go/holdfast/repo/internal/values"
)

// Project returns a P for each entity that Find would return, in the same order. Stores
// read the fields that P has and no others.
//
// Where P has counts, sums, minima or maxima it returns one P for each group of the
// entities that satisfy the conditions; Limit and Offset count groups. Without other
// fields there is one group, which may be empty. Sort keys are fields of P or of T, among
// those that P has:
//
//	top, err := repo.Project(ctx, orders, sales, repo.MustField[Sales, int64]("Total").Desc(), repo.Limit(10))
//
// Groups are made of texts by their characters. On MongoDB and in memory the groups are
// made in the process, from a stream of the fields; on SQL the database makes them.
//
// ErrInvalid for a sum of a field that is no number and a sort key that P does not have.
// ErrUnsupported for a sum that does not fit an int64, for min and max of other types than
// numbers, texts and time.Time, and for groups on a repository that makes none.
func Project[T, P any](ctx context.Context, r Repository[T], p Projection[T, P], q ...Option) ([]P, error) {
	if len(p.columns) == 0 {
		return nil, fmt.Errorf("repo: project: %w: an empty projection", ErrInvalid)
	}
	all, err := gathered(q)
	if err != nil {
		return nil, failed("project", err)
	}
	if p.groups() {
		return p.grouped(ctx, r, all)
	}
	for i, o := range all.Orders {
		if o.Owner != reflect.TypeFor[P]() {
			continue
		}
		c, ok := lo.Find(p.columns, func(c column) bool { return c.name == o.Field })
		if !ok {
			return nil, fmt.Errorf("repo: project: %w: the projection to %s has no field %q", ErrInvalid, o.Owner, o.Field)
		}
		all.Orders[i].Field, all.Orders[i].Owner = c.Field, reflect.TypeFor[T]()
	}
	all.Fields = lo.Map(p.columns, func(c column, _ int) string { return c.Field })
	found, err := r.Find(ctx, query.Func(func(q *query.Query) { *q = all }))
	if err != nil {
		return nil, err
	}
	list := make([]P, len(found))
	for i, e := range found {
		for _, c := range p.columns {
			if err := c.put(&list[i], c.field.Value(reflect.ValueOf(e).Elem())); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// put sets the field of p, a pointer to a P.
func (c column) put(p any, v reflect.Value) error {
	if err := values.Assign(reflect.ValueOf(p).Elem().Field(c.index), v); err != nil {
		return fmt.Errorf("repo: project: field %s: %w", c.name, err)
	}
	return nil
}

func (p Projection[T, P]) grouped(ctx context.Context, r Repository[T], q query.Query) ([]P, error) {
	a := query.Aggregation{Limit: q.Limit, Offset: q.Offset, Columns: lo.Map(p.columns, func(c column, _ int) query.Column { return c.Column })}
	for _, o := range q.Orders {
		i, err := p.columnFor(o)
		if err != nil {
			return nil, err
		}
		a.Orders = append(a.Orders, query.ColumnOrder{Column: i, Order: o})
	}
	rows, err := aggregate(ctx, r, "project", a, q)
	if err != nil {
		return nil, err
	}
	list := make([]P, len(rows))
	for i, row := range rows {
		for n, c := range p.columns {
			if err := c.put(&list[i], reflect.ValueOf(row[n])); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// columnFor finds the column of a sort key.
func (p Projection[T, P]) columnFor(o query.Order) (int, error) {
	_, i, ok := lo.FindIndexOf(p.columns, func(c column) bool {
		switch o.Owner {
		case reflect.TypeFor[P]():
			return c.name == o.Field
		case reflect.TypeFor[T]():
			return c.Func == query.FuncKey && c.Field == o.Field
		default:
			return false
		}
	})
	if !ok {
		return 0, fmt.Errorf("repo: project: %w: order by field %s of %v, which is not in the groups", ErrInvalid, o.Field, o.Owner)
	}
	return i, nil
}

// aggregate asks for groups of the entities that satisfy the conditions of q.
func aggregate[T any](ctx context.Context, r Repository[T], doing string, a query.Aggregation, q query.Query) ([][]any, error) {
	reader, ok := As[query.Reader[T]](r)
	if !ok {
		return nil, fmt.Errorf("repo: %s: %w: %T makes no groups", doing, ErrUnsupported, r)
	}
	a.Options = []Option{query.Func(func(to *query.Query) {
		to.Where, to.Native = append(to.Where, q.Where...), append(to.Native, q.Native...)
	})}
	return reader.Aggregate(ctx, a)
}

// Number is what Sum adds.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Sum adds the values of the field in the entities that satisfy the conditions. Entities
// without a value do not count, and without any value it is 0. ErrUnsupported when the
// sum does not fit an int64 and ErrInvalid when it does not fit V. ErrInvalid for a Limit
// or Offset. Sort keys do not matter.
func Sum[T any, V Number](ctx context.Context, r Repository[T], f Field[T, V], q ...Option) (V, error) {
	var sum V
	all, err := gathered(q)
	if err != nil {
		return sum, failed("sum", err)
	}
	if all.Limit != 0 || all.Offset != 0 {
		return sum, fmt.Errorf("repo: sum: %w: a sum with a limit or offset", ErrInvalid)
	}
	rows, err := aggregate(ctx, r, "sum", query.Aggregation{Columns: []query.Column{{Func: query.FuncSum, Field: f.name}}}, all)
	if err != nil {
		return sum, err
	}
	if err := values.Assign(reflect.ValueOf(&sum).Elem(), reflect.ValueOf(rows[0][0])); err != nil {
		return 0, fmt.Errorf("repo: sum: field %s: %w", f.name, err)
	}
	return sum, nil
}
