package gormrepo

import (
	"context"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// statement is an INSERT ... ON CONFLICT. It is built here and not by GORM's
// Create, which replaces zero values by defaults, leaves columns with a
// database default out of the update, and matches reported rows by their order.
type statement struct {
	model     any
	values    clause.Values
	conflict  clause.OnConflict
	returning []*schema.Field
}

// statement takes the values of all items as they are.
func (r *Repository[T]) statement(c *call, items []*item[T], columns []*schema.Field) *statement {
	st := &statement{model: new(T)}
	for _, f := range columns {
		st.values.Columns = append(st.values.Columns, clause.Column{Name: f.DBName})
	}
	st.values.Values = make([][]any, len(items))
	for i, it := range items {
		st.values.Values[i] = r.values(c, it, columns)
	}
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
	stmt.AddClause(s.values)
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
		stmt.AddClause(list)
		parts = append(parts, "RETURNING")
	}
	stmt.Build(parts...)
}

func (r *Repository[T]) exec(c *call, st clause.Expression) error {
	if err := through(c.tx, func(tx *gorm.DB) *gorm.DB { return tx.Exec("?", st) }).Error; err != nil {
		return err
	}
	c.wrote = true
	return nil
}

// query executes and returns the reported rows with nothing but the columns
// that were asked for.
func (r *Repository[T]) query(c *call, st *statement) ([]*T, error) {
	var rows []*T
	if err := through(c.tx, func(tx *gorm.DB) *gorm.DB { return tx.Raw("?", st).Scan(&rows) }).Error; err != nil {
		return nil, err
	}
	c.wrote = c.wrote || len(rows) > 0
	return rows, nil
}

// copyFields copies columns from one entity to another.
func copyFields(fields []*schema.Field, from, to reflect.Value) {
	ctx := context.Background()
	for _, f := range fields {
		f.ReflectValueOf(ctx, to).Set(f.ReflectValueOf(ctx, from))
	}
}
