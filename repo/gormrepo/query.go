package gormrepo

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"
	"math"
	"reflect"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// compile checks options.
func (r *Repository[T]) compile(ctx context.Context, opts []repo.Option) (driver.Query, error) {
	q, err := driver.Compile[T](opts...)
	if err != nil {
		return q, err
	}
	if err := done(ctx); err != nil {
		return q, err
	}
	if _, err := r.conditions(q.Where); err != nil {
		return q, err
	}
	for _, o := range q.Orders {
		if _, err := r.column(o.Field); err != nil {
			return q, err
		}
	}
	return q, nil
}

// restrict adds the conditions of q to tx; order, limit and offset are still to
// be added.
func (r *Repository[T]) restrict(tx *gorm.DB, q driver.Query) (*gorm.DB, error) {
	if err := r.learnZonesOf(tx.Statement.Context, tx.Statement.ConnPool, q.Where); err != nil {
		return nil, err
	}
	conds, err := r.conditions(q.Where)
	if err != nil {
		return nil, err
	}
	if tx, err = r.native(tx, q.Native); err != nil {
		return nil, err
	}
	if !tx.Statement.Unscoped {
		conds = append(conds, r.unknown...)
	}
	if len(conds) > 0 {
		tx = tx.Where(all(conds))
	}
	return tx, nil
}

// native lets the user's functions restrict tx and keeps together what each of
// them demands: an Or among it must not open up the other conditions.
func (r *Repository[T]) native(tx *gorm.DB, natives []any) (*gorm.DB, error) {
	tx = tx.Model(new(T))
	var demands []clause.Expression
	for _, n := range natives {
		fn, ok := n.(func(*gorm.DB) *gorm.DB)
		if !ok || fn == nil {
			return nil, fmt.Errorf("%w: native option %T, want a func(*gorm.DB) *gorm.DB", repo.ErrUnsupported, n)
		}
		// Of a session the function can make groups of conditions too.
		if tx = fn(tx.Session(&gorm.Session{})); tx == nil {
			return nil, fmt.Errorf("%w: a native option returned nil", repo.ErrInvalid)
		}
		if tx.Error != nil {
			return nil, tx.Error
		}
		if w, ok := tx.Statement.Clauses["WHERE"].Expression.(clause.Where); ok && len(w.Exprs) > 0 {
			demands = append(demands, nested{w})
		}
		delete(tx.Statement.Clauses, "WHERE")
	}
	if len(demands) > 0 {
		tx = tx.Where(all(demands))
	}
	return tx, nil
}

// column finds the column of a field that an option names.
func (r *Repository[T]) column(name string) (*schema.Field, error) {
	f, ok := entity.FieldByName(r.entity.Type, name)
	if !ok {
		return nil, fmt.Errorf("%w: %s has no field %q", repo.ErrInvalid, r.entity.Type, name)
	}
	column, ok := r.byPath[fmt.Sprint(f.Index)]
	if !ok {
		return nil, fmt.Errorf("%w: field %s of %s is no column", repo.ErrUnsupported, name, r.entity.Type)
	}
	return column, nil
}

func (r *Repository[T]) conditions(conds []driver.Cond) ([]clause.Expression, error) {
	list := make([]clause.Expression, len(conds))
	for i, c := range conds {
		var err error
		if list[i], err = r.condition(c); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (r *Repository[T]) alternatives(groups [][]driver.Cond) (clause.Expression, error) {
	var list either
	for _, conds := range groups {
		together, err := r.conditions(conds)
		if err != nil {
			return nil, err
		}
		list = append(list, all(together))
	}
	return list, nil
}

func (r *Repository[T]) condition(c driver.Cond) (clause.Expression, error) {
	if c.Op == driver.OpAny {
		return r.alternatives(c.Any)
	}
	f, err := r.column(c.Field)
	if err != nil {
		return nil, err
	}
	column := clause.Column{Table: clause.CurrentTable, Name: f.DBName}
	switch c.Op {
	case driver.OpNull:
		return clause.Eq{Column: column}, nil
	case driver.OpNotNull:
		return clause.Neq{Column: column}, nil
	case driver.OpIn:
		return r.in(column, f, c)
	case driver.OpPrefix:
		text, _ := c.Value.(string)
		return prefix{column, text, r.dialect.name}, nil
	case driver.OpEq, driver.OpNe, driver.OpLt, driver.OpLe, driver.OpGt, driver.OpGe:
		if isNull(c.Value) {
			return either{}, nil // nothing compares with NULL
		}
		op := string(c.Op)
		if c.Op == driver.OpNe {
			op = "<>"
		}
		return comparison{column, " " + op + " ", r.param(f, c.Value)}, nil
	default:
		return nil, fmt.Errorf("%w: comparison %q", repo.ErrUnsupported, c.Op)
	}
}

func (r *Repository[T]) in(column clause.Column, f *schema.Field, c driver.Cond) (clause.Expression, error) {
	list, ok := c.Value.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: in of %T", repo.ErrInvalid, c.Value)
	}
	var values []any
	for _, v := range list {
		if !isNull(v) {
			values = append(values, r.param(f, v))
		}
	}
	if len(values) == 0 {
		return either{}, nil
	}
	return r.dialect.oneOf(column, values), nil
}

// isNull tells whether the database would get NULL for v.
func isNull(v any) bool {
	rv := reflect.ValueOf(v)
	if !rv.IsValid() || (rv.Kind() == reflect.Pointer || rv.Kind() == reflect.Slice || rv.Kind() == reflect.Map) && rv.IsNil() {
		return true
	}
	if valuer, ok := v.(sqldriver.Valuer); ok {
		x, err := valuer.Value()
		return err == nil && x == nil
	}
	return false
}

// comparison compares a column with one value, which is a parameter whatever
// its type is.
type comparison struct {
	column clause.Column
	op     string
	value  any
}

// Build writes column op ?.
func (c comparison) Build(b clause.Builder) {
	b.WriteQuoted(c.column)
	write(b, c.op)
	b.AddVar(b, c.value)
}

// prefix holds for text that begins with another, letters as they are: LIKE
// alone ignores their case on SQLite and under most collations of MySQL.
type prefix struct {
	column clause.Column
	text   string
	where  string
}

// Build writes what the dialect can use an index for, and what is exact.
func (p prefix) Build(b clause.Builder) {
	like := strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(p.text) + "%"
	switch p.where {
	case sqlite:
		b.WriteQuoted(p.column)
		write(b, " GLOB ")
		b.AddVar(b, strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(p.text)+"*")
	case mysql:
		write(b, "(")
		b.WriteQuoted(p.column)
		write(b, " LIKE ")
		b.AddVar(b, like)
		write(b, " ESCAPE '!' AND CONVERT(")
		b.WriteQuoted(p.column)
		write(b, " USING utf8mb4) COLLATE utf8mb4_bin LIKE ")
		b.AddVar(b, like)
		write(b, " ESCAPE '!')")
	default:
		b.WriteQuoted(p.column)
		write(b, " LIKE ")
		b.AddVar(b, like)
		write(b, " ESCAPE '!'")
	}
}

// ordered adds the sort keys. A field without a value sorts first everywhere;
// PostgreSQL has to be told.
func (r *Repository[T]) ordered(tx *gorm.DB, q driver.Query) *gorm.DB {
	for _, o := range q.Orders {
		f, err := r.column(o.Field)
		if err != nil {
			_ = tx.AddError(err)
			return tx
		}
		column := clause.Column{Table: clause.CurrentTable, Name: f.DBName}
		if r.dialect.name != postgres || !nullable(f) {
			tx = tx.Order(clause.OrderByColumn{Column: column, Desc: o.Desc})
			continue
		}
		how := " NULLS FIRST"
		if o.Desc {
			how = " DESC NULLS LAST"
		}
		column.Table = f.Schema.Table[strings.LastIndex(f.Schema.Table, ".")+1:]
		tx = tx.Order(clause.OrderByColumn{Column: clause.Column{Name: tx.Statement.Quote(column) + how, Raw: true}})
	}
	return tx
}

func nullable(f *schema.Field) bool {
	if f.NotNull {
		return false
	}
	valuer := reflect.PointerTo(f.FieldType).Implements(reflect.TypeFor[sqldriver.Valuer]())
	return valuer || f.FieldType.Kind() == reflect.Pointer || f.FieldType.Kind() == reflect.Slice
}

// cut adds limit and offset. MySQL has no offset without a limit.
func (r *Repository[T]) cut(tx *gorm.DB, q driver.Query) *gorm.DB {
	switch {
	case q.Limit > 0:
		tx = tx.Limit(q.Limit)
	case q.Offset > 0 && r.dialect.name == mysql:
		tx = tx.Limit(math.MaxInt64)
	}
	if q.Offset > 0 {
		tx = tx.Offset(q.Offset)
	}
	return tx
}
