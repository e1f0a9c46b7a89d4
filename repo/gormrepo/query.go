package gormrepo

import (
	"context"
	"fmt"
	"math"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// compile checks options.
func (r *store) compile(ctx context.Context, opts []repo.Option) (driver.Query, error) {
	q, err := driver.CompileFor(r.entity.Type, opts...)
	if err != nil {
		return q, err
	}
	if err := driver.Ended(ctx); err != nil {
		return q, err
	}
	if _, err := r.conditions(q.Where); err != nil {
		return q, err
	}
	for _, o := range q.Orders {
		if _, err := r.operand(o.Field); err != nil {
			return q, err
		}
	}
	for _, name := range q.Fields {
		if _, err := r.columnOf(name); err != nil {
			return q, err
		}
	}
	return q, nil
}

// restrict adds the conditions of q to tx; order, limit and offset are still to
// be added.
func (r *store) restrict(tx *gorm.DB, q driver.Query) (*gorm.DB, error) {
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
func (r *store) native(tx *gorm.DB, natives []any) (*gorm.DB, error) {
	tx = tx.Model(r.newPointer())
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

func (r *store) conditions(conds []driver.Cond) ([]clause.Expression, error) {
	list := make([]clause.Expression, len(conds))
	for i, c := range conds {
		var err error
		if list[i], err = r.condition(c); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (r *store) condition(c driver.Cond) (clause.Expression, error) {
	switch c.Op {
	case driver.OpAnd:
		list, err := r.conditions(c.Sub)
		return all(list), err
	case driver.OpOr:
		list, err := r.conditions(c.Sub)
		return either(list), err
	}
	o, err := r.operand(c.Field)
	if err != nil {
		return nil, err
	}
	switch c.Op {
	case driver.OpNull:
		return after{o, " IS NULL"}, nil
	case driver.OpNotNull:
		return after{o, " IS NOT NULL"}, nil
	case driver.OpIn, driver.OpNotIn:
		return r.in(o, c)
	case driver.OpPrefix, driver.OpContains, driver.OpSuffix:
		text, _ := c.Value.(string)
		return o.like(c, text)
	case driver.OpEq, driver.OpNe, driver.OpLt, driver.OpLe, driver.OpGt, driver.OpGe:
		if isNull(c.Value) {
			return either{}, nil // nothing compares with NULL
		}
		return r.compare(o, c)
	default:
		return nil, fmt.Errorf("%w: comparison %q", repo.ErrUnsupported, c.Op)
	}
}

func (r *store) compare(o operand, c driver.Cond) (clause.Expression, error) {
	value, err := o.param(r.model, c)
	if err != nil {
		return nil, err
	}
	switch c.Op {
	case driver.OpEq:
		return o.equal(c, value), nil
	case driver.OpNe:
		return not{[]clause.Expression{o.equal(c, value)}}, nil
	default:
		return comparison{o.folded(c), " " + string(c.Op) + " ", value}, nil
	}
}

func (r *store) in(o operand, c driver.Cond) (clause.Expression, error) {
	list, ok := c.Value.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: in of %T", repo.ErrInvalid, c.Value)
	}
	values := make([]any, 0, len(list))
	for _, v := range list {
		if isNull(v) {
			if c.Op == driver.OpNotIn {
				return either{}, nil // nothing compares with NULL
			}
			continue
		}
		c.Value = v
		value, err := o.param(r.model, c)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	if len(values) == 0 {
		return either{}, nil
	}
	in := o.oneOf(c, values)
	if c.Op == driver.OpNotIn {
		return not{[]clause.Expression{in}}, nil
	}
	return in, nil
}

// projected has only the columns read that the caller looks at, and no associations.
func (r *store) projected(tx *gorm.DB, q driver.Query) *gorm.DB {
	if q.Fields == nil {
		return tx
	}
	clear(tx.Statement.Preloads)
	names := lo.Uniq(lo.Map(q.Fields, func(name string, _ int) string {
		column, err := r.columnOf(name)
		_ = tx.AddError(err)
		return column.DBName
	}))
	return tx.Clauses(clause.Select{Columns: lo.Map(names, func(name string, _ int) clause.Column {
		return clause.Column{Table: clause.CurrentTable, Name: name}
	})})
}

// ordered adds the sort keys, after those that a Native option asked for.
func (r *store) ordered(tx *gorm.DB, q driver.Query) *gorm.DB {
	if len(q.Orders) == 0 {
		return tx
	}
	list := make(sorted, len(q.Orders))
	for i, o := range q.Orders {
		by, err := r.operand(o.Field)
		if err != nil {
			_ = tx.AddError(err)
			return tx
		}
		list[i] = sortKey{by, o}
	}
	first, _ := tx.Statement.Clauses["ORDER BY"].Expression.(clause.OrderBy)
	if len(first.Columns) > 0 || first.Expression != nil {
		list = append(sorted{first}, list...)
	}
	return tx.Clauses(clause.OrderBy{Expression: list})
}

// cut adds limit and offset. MySQL has no offset without a limit.
func (r *store) cut(tx *gorm.DB, q driver.Query) *gorm.DB {
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
