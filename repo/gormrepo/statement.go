package gormrepo

import (
	"errors"
	"reflect"
	"slices"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// statement is an INSERT ... ON CONFLICT. It is built here and not by GORM's
// Create, which replaces zero values by defaults, leaves columns with a
// database default out of the update, and matches reported rows by their order.
type statement struct {
	model any
	// rows are a clause.Values or arrays.
	rows      clause.Interface
	conflict  clause.OnConflict
	returning []*schema.Field
	// tellsFresh has the rows report last whether they were inserted. It is for PostgreSQL,
	// where the version of a row that was inserted has not been locked or replaced.
	tellsFresh bool
}

// statement inserts the values of all items as they are, but for the defaulted
// columns, and overwrites those that may be.
func (r *store) statement(c *call, items []*item, columns, defaulted []*schema.Field) *statement {
	st := &statement{model: r.newPointer()}
	st.conflict.DoUpdates = r.assignments(c, items[0], r.updatable(columns), defaulted)
	columns = inserted(columns, defaulted)
	if a := r.arraysOf(c, items, columns, defaulted); a != nil {
		st.rows = a
		return st
	}
	st.rows = clause.Values{Columns: columnsNamed(names(columns)), Values: lo.Map(items, func(it *item, _ int) []any {
		values := r.values(c, it, columns)
		for i, f := range columns {
			if slices.Contains(defaulted, f) {
				values[i] = f.DefaultValueInterface
			}
		}
		return values
	})}
	return st
}

// Build makes a statement usable as the only argument of "?".
func (s *statement) Build(builder clause.Builder) {
	stmt, ok := builder.(*gorm.Statement)
	if !ok {
		return
	}
	if stmt.AddError(stmt.Parse(s.model)) != nil {
		return
	}
	stmt.AddClause(clause.Insert{Table: clause.Table{Name: clause.CurrentTable}})
	stmt.AddClause(s.rows)
	stmt.AddClause(s.conflict)
	parts := []string{"INSERT", "VALUES"}
	if len(s.conflict.DoUpdates) > 0 {
		parts = append(parts, "ON CONFLICT")
	}
	if len(s.returning) > 0 {
		list := clause.Returning{}
		for _, f := range s.returning {
			list.Columns = append(list.Columns, clause.Column{Name: f.DBName})
		}
		if s.tellsFresh {
			list.Columns = append(list.Columns, clause.Column{Name: "xmax = 0", Raw: true})
		}
		stmt.AddClause(list)
		parts = append(parts, "RETURNING")
	}
	stmt.Build(parts...)
}

// hasArrays tells whether the rows are arrays.
func (s *statement) hasArrays() bool {
	_, ok := s.rows.(*arrays)
	return ok
}

// builder is a statement that writes itself.
type builder interface {
	clause.Expression
	hasArrays() bool
}

// run has fn run a statement, behind the claims of the call where there are any.
func (r *store) run(c *call, st builder, fn func(tx *gorm.DB, st clause.Expression) *gorm.DB) error {
	var whole clause.Expression = st
	if c.behind != nil {
		whole = c.behind.Wrap(st)
	}
	err := through(c.tx, func(tx *gorm.DB) *gorm.DB { return fn(tx, whole) }).Error
	if st.hasArrays() {
		return r.withoutArrays(err)
	}
	return err
}

func (r *store) exec(c *call, st builder) error {
	if err := r.run(c, st, func(tx *gorm.DB, st clause.Expression) *gorm.DB { return tx.Exec("?", st) }); err != nil {
		return err
	}
	c.wrote = true
	return nil
}

// query executes and returns the reported rows with nothing but the columns
// that were asked for.
func (r *store) query(c *call, st builder) ([]reflect.Value, error) {
	list := r.newList()
	if err := r.run(c, st, func(tx *gorm.DB, st clause.Expression) *gorm.DB {
		res := tx.Raw("?", st)
		_ = res.AddError(scanAll(res, list.Interface()))
		return res
	}); err != nil {
		return nil, err
	}
	rows := valuesIn(list)
	c.wrote = c.wrote || len(rows) > 0
	return rows, nil
}

// scanAll does what GORM's Scan does, which also writes out the text of the statement
// with all its values, for a log that may not want it.
func scanAll(tx *gorm.DB, list any) (err error) {
	rows, err := tx.Rows()
	if err != nil || rows == nil {
		return nil // tx has the error
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if !rows.Next() {
		return rows.Err()
	}
	return tx.Session(&gorm.Session{NewDB: true}).ScanRows(rows, list)
}

// assignments are what overwriting sets: the changed columns, the defaulted ones to
// their zero value, and with Revive the deletion mark. There is always one, so that
// the database reports the row.
func (r *store) assignments(c *call, it *item, changed, defaulted []*schema.Field) clause.Set {
	changed = without(changed, defaulted)
	if len(changed)+len(defaulted) == 0 {
		changed = r.key
	}
	set := clause.AssignmentColumns(names(changed))
	for _, f := range defaulted {
		set = append(set, clause.Assignment{Column: clause.Column{Name: f.DBName}, Value: r.value(c.tx.Statement.Context, it, f)})
	}
	if r.opts.Revive {
		for _, f := range r.deleted {
			value, _ := r.aliveValue()
			set = append(set, clause.Assignment{Column: clause.Column{Name: f.DBName}, Value: value})
		}
	}
	return set
}

// bare takes the table's name off columns.
func bare(columns []clause.Column) []clause.Column {
	for i := range columns {
		columns[i].Table = ""
	}
	return columns
}
