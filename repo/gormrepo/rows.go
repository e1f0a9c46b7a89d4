package gormrepo

import (
	"context"
	"slices"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// updateRows writes some columns of rows that are known to exist. It is an UPDATE
// and no upsert: an INSERT would ask for the columns that T does not have, for
// the right to insert, and fire the triggers of a new row.
func (r *Repository[T]) updateRows(c *call, items []*item[T], fields []*schema.Field) error {
	if r.opts.Revive {
		fields = append(without(fields, r.deleted), r.deleted...)
	}
	if len(fields) == 0 || len(items) == 0 {
		return nil
	}
	if len(items) == 1 {
		_, err := r.update(c, r.assigned(c, items[0], fields), []clause.Expression{r.keyIn(r.keysOf(items))})
		return err
	}
	return r.exec(c, &updateStatement{
		table: r.schema.Table, dialect: r.dialect.name, key: names(r.key), columns: names(fields),
		rows: lo.Map(items, func(it *item[T], _ int) []any {
			return append(r.keyParams(r.entity.KeyOf(it.val)), r.values(c, it, fields)...)
		}),
	})
}

// updating puts an UPDATE of GORM behind the claims of the call, if it shows any.
func (c *call) updating(tx *gorm.DB) *gorm.DB {
	if c.behind != nil {
		c.behind.Around(tx, tx.Callback().Update().Clauses)
	}
	return tx
}

// assigned are columns with their values, as GORM's updates take them.
func (r *Repository[T]) assigned(c *call, it *item[T], fields []*schema.Field) map[string]any {
	values := r.values(c, it, fields)
	set := make(map[string]any, len(fields))
	for i, f := range fields {
		set[f.DBName] = values[i]
	}
	return set
}

// values are what the database gets for the columns of an entity.
func (r *Repository[T]) values(c *call, it *item[T], fields []*schema.Field) []any {
	return lo.Map(fields, func(f *schema.Field, _ int) any { return r.value(c.tx.Statement.Context, it, f) })
}

func (r *Repository[T]) value(ctx context.Context, it *item[T], f *schema.Field) any {
	if alive, ok := r.aliveValue(); ok && lo.Contains(r.deleted, f) {
		return alive
	}
	v, zero := f.ValueOf(ctx, it.val)
	if zero && isNullDefault(f) {
		return nil
	}
	return v
}

// updateStatement is an UPDATE of many rows, each with values of its own. The
// values come as a table, whose first row has none and takes the types of its
// columns from the table that is written.
type updateStatement struct {
	table, dialect string
	key, columns   []string
	rows           [][]any
}

const (
	// oldRows and newRows name the table that is written and that of the values.
	oldRows, newRows = "holdfast_old", "holdfast_new"
)

// Build writes the statement of the dialect.
func (s *updateStatement) Build(b clause.Builder) {
	table := clause.Table{Name: s.table}
	if s.dialect == mysql {
		write(b, "UPDATE (SELECT ")
		for i, name := range s.all() {
			write(b, lo.Ternary(i == 0, "", ","))
			b.WriteQuoted(clause.Column{Name: name})
		}
		write(b, " FROM ")
		b.WriteQuoted(table)
		write(b, " WHERE 1 = 0")
		for _, row := range s.rows {
			write(b, " UNION ALL SELECT ")
			b.AddVar(b, row...)
		}
		write(b, ") AS "+newRows+" STRAIGHT_JOIN ")
		b.WriteQuoted(table)
		write(b, " AS "+oldRows+" ON ")
		s.buildMatch(b)
		write(b, " SET ")
		s.buildSet(b, oldRows)
		return
	}
	write(b, "WITH "+newRows+" ")
	b.WriteQuoted(lo.Map(s.all(), func(name string, _ int) clause.Column { return clause.Column{Name: name} }))
	write(b, " AS (VALUES ")
	if s.dialect == postgres {
		s.buildTypes(b, table)
	}
	for i, row := range s.rows {
		write(b, lo.Ternary(i == 0, "(", ",("))
		b.AddVar(b, row...)
		write(b, ")")
	}
	write(b, ") UPDATE ")
	b.WriteQuoted(table)
	write(b, " AS "+oldRows+" SET ")
	s.buildSet(b, "")
	write(b, " FROM "+newRows+" WHERE ")
	s.buildMatch(b)
}

// all are the names of the columns that the values have.
func (s *updateStatement) all() []string { return slices.Concat(s.key, s.columns) }

func (s *updateStatement) buildTypes(b clause.Builder, table clause.Table) {
	for i, name := range s.all() {
		write(b, lo.Ternary(i == 0, "((SELECT ", ",(SELECT "))
		b.WriteQuoted(clause.Column{Name: name})
		write(b, " FROM ")
		b.WriteQuoted(table)
		write(b, " LIMIT 0)")
	}
	write(b, "),")
}

func (s *updateStatement) buildMatch(b clause.Builder) {
	for i, name := range s.key {
		write(b, lo.Ternary(i == 0, "", " AND "))
		b.WriteQuoted(clause.Column{Table: oldRows, Name: name})
		write(b, " = ")
		b.WriteQuoted(clause.Column{Table: newRows, Name: name})
	}
}

func (s *updateStatement) buildSet(b clause.Builder, table string) {
	for i, name := range s.columns {
		write(b, lo.Ternary(i == 0, "", ", "))
		b.WriteQuoted(clause.Column{Table: table, Name: name})
		write(b, " = ")
		b.WriteQuoted(clause.Column{Table: newRows, Name: name})
	}
}
