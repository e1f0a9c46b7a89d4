package drivers

import (
	"errors"
	"slices"
	"strings"
	"unicode"

	"gorm.io/gorm/schema"
)

func knownNaming(name string) error {
	if slices.Contains([]string{"", NamingGORM, NamingSpring, NamingJPA}, name) {
		return nil
	}
	return errors.New("is not one of gorm, spring and jpa")
}

// namer gives GORM's naming strategy. Nil means its own.
func namer(name, dialect string) schema.Namer {
	switch name {
	case NamingSpring:
		return javaNamer{schema.NamingStrategy{SingularTable: true}, func(java string) string { return strings.ToLower(snake(java)) }}
	case NamingJPA:
		return javaNamer{schema.NamingStrategy{SingularTable: true, NoLowerCase: true}, func(java string) string {
			// Hibernate does not quote, so PostgreSQL makes names lower case; GORM
			// does.
			if dialect == Postgres {
				return strings.ToLower(java)
			}
			return java
		}}
	}
	return nil
}

// javaNamer names tables and columns as Hibernate names those of the Java class
// and field that the Go ones stand for. What GORM itself invents, such as names of
// indexes, stays GORM's.
type javaNamer struct {
	schema.NamingStrategy

	physical func(java string) string
}

// TableName implements schema.Namer.
func (n javaNamer) TableName(table string) string { return n.physical(javaName(table)) }

// ColumnName implements schema.Namer.
func (n javaNamer) ColumnName(_, column string) string {
	java := []rune(javaName(column))
	if len(java) > 0 {
		java[0] = unicode.ToLower(java[0])
	}
	return n.physical(string(java))
}

// JoinTableName implements schema.Namer.
func (n javaNamer) JoinTableName(table string) string { return n.physical(javaName(table)) }

// javaName writes initialisms as Java does: BuyerID is BuyerId there.
func javaName(name string) string {
	in := []rune(name)
	out := slices.Clone(in)
	for i := 1; i < len(in); i++ {
		last := i+1 == len(in) || !unicode.IsLower(in[i+1])
		if unicode.IsUpper(in[i]) && unicode.IsUpper(in[i-1]) && last {
			out[i] = unicode.ToLower(in[i])
		}
	}
	return string(out)
}

// snake puts an underscore where Hibernate and Spring Boot put one: before an upper
// case letter that stands between lower case ones. Digits count as neither.
func snake(name string) string {
	in := []rune(name)
	var b strings.Builder
	for i, c := range in {
		if i > 0 && i+1 < len(in) && unicode.IsLower(in[i-1]) && unicode.IsUpper(c) && unicode.IsLower(in[i+1]) {
			b.WriteByte('_')
		}
		b.WriteRune(c)
	}
	return b.String()
}
