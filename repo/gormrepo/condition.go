package gormrepo

import (
	"context"
	"reflect"

	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// Conditions are built from these types and GORM's typed clauses only: values
// go into parameters, never into the text.

// all holds when every one of its parts does.
type all []clause.Expression

// Build writes the parts in parentheses.
func (a all) Build(b clause.Builder) { writeJoined(b, a, " AND ", "1 = 1") }

// either holds when one of its parts does.
type either []clause.Expression

// Build writes the parts in parentheses.
func (e either) Build(b clause.Builder) { writeJoined(b, e, " OR ", "1 = 0") }

func writeJoined(b clause.Builder, parts []clause.Expression, with, none string) {
	write(b, "(")
	if len(parts) == 0 {
		write(b, none)
	}
	for i, p := range parts {
		if i > 0 {
			write(b, with)
		}
		p.Build(b)
	}
	write(b, ")")
}

// not holds when its parts do not all hold.
type not struct{ parts []clause.Expression }

// Build writes the negated conjunction.
func (n not) Build(b clause.Builder) {
	write(b, "NOT ")
	all(n.parts).Build(b)
}

// nested keeps a WHERE clause that somebody else built together.
type nested struct{ where clause.Where }

// Build writes the clause in parentheses.
func (n nested) Build(b clause.Builder) {
	write(b, "(")
	n.where.Build(b)
	write(b, ")")
}

// rowIn holds for rows whose columns are together one of the tuples.
type rowIn struct {
	columns []clause.Column
	tuples  [][]any
	// listed says that the database wants VALUES before a list of tuples.
	listed bool
}

// Build writes (a, b) IN ((1, 2), (3, 4)).
func (r rowIn) Build(b clause.Builder) {
	b.WriteQuoted(r.columns)
	write(b, " IN (")
	if r.listed {
		write(b, "VALUES ")
	}
	for i, t := range r.tuples {
		if i > 0 {
			write(b, ",")
		}
		write(b, "(")
		b.AddVar(b, t...)
		write(b, ")")
	}
	write(b, ")")
}

func write(b clause.Builder, s string) {
	_, _ = b.WriteString(s) // a builder in memory
}

// keyIn holds for the rows with one of the keys.
func (m *model) keyIn(keys [][]any, d dialect) clause.Expression {
	columns := m.keyColumns()
	if len(columns) > 1 {
		tuples := make([][]any, len(keys))
		for i, k := range keys {
			tuples[i] = m.keyParams(k)
		}
		return rowIn{columns: columns, tuples: tuples, listed: d.name == sqlite}
	}
	values := make([]any, len(keys))
	for i, k := range keys {
		values[i] = m.keyParams(k)[0]
	}
	return clause.IN{Column: columns[0], Values: values}
}

func (r *store) keyIn(keys [][]any) clause.Expression {
	if list, ok := r.keyArray(keys); ok {
		return list
	}
	return r.model.keyIn(keys, r.dialect)
}

// keyArray is keyIn for many keys of PostgreSQL, as one parameter.
func (r *store) keyArray(keys [][]any) (clause.Expression, bool) {
	if len(keys) < arraysFrom || !r.plainKey || !r.takesArrays(r.key) {
		return nil, false
	}
	t := (*r.types.Load())[r.key[0].DBName]
	list, ok := arrayOf(keys, 12, func(b []byte, key []any) ([]byte, bool) { return appendElement(b, reflect.ValueOf(key[0]), t.base) })
	return listed{clause.Expr{SQL: "?", Vars: []any{r.keyColumns()[0]}}, list, " = ANY(CAST(? AS " + t.name + "[]))"}, ok
}

func (m *model) keyParams(key []any) []any {
	params := make([]any, len(key))
	for i, f := range m.key {
		params[i] = m.param(f, key[i])
	}
	return params
}

// param turns a value into what the database has for it: a field with a
// serializer is stored in another form than it has in memory.
func (m *model) param(f *schema.Field, v any) any {
	if f.Serializer == nil {
		if t, ok := plainTime(v); ok && m.zones.keepsClock(f) {
			return t.UTC()
		}
		return v
	}
	ctx, e := context.Background(), reflect.New(m.entity.Type).Elem()
	if err := f.Set(ctx, e, v); err != nil {
		return v
	}
	p, _ := f.ValueOf(ctx, e)
	return p
}
