package gormrepo

import (
	"slices"
	"strconv"

	"github.com/samber/lo"
	"gorm.io/gorm/clause"
)

// updateStatement is an UPDATE of many rows, each with values of its own. The
// values come as a table, whose first row has none and takes the types of its
// columns from the table that is written.
type updateStatement struct {
	table, dialect string
	key, columns   []string
	// marked tells that the last value of a row has a bit for each column that is
	// written; the other columns stay as they are.
	marked bool
	rows   [][]any
	arrays *arrays // in place of rows, on PostgreSQL
}

func (s *updateStatement) hasArrays() bool { return s.arrays != nil }

const (
	// oldRows and newRows name the table that is written and that of the values.
	oldRows, newRows = "holdfast_old", "holdfast_new"
	// marksColumn is the column of the values that has the marks.
	marksColumn = "holdfast_marks"
)

// Build writes the statement of the dialect.
func (s *updateStatement) Build(b clause.Builder) {
	table := clause.Table{Name: s.table}
	if s.dialect == mysql && len(s.rows) <= maxCases {
		s.buildCases(b, table)
		return
	}
	if s.dialect == mysql {
		write(b, "UPDATE (SELECT ")
		for i, name := range s.stored() {
			write(b, lo.Ternary(i == 0, "", ","))
			b.WriteQuoted(clause.Column{Name: name})
		}
		if s.marked {
			write(b, ",0 AS "+marksColumn)
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
	b.WriteQuoted(columnsNamed(s.given()))
	write(b, " AS (")
	if s.hasArrays() {
		s.arrays.buildSelect(b)
	} else {
		s.buildList(b, table)
	}
	write(b, ") UPDATE ")
	b.WriteQuoted(table)
	write(b, " AS "+oldRows+" SET ")
	s.buildSet(b, "")
	write(b, " FROM "+newRows+" WHERE ")
	s.buildMatch(b)
}

// maxCases is up to how many rows MySQL and MariaDB are faster with a CASE for each column,
// whose time grows with the square of the rows. Their table of values is a temporary one,
// which costs half a millisecond.
const maxCases = 64

// buildCases has the values of each column behind the keys of their rows.
func (s *updateStatement) buildCases(b clause.Builder, table clause.Table) {
	write(b, "UPDATE ")
	b.WriteQuoted(table)
	write(b, " SET ")
	for i, name := range s.columns {
		write(b, lo.Ternary(i == 0, "", ", "))
		b.WriteQuoted(clause.Column{Name: name})
		write(b, " = CASE")
		for _, row := range s.rows {
			if marks, ok := row[len(row)-1].(int64); s.marked && ok && marks&(1<<i) == 0 {
				continue
			}
			write(b, " WHEN ")
			s.buildKey(b, row)
			write(b, " THEN ")
			b.AddVar(b, row[len(s.key)+i])
		}
		if s.marked {
			write(b, " ELSE ")
			b.WriteQuoted(clause.Column{Name: name})
		}
		write(b, " END")
	}
	write(b, " WHERE ")
	for i, row := range s.rows {
		write(b, lo.Ternary(i == 0, "", " OR "))
		s.buildKey(b, row)
	}
}

// buildKey holds for one row.
func (s *updateStatement) buildKey(b clause.Builder, row []any) {
	for i, name := range s.key {
		write(b, lo.Ternary(i == 0, "(", " AND "))
		b.WriteQuoted(clause.Column{Name: name})
		write(b, " = ")
		b.AddVar(b, row[i])
	}
	write(b, ")")
}

// stored are the names of the columns that the values and the table have.
func (s *updateStatement) stored() []string { return slices.Concat(s.key, s.columns) }

// given are the names of the columns that the values have.
func (s *updateStatement) given() []string {
	if s.marked {
		return append(s.stored(), marksColumn)
	}
	return s.stored()
}

func (s *updateStatement) buildList(b clause.Builder, table clause.Table) {
	write(b, "VALUES ")
	if s.dialect == postgres {
		s.buildTypes(b, table)
	}
	for i, row := range s.rows {
		write(b, lo.Ternary(i == 0, "(", ",("))
		b.AddVar(b, row...)
		write(b, ")")
	}
}

func (s *updateStatement) buildTypes(b clause.Builder, table clause.Table) {
	for i, name := range s.stored() {
		write(b, lo.Ternary(i == 0, "((SELECT ", ",(SELECT "))
		b.WriteQuoted(clause.Column{Name: name})
		write(b, " FROM ")
		b.WriteQuoted(table)
		write(b, " LIMIT 0)")
	}
	write(b, lo.Ternary(s.marked, ",CAST(NULL AS bigint)),", "),"))
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
		if s.marked {
			write(b, "CASE WHEN "+newRows+"."+marksColumn+" & "+strconv.FormatInt(1<<i, 10)+" = 0 THEN ")
			b.WriteQuoted(clause.Column{Table: oldRows, Name: name})
			write(b, " ELSE ")
		}
		b.WriteQuoted(clause.Column{Table: newRows, Name: name})
		write(b, lo.Ternary(s.marked, " END", ""))
	}
}
