package gormrepo

import (
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo/driver"
)

// counted is a version counted up. A row without one is in version 0.
type counted struct{ version *schema.Field }

// Build writes the new version.
func (v counted) Build(b clause.Builder) {
	write(b, "COALESCE(")
	b.WriteQuoted(clause.Column{Table: clause.CurrentTable, Name: v.version.DBName})
	write(b, ", 0) + 1")
}

// addition is a number with another one added. A column may be wider than the field and
// keep what this cannot hold, and SQLite makes a float of an integer that grows too large:
// so a row that leaves the range makes the statement fail.
type addition struct {
	*driver.Addition
	column  *schema.Field
	dialect string
}

// Build writes the sum, and what fails where the row leaves the range and is 0 elsewhere.
// It depends on the row, or the database would work it out before.
func (a addition) Build(b clause.Builder) {
	a.writeColumn(b)
	write(b, " + ")
	a.writeNumber(b, a.By)
	write(b, " + (")
	switch a.dialect {
	case postgres:
		a.writeCase(b, "1 / ", "0", "1")
		write(b, " - 1")
	case mysql:
		a.writeCase(b, "", maxBigint, "0")
		a.writeCase(b, " + ", maxBigint, "0")
	default:
		a.writeCase(b, "abs(", "-9223372036854775808", "0")
		write(b, ")")
	}
	write(b, ")")
}

const maxBigint = "9223372036854775807"

// writeCase writes one text for rows that leave the range, and the other one else.
func (a addition) writeCase(b clause.Builder, before, leaves, stays string) {
	write(b, before+"CASE WHEN ")
	a.writeColumn(b)
	if a.Falls {
		write(b, " < ")
	} else {
		write(b, " > ")
	}
	a.writeNumber(b, a.Bound)
	write(b, " THEN "+leaves+" ELSE "+stays+" END")
}

// writeColumn writes the column. A row without a value reads as zero where the field in Go
// cannot be without one.
func (a addition) writeColumn(b clause.Builder) {
	write(b, "COALESCE(")
	b.WriteQuoted(clause.Column{Table: clause.CurrentTable, Name: a.column.DBName})
	write(b, ", 0)")
}

// writeNumber writes a parameter, which PostgreSQL would take for one of the column's
// type, narrower than the number.
func (a addition) writeNumber(b clause.Builder, n any) {
	if a.dialect != postgres {
		b.AddVar(b, n)
		return
	}
	write(b, "CAST(")
	b.AddVar(b, n)
	if _, isInt := n.(int64); isInt {
		write(b, " AS bigint)")
	} else {
		write(b, " AS double precision)")
	}
}
