package gormrepo

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// operand is what a condition compares and a sort key sorts by: a column, or a value
// inside a column of JSON that GORM's serializer writes.
type operand struct {
	column  *schema.Field
	dialect dialect
	// typ is the type of the Go field, without pointers.
	typ reflect.Type
	// path are the names of the members that lead to the value in the JSON.
	path []string
	// shown names the field in errors.
	shown string
}

func (o operand) isJSON() bool { return len(o.path) > 0 }

// isText tells whether the database compares text.
func (o operand) isText() bool {
	return o.typ.Kind() == reflect.String && (o.isJSON() || o.column.Serializer == nil)
}

// operand finds what an option names.
func (r *store) operand(name string) (operand, error) {
	f, ok := entity.FieldByName(r.entity.Type, name)
	if !ok {
		return operand{}, fmt.Errorf("%w: %s has no field %q", repo.ErrInvalid, r.entity.Type, name)
	}
	o := operand{dialect: r.dialect, typ: entity.Deref(f.Type), shown: name}
	for n := len(f.Index); n > 0; n-- {
		column, ok := r.byPath[fmt.Sprint(f.Index[:n])]
		if !ok {
			continue
		}
		o.column = column
		if n == len(f.Index) {
			return o, nil
		}
		if _, ok := column.Serializer.(schema.JSONSerializer); !ok {
			break
		}
		if o.path, ok = jsonPath(column.FieldType, f.Index[n:]); ok && isJSONScalar(o.typ) {
			return o, nil
		}
		return operand{}, fmt.Errorf("%w: field %s of %s in a column of JSON; text, numbers and bool can be compared there", repo.ErrUnsupported, name, r.entity.Type)
	}
	return operand{}, fmt.Errorf("%w: field %s of %s is no column", repo.ErrUnsupported, name, r.entity.Type)
}

// columnOf finds the column that holds the field.
func (r *store) columnOf(name string) (*schema.Field, error) {
	f, ok := entity.FieldByName(r.entity.Type, name)
	if !ok {
		return nil, fmt.Errorf("%w: %s has no field %q", repo.ErrInvalid, r.entity.Type, name)
	}
	for n := len(f.Index); n > 0; n-- {
		if column, ok := r.byPath[fmt.Sprint(f.Index[:n])]; ok {
			return column, nil
		}
	}
	return nil, fmt.Errorf("%w: field %s of %s is no column", repo.ErrUnsupported, name, r.entity.Type)
}

// isJSONScalar tells whether a value is the same in JSON as in Go, and no text that
// stands for something else.
func isJSONScalar(t reflect.Type) bool {
	k := t.Kind()
	plain := k == reflect.String || k == reflect.Bool || entity.IsInt(t) || k == reflect.Float32 || k == reflect.Float64
	return plain && !entity.HasOwnJSON(t)
}

// jsonPath are the names by which encoding/json writes the field at index in t.
func jsonPath(t reflect.Type, index []int) ([]string, bool) {
	var path []string
	for _, i := range index {
		t = entity.Deref(t)
		if entity.HasOwnJSON(t) {
			return nil, false
		}
		sf := t.Field(i)
		name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if name == "-" && options == "" || strings.Contains(","+options+",", ",string,") {
			return nil, false
		}
		t = sf.Type
		if sf.Anonymous && name == "" && entity.Deref(t).Kind() == reflect.Struct {
			continue // its fields are members of what embeds it
		}
		if name == "" {
			name = sf.Name
		}
		path = append(path, name)
	}
	return path, len(path) > 0
}

// Build writes the column, or what takes the value out of it.
func (o operand) Build(b clause.Builder) {
	if !o.isJSON() {
		b.WriteQuoted(clause.Column{Table: clause.CurrentTable, Name: o.column.DBName})
		return
	}
	switch o.dialect.name {
	case postgres:
		o.buildPostgres(b)
	case mysql:
		o.buildMySQL(b)
	default:
		write(b, "json_extract(NULLIF(")
		o.writeColumn(b)
		write(b, ", ''), ")
		b.AddVar(b, o.pathText())
		write(b, ")")
	}
}

func (o operand) writeColumn(b clause.Builder) {
	b.WriteQuoted(clause.Column{Table: clause.CurrentTable, Name: o.column.DBName})
}

func (o operand) buildPostgres(b clause.Builder) {
	write(b, "(jsonb_extract_path_text(NULLIF(")
	o.writeColumn(b)
	write(b, "::text, '')::jsonb")
	for _, name := range o.path {
		write(b, ", ")
		b.AddVar(b, name)
	}
	write(b, "))")
	switch k := o.typ.Kind(); {
	case k == reflect.Bool:
		write(b, "::boolean")
	case k == reflect.Float32 || k == reflect.Float64:
		write(b, "::double precision")
	case k != reflect.String:
		write(b, "::numeric")
	}
}

// buildMySQL takes the value as text, which is what text and bool are compared as. Null
// in JSON is no NULL to MySQL.
func (o operand) buildMySQL(b clause.Builder) {
	extract := func() {
		write(b, "JSON_EXTRACT(NULLIF(")
		o.writeColumn(b)
		write(b, ", ''), ")
		b.AddVar(b, o.pathText())
		write(b, ")")
	}
	write(b, "(CASE JSON_TYPE(")
	extract()
	write(b, ") WHEN 'NULL' THEN NULL ELSE ")
	switch o.typ.Kind() {
	case reflect.String, reflect.Bool:
		write(b, "JSON_UNQUOTE(")
		extract()
		write(b, ")")
	case reflect.Float32, reflect.Float64:
		extract()
		write(b, " + 0e0")
	default:
		write(b, "CAST(")
		extract()
		write(b, " AS DECIMAL(65,0))")
	}
	write(b, " END)")
}

func (o operand) pathText() string {
	var b strings.Builder
	b.WriteString("$")
	for _, name := range o.path {
		b.WriteString(`."` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`)
	}
	return b.String()
}

// param is the value of a condition as the database gets it.
func (o operand) param(m *model, c driver.Cond) (any, error) {
	if c.IgnoreCase && o.isText() {
		text := reflect.Indirect(reflect.ValueOf(c.Value)).String()
		return strings.ToLower(text), o.checkFolding(text)
	}
	if !o.isJSON() {
		return m.param(o.column, c.Value), nil
	}
	if v := reflect.Indirect(reflect.ValueOf(c.Value)); v.Kind() == reflect.Bool && o.dialect.name == mysql {
		return strconv.FormatBool(v.Bool()), nil
	}
	return c.Value, nil
}

// checkFolding refuses what the database cannot put into lower case.
func (o operand) checkFolding(text string) error {
	if o.dialect.name != sqlite || isASCII(text) {
		return nil
	}
	if strings.ToLower(text) != text || strings.ToUpper(text) != text {
		return fmt.Errorf("%w: field %s without regard to case: SQLite knows the case of A to Z only", repo.ErrUnsupported, o.shown)
	}
	return nil
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= 0x80 }) < 0
}
