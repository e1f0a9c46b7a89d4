package gormrepo

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
	"github.com/holdfast-go/holdfast/repo/internal/values"
)

// Aggregate has the database make groups; see driver.Reader.
func (r *store) Aggregate(ctx context.Context, a driver.Aggregation) ([][]any, error) {
	list, err := r.aggregate(ctx, a)
	return list, r.failed(ctx, "aggregate", err)
}

func (r *store) aggregate(ctx context.Context, a driver.Aggregation) ([][]any, error) {
	if err := driver.CheckAggregation(r.entity.Type, a); err != nil {
		return nil, err
	}
	columns := make([]aggregated, len(a.Columns))
	for i, c := range a.Columns {
		columns[i] = aggregated{Column: c, alias: "holdfast_" + strconv.Itoa(i), dialect: r.dialect}
		if c.Func == driver.FuncCount {
			continue
		}
		var err error
		if columns[i].of, err = r.operand(c.Field); err != nil {
			return nil, err
		}
	}
	q, err := r.compile(ctx, a.Options)
	if err != nil {
		return nil, err
	}
	q.Limit, q.Offset = a.Limit, a.Offset
	var list [][]any
	err = r.read(ctx, func(tx *gorm.DB) error {
		tx, err := r.restrict(tx, q)
		if err != nil {
			return err
		}
		clear(tx.Statement.Preloads)
		list, err = r.groupRows(ctx, r.cut(inGroups(tx, columns, a.Orders), q), columns)
		return err
	})
	if dberr.IsOverflow(err) {
		err = fmt.Errorf("%w: a sum is no int64: %w", repo.ErrUnsupported, err)
	}
	return list, err
}

// inGroups makes a query of groups.
func inGroups(tx *gorm.DB, columns []aggregated, orders []driver.ColumnOrder) *gorm.DB {
	tx = tx.Clauses(clause.Select{Expression: sorted(lo.Map(columns, func(c aggregated, _ int) clause.Expression { return c }))})
	var keys grouping
	for i, c := range columns {
		if c.Func != driver.FuncKey {
			continue
		}
		keys = append(keys, clause.Expr{SQL: strconv.Itoa(i + 1)})
		if c.dialect.name == mysql && c.of.isText() { // else the collation would put texts together
			keys = append(keys, bytesOf(c.of.unicode()))
		}
	}
	if len(keys) > 0 {
		tx = tx.Clauses(keys)
	}
	by := lo.Map(orders, func(o driver.ColumnOrder, _ int) clause.Expression { return aliasOrder{columns[o.Column], o.Order} })
	if len(by) > 0 {
		tx = tx.Clauses(clause.OrderBy{Expression: sorted(by)})
	}
	return tx
}

// groupRows reads the rows.
func (r *store) groupRows(ctx context.Context, tx *gorm.DB, columns []aggregated) ([][]any, error) {
	rows, err := r.rowsOf(tx)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := [][]any{}
	for rows.Next() {
		row := make([]any, len(columns))
		targets := lo.Map(columns, func(c aggregated, _ int) any { return c.target() })
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		for i, c := range columns {
			if row[i], err = r.valueIn(ctx, c, targets[i]); err != nil {
				return nil, err
			}
		}
		list = append(list, row)
	}
	return list, rows.Err()
}

// aggregated is one column of a query of groups.
type aggregated struct {
	driver.Column
	of      operand
	alias   string
	dialect dialect
}

// Build writes the expression and its name.
func (c aggregated) Build(b clause.Builder) {
	switch c.Func {
	case driver.FuncCount:
		write(b, "COUNT(*)")
	case driver.FuncSum:
		c.buildSum(b)
	case driver.FuncMin:
		around{"MIN(", c.of, ")"}.Build(b)
	case driver.FuncMax:
		around{"MAX(", c.of, ")"}.Build(b)
	case driver.FuncKey:
		c.of.Build(b)
	}
	write(b, " AS ")
	b.WriteQuoted(c.alias)
}

// buildSum adds floats as doubles: a sum of reals would be a real on PostgreSQL.
func (c aggregated) buildSum(b clause.Builder) {
	if c.isFloat() && c.dialect.name == postgres {
		around{"COALESCE(SUM(CAST(", c.of, " AS double precision)), 0)"}.Build(b)
		return
	}
	around{"COALESCE(SUM(", c.of, "), 0)"}.Build(b)
}

func (c aggregated) isFloat() bool {
	k := c.of.typ.Kind()
	return k == reflect.Float32 || k == reflect.Float64
}

// nullable tells whether the column may have no value.
func (c aggregated) nullable() bool {
	switch c.Func {
	case driver.FuncCount, driver.FuncSum:
		return false
	case driver.FuncKey:
		return c.of.isJSON() || nullable(c.of.column)
	default:
		return true
	}
}

// target is what the value of a row is scanned into.
func (c aggregated) target() any {
	switch {
	case c.Func == driver.FuncCount:
		return new(int64)
	case c.Func == driver.FuncSum && c.isFloat():
		return new(float64)
	case c.Func == driver.FuncSum:
		return new(string) // a decimal on some databases
	case c.of.isJSON():
		return reflect.New(reflect.PointerTo(c.of.typ)).Interface()
	case c.Func != driver.FuncKey && c.dialect.name == sqlite && c.of.typ == reflect.TypeFor[time.Time]():
		return new(sql.NullString) // SQLite knows of no type there
	default:
		return c.of.column.NewValuePool.Get()
	}
}

// valueIn is the value that was scanned, without what is around it.
func (r *store) valueIn(ctx context.Context, c aggregated, target any) (any, error) {
	switch {
	case c.Func == driver.FuncCount, c.Func == driver.FuncSum && c.isFloat(), c.of.isJSON() && c.Func != driver.FuncSum:
		return plain(reflect.ValueOf(target)), nil
	case c.Func == driver.FuncSum:
		text := *target.(*string)
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: the sum of field %s is %s, which is no int64", repo.ErrUnsupported, c.Field, text)
		}
		return n, nil
	}
	if text, ok := target.(*sql.NullString); ok {
		if !text.Valid {
			return nil, nil
		}
		return parseTime(text.String)
	}
	e, f := r.newValue(), c.of.column
	defer f.NewValuePool.Put(target)
	if v := reflect.ValueOf(target).Elem(); v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, nil // also where the field would read as zero
	}
	if err := f.Set(ctx, e, target); err != nil {
		return nil, err
	}
	return plain(f.ReflectValueOf(ctx, e)), nil
}

func plain(v reflect.Value) any {
	v, ok := values.Plain(v)
	if !ok {
		return nil
	}
	return v.Interface()
}

// parseTime reads a time in the forms in which drivers of SQLite store it.
func parseTime(text string) (any, error) {
	for _, form := range []string{"2006-01-02 15:04:05.999999999-07:00", time.RFC3339Nano, "2006-01-02 15:04:05.999999999", time.DateOnly} {
		if at, err := time.Parse(form, text); err == nil {
			return at, nil
		}
	}
	return nil, fmt.Errorf("%w: a time of SQLite in another form", repo.ErrUnsupported)
}

// grouping are the keys of groups.
type grouping []clause.Expression

// Name is that of the clause.
func (grouping) Name() string { return "GROUP BY" }

// Build writes the keys.
func (g grouping) Build(b clause.Builder) { sorted(g).Build(b) }

// MergeClause puts the keys into the clause.
func (g grouping) MergeClause(c *clause.Clause) { c.Expression = g }

// aliasOrder sorts by a column of the result.
type aliasOrder struct {
	by    aggregated
	order driver.Order
}

// Build writes the name and the direction.
func (o aliasOrder) Build(b clause.Builder) {
	alias := clauseFunc(func(b clause.Builder) { b.WriteQuoted(o.by.alias) })
	writeOrder(b, alias, o.by.dialect, o.order, o.by.nullable())
}
