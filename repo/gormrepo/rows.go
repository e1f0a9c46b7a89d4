package gormrepo

import (
	"slices"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// updateRows writes some columns of rows that are known to exist. It is an UPDATE
// and no upsert: an INSERT would ask for the columns that T does not have, for
// the right to insert, and fire the triggers of a new row.
func (r *store) updateRows(c *call, items []*item, fields []*schema.Field) error {
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
		rows: lo.Map(items, func(it *item, _ int) []any {
			return append(r.keyParams(r.entity.KeyOf(it.val)), r.values(c, it, fields)...)
		}),
	})
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

// update sets columns of the rows that satisfy the conditions and returns how
// many there were.
func (r *store) update(c *call, set map[string]any, conds []clause.Expression) (int64, error) {
	tx := through(c.tx, func(tx *gorm.DB) *gorm.DB {
		return c.updating(tx.Model(r.newPointer()).Unscoped().Clauses(clause.Where{Exprs: conds})).UpdateColumns(set)
	})
	c.wrote = c.wrote || tx.RowsAffected > 0
	return tx.RowsAffected, tx.Error
}

// writeLocked writes some columns of entities whose rows are locked, so that
// they exist and stay as they are until then.
func (r *store) writeLocked(c *call, items []*item, changed []*schema.Field) error {
	for _, g := range r.groups(c, items, false) {
		columns := slices.Concat(r.key, without(changed, g.left))
		err := r.inBatches(c, g.items, columns, func(batch []*item) error {
			if err := r.updateRows(c, batch, without(changed, g.left)); err != nil {
				return err
			}
			return r.readBack(c, batch, g.left)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
