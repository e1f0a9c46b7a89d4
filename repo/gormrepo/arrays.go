package gormrepo

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// PostgreSQL takes many rows faster as an array for each column than as a list of values:
// the statement is the same for any number of rows, so it is prepared once, and it has
// few parameters. An array goes as a text, which every driver can send. The server reads
// its elements as it reads single texts.

const (
	// arraysFrom is the number of rows from which on arrays are faster, by measurement.
	arraysFrom = 24
	// arrayRows is the number of rows that a statement with arrays writes.
	arrayRows = 5000
	// maxBytes is how long the text of an array may get. The server takes a message of a
	// gigabyte, and lists of values have fewer rows.
	maxBytes = 16 << 20
)

// columnType is the type of a column of PostgreSQL.
type columnType struct {
	// name is what SQL calls it, and base the catalog's name. It is empty for a type that is not
	// PostgreSQL's own: only texts go there, because drivers do not know it.
	name, base string
}

// columnTypes are the types by the names of the columns. Those that cannot be elements of an
// array are left out.
type columnTypes map[string]columnType

// typesText asks for the types of columns. An array of composite values would become more
// than one column. Drivers differ in what they make of a time, a number, and bytes that are
// nil: the parameters show whether this one does what the elements do. These rely on two settings.
const typesText = "SELECT a.attname, format_type(a.atttypid, -1)," +
	" CASE t.typnamespace WHEN 'pg_catalog'::regnamespace THEN t.typname ELSE '' END" +
	" FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid" +
	" WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped" +
	" AND t.typarray <> 0 AND t.typcategory NOT IN ('A', 'C') AND t.typdelim = ','" +
	" AND CASE t.typname WHEN 'timestamptz' THEN CAST($2 AS timestamptz) = '1999-12-31 10:23:00.000001Z'" +
	" WHEN 'timestamp' THEN CAST($3 AS timestamp) = '2000-01-01 00:00:00.000001'" +
	" WHEN 'date' THEN CAST($4 AS date) = '2000-01-01'" +
	" WHEN 'float4' THEN CAST($5 AS real) = '1'" +
	" WHEN 'float8' THEN CAST($6 AS float8) = '0.10000000149011612'" +
	" WHEN 'numeric' THEN CAST($7 AS numeric) = '0.10000000149011612'" +
	" WHEN 'bytea' THEN CAST($8 AS bytea) IS NULL ELSE true END" +
	" AND current_setting('array_nulls') = 'on' AND current_setting('client_encoding') = 'UTF8'"

// learnTypes asks PostgreSQL once for the types of the columns, when so many rows may go as
// arrays. The statements check them: a column may get another type while the program runs.
func (r *store) learnTypes(ctx context.Context, pool gorm.ConnPool, n int) (err error) {
	if r.dialect.name != postgres || n < arraysFrom || r.types.Load() != nil {
		return nil
	}
	table := r.db.Statement.Quote(clause.Table{Name: r.schema.Table})
	when, half, short := time.Date(2000, 1, 1, 0, 0, 0, 1999, time.FixedZone("", (13*60+37)*60)), 1+math.Pow(2, -24), float32(.1)
	rows, err := pool.QueryContext(ctx, typesText, table, when, when, when, half, short, short, []byte(nil))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	types := columnTypes{}
	for rows.Next() {
		var column string
		var t columnType
		if err := rows.Scan(&column, &t.name, &t.base); err != nil {
			return err
		}
		types[column] = t
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if len(types) > 0 { // else the table is still to be made
		r.types.Store(&types)
	}
	return nil
}

// learnTypesIn is learnTypes in a transaction. A call of one statement has learned them before.
func (r *store) learnTypesIn(c *call, items []*item) error {
	if c.once {
		return nil
	}
	return r.learnTypes(c.tx.Statement.Context, c.tx.Statement.ConnPool, len(items))
}

// rowsPerStatement is the number of rows with these columns that one statement writes.
func (r *store) rowsPerStatement(columns []*schema.Field) int {
	if r.takesArrays(columns) {
		return arrayRows
	}
	return r.dialect.rows(len(columns))
}

// takesArrays tells whether all these columns are known to take an array.
func (r *store) takesArrays(columns []*schema.Field) bool {
	types := r.types.Load()
	return types != nil && lo.EveryBy(columns, func(f *schema.Field) bool {
		_, ok := (*types)[f.DBName]
		return ok
	})
}

// arrays are rows, column by column.
type arrays struct {
	table   string
	columns []string
	types   []columnType
	texts   []string
}

// arraysOf are the values of the items as they are, but for the defaulted columns, or nil
// where a list of values has to do.
func (r *store) arraysOf(c *call, items []*item, columns, defaulted []*schema.Field) *arrays {
	if len(items) < arraysFrom || len(columns) == 0 || !r.takesArrays(columns) {
		return nil
	}
	a := &arrays{table: r.schema.Table, columns: names(columns), texts: make([]string, len(columns))}
	types := *r.types.Load()
	for i, f := range columns {
		t := types[f.DBName]
		text, ok := r.arrayText(c.tx.Statement.Context, items, f, t.base, lo.Contains(defaulted, f))
		if !ok {
			return nil
		}
		a.types, a.texts[i] = append(a.types, t), text
	}
	return a
}

// addInts adds a column that the table does not have.
func (a *arrays) addInts(items []*item, of func(*item) int64) {
	text, _ := arrayOf(items, 8, func(b []byte, it *item) ([]byte, bool) { return strconv.AppendInt(b, of(it), 10), true })
	a.types, a.texts = append(a.types, columnType{name: "bigint"}), append(a.texts, text)
}

// Name is that of the clause which arrays stand for.
func (*arrays) Name() string { return clause.Values{}.Name() }

// MergeClause has GORM write what Build writes, and nothing before it.
func (a *arrays) MergeClause(c *clause.Clause) { c.Name, c.Expression = "", a }

// Build writes the columns of an INSERT and the rows.
func (a *arrays) Build(b clause.Builder) {
	b.WriteQuoted(columnsNamed(a.columns))
	write(b, " ")
	a.buildSelect(b)
}

// buildSelect writes a query that has the rows. Its condition is true. PostgreSQL leaves it out, after
// it has checked that the columns have the types that they had: arrays of different types cannot be compared.
func (a *arrays) buildSelect(b clause.Builder) {
	write(b, "SELECT * FROM unnest(")
	for i, text := range a.texts {
		write(b, lo.Ternary(i == 0, "CAST(", ",CAST("))
		b.AddVar(b, text)
		write(b, " AS "+a.types[i].name+"[])")
	}
	write(b, ") WHERE true OR (")
	for i, column := range a.columns {
		write(b, lo.Ternary(i == 0, "", " AND ")+"CAST(NULL AS "+a.types[i].name+"[]) = ARRAY[(CAST(NULL AS ")
		b.WriteQuoted(clause.Table{Name: a.table})
		write(b, ")).")
		b.WriteQuoted(clause.Column{Name: column})
		write(b, "]")
	}
	write(b, ")")
}

func columnsNamed(list []string) []clause.Column {
	return lo.Map(list, func(name string, _ int) clause.Column { return clause.Column{Name: name} })
}

// arraysError says that the server does not take the statement with arrays, which was
// refused before it ran.
type arraysError struct{ error }

func (e *arraysError) Unwrap() error { return e.error }

// withoutArrays makes the repository write lists of values from then on where a statement
// with arrays was refused for its types.
func (r *store) withoutArrays(err error) error {
	// The type of a column that is reported may have changed under a prepared statement. What
	// is missing may be a column, the table or an index.
	const changed = "0A000"
	missing := []string{"42703", "42P01", "42P10"}
	state := dberr.State(err)
	types := r.types.Load()
	if types == nil || len(*types) == 0 || !strings.HasPrefix(state, "42") && state != changed ||
		slices.Contains(missing, state) || dberr.RefusesInsert(err) {
		return err
	}
	r.types.Store(&columnTypes{})
	return &arraysError{err}
}
