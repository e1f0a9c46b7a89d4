package gormrepo

import (
	sqldriver "database/sql/driver"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo/driver"
)

// Text compares by its characters, in every database: the collation of a column in
// MySQL, and LIKE in SQLite, take letters for equal that differ in case only, and MySQL
// ignores spaces at the end. So the comparison that an index can answer stands next to
// one that is exact.

// comparison compares with one value, which is a parameter whatever its type is.
type comparison struct {
	left  clause.Expression
	op    string
	value any
}

// Build writes left op ?.
func (c comparison) Build(b clause.Builder) {
	c.left.Build(b)
	write(b, c.op)
	b.AddVar(b, c.value)
}

// Build writes left IN (?, ?).
func (w within) Build(b clause.Builder) {
	w.left.Build(b)
	write(b, " IN (")
	b.AddVar(b, w.values...)
	write(b, ")")
}

// after writes something behind an expression.
type after struct {
	expr clause.Expression
	text string
}

// Build writes both.
func (a after) Build(b clause.Builder) {
	a.expr.Build(b)
	write(b, a.text)
}

// around writes something on both sides of an expression.
type around struct {
	before string
	expr   clause.Expression
	after  string
}

// Build writes all three.
func (a around) Build(b clause.Builder) {
	write(b, a.before)
	a.expr.Build(b)
	write(b, a.after)
}

// unicode is the text in the character set of the parameters.
func (o operand) unicode() clause.Expression { return around{"CONVERT(", o, " USING utf8mb4)"} }

// bytes of an expression of MySQL compare exactly.
func bytesOf(e clause.Expression) clause.Expression { return around{"CAST(", e, " AS BINARY)"} }

// folded is the operand in lower case where the condition asks for it.
func (o operand) folded(c driver.Cond) clause.Expression {
	switch {
	case !c.IgnoreCase || !o.isText():
		return o
	case o.dialect.name == mysql:
		return around{"LOWER(", o.unicode(), ")"}
	case o.dialect.name == postgres && !isASCII(textOf(c.Value)):
		// The locale of the database may know the case of A to Z only. An index on
		// LOWER(column) serves the other conditions.
		return around{"LOWER(", o, ` COLLATE "und-x-icu")`}
	default:
		return around{"LOWER(", o, ")"}
	}
}

// textOf is the text of a value, or that of all values of a list.
func textOf(v any) string {
	if list, ok := v.([]any); ok {
		var b strings.Builder
		for _, v := range list {
			b.WriteString(textOf(v))
		}
		return b.String()
	}
	if rv := reflect.Indirect(reflect.ValueOf(v)); rv.Kind() == reflect.String {
		return rv.String()
	}
	return ""
}

// equal holds when the operand is the value.
func (o operand) equal(c driver.Cond, value any) clause.Expression {
	left := o.folded(c)
	switch {
	case o.dialect.name != mysql || !o.isText():
		return comparison{left, " = ", value}
	case c.IgnoreCase || o.isJSON(): // no index helps
		return comparison{bytesOf(left), " = ", value}
	default:
		return all{comparison{left, " = ", value}, comparison{bytesOf(o.unicode()), " = ", value}}
	}
}

// oneOf holds when the operand is one of the values.
func (o operand) oneOf(c driver.Cond, values []any) clause.Expression {
	left := o.folded(c)
	switch {
	case o.dialect.name != mysql || !o.isText():
		return o.dialect.oneOf(left, values)
	case c.IgnoreCase || o.isJSON() || 2*len(values) > o.dialect.params-spareParams:
		return within{bytesOf(left), values}
	default:
		return all{within{left, values}, within{bytesOf(o.unicode()), values}}
	}
}

// like holds when the text begins with, contains or ends with another.
func (o operand) like(c driver.Cond, text string) (clause.Expression, error) {
	if c.IgnoreCase {
		if err := o.checkFolding(text); err != nil {
			return nil, err
		}
		text = strings.ToLower(text)
	}
	var holds clause.Expression
	switch {
	case text == "":
		holds = after{o, " IS NOT NULL"}
		if c.Negated {
			return either{}, nil
		}
	case o.dialect.name == sqlite:
		holds = o.likeSQLite(c, text)
	default:
		holds = o.likeStandard(c, text)
	}
	if c.Negated {
		return not{[]clause.Expression{holds}}, nil
	}
	return holds, nil
}

func (o operand) likeStandard(c driver.Cond, text string) clause.Expression {
	pattern := strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(text)
	if c.Op != driver.OpSuffix {
		pattern += "%"
	}
	if c.Op != driver.OpPrefix {
		pattern = "%" + pattern
	}
	left := o.folded(c)
	if o.dialect.name != mysql {
		return likeness{left, pattern}
	}
	exact := likeness{after{left, " COLLATE utf8mb4_bin"}, pattern}
	if c.IgnoreCase || o.isJSON() || c.Op != driver.OpPrefix {
		if !c.IgnoreCase {
			exact.left = after{o.unicode(), " COLLATE utf8mb4_bin"}
		}
		return exact
	}
	return all{likeness{o, pattern}, likeness{after{o.unicode(), " COLLATE utf8mb4_bin"}, pattern}}
}

// likeness holds when text is like a pattern.
type likeness struct {
	left    clause.Expression
	pattern string
}

// Build writes left LIKE ?.
func (p likeness) Build(b clause.Builder) {
	p.left.Build(b)
	write(b, " LIKE ")
	b.AddVar(b, p.pattern)
	write(b, " ESCAPE '!'")
}

func (o operand) likeSQLite(c driver.Cond, text string) clause.Expression {
	left := o.folded(c)
	switch c.Op {
	case driver.OpPrefix: // an index helps
		return comparison{left, " GLOB ", strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(text) + "*"}
	case driver.OpContains:
		return clauseFunc(func(b clause.Builder) {
			write(b, "instr(")
			left.Build(b)
			write(b, ", ")
			b.AddVar(b, text)
			write(b, ") > 0")
		})
	default:
		return clauseFunc(func(b clause.Builder) {
			write(b, "substr(")
			left.Build(b)
			write(b, ", ")
			b.AddVar(b, -utf8.RuneCountInString(text))
			write(b, ") = ")
			b.AddVar(b, text)
		})
	}
}

// clauseFunc is a function that writes an expression.
type clauseFunc func(b clause.Builder)

// Build calls the function.
func (f clauseFunc) Build(b clause.Builder) { f(b) }

// sorted are the sort keys of a statement.
type sorted []clause.Expression

// Build writes them.
func (s sorted) Build(b clause.Builder) {
	for i, key := range s {
		if i > 0 {
			write(b, ", ")
		}
		key.Build(b)
	}
}

// sortKey sorts by an operand.
type sortKey struct {
	by    operand
	order driver.Order
}

// Build writes the operand and its direction.
func (k sortKey) Build(b clause.Builder) {
	writeOrder(b, k.by, k.by.dialect, k.order, k.by.isJSON() || nullable(k.by.column))
}

// writeOrder writes a sort key. The databases differ in where they put NULL by themselves;
// where that is right nothing more is written, so that an index is used.
func writeOrder(b clause.Builder, by clause.Expression, d dialect, order driver.Order, nullable bool) {
	atEnd := order.NullsAtEnd()
	natural := order.Desc // NULL is the smallest value of MySQL and SQLite
	if d.name == postgres {
		natural = !order.Desc
	}
	wants := nullable && atEnd != natural
	if wants && d.name == mysql {
		by.Build(b)
		write(b, " IS NULL")
		if !atEnd {
			write(b, " DESC")
		}
		write(b, ", ")
	}
	by.Build(b)
	if order.Desc {
		write(b, " DESC")
	}
	if wants && d.name != mysql {
		if atEnd {
			write(b, " NULLS LAST")
		} else {
			write(b, " NULLS FIRST")
		}
	}
}

func nullable(f *schema.Field) bool {
	if f.NotNull {
		return false
	}
	if slices.ContainsFunc(f.StructField.Index, func(i int) bool { return i < 0 }) {
		return true // behind an embedded pointer
	}
	valuer := reflect.PointerTo(f.FieldType).Implements(reflect.TypeFor[sqldriver.Valuer]())
	return valuer || f.FieldType.Kind() == reflect.Pointer || f.FieldType.Kind() == reflect.Slice
}
