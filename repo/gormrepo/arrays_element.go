package gormrepo

import (
	"context"
	sqldriver "database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// arrayText is an array of PostgreSQL as a text, with a column's values of all items. It
// tells whether there is one: what is no plain value goes in a form that the driver knows.
func (r *store) arrayText(ctx context.Context, items []*item, f *schema.Field, base string, defaulted bool) (string, bool) {
	plain := !defaulted && r.isPlain(f)
	return arrayOf(items, r.elementSize(items[0], f), func(b []byte, it *item) ([]byte, bool) {
		switch {
		case plain:
			return appendElement(b, f.ReflectValueOf(ctx, it.val), base)
		case defaulted:
			return appendElement(b, reflect.ValueOf(f.DefaultValueInterface), base)
		default:
			return appendAny(b, r.value(ctx, it, f), base)
		}
	})
}

// arrayOf is the text of an array, whose elements appendTo appends.
func arrayOf[E any](list []E, size int, appendTo func(b []byte, e E) ([]byte, bool)) (string, bool) {
	b := make([]byte, 0, 2+len(list)*size)
	for i, e := range list {
		b = append(b, lo.Ternary[byte](i == 0, '{', ','))
		var ok bool
		if b, ok = appendTo(b, e); !ok {
			return "", false
		}
	}
	return string(append(b, '}')), true
}

// elementSize is a guess.
func (r *store) elementSize(it *item, f *schema.Field) int {
	if f.FieldType.Kind() == reflect.String && r.isPlain(f) {
		return 8 + f.ReflectValueOf(context.Background(), it.val).Len()
	}
	return 12
}

// isPlain tells whether a field holds just what its column gets.
func (m *model) isPlain(f *schema.Field) bool {
	if f.Serializer != nil || isNullDefault(f) || lo.Contains(m.deleted, f) || slices.Min(f.StructField.Index) < 0 || isSpecial(f.FieldType) {
		return false
	}
	k := f.FieldType.Kind()
	return k >= reflect.Bool && k <= reflect.Float64 && k != reflect.Uintptr || k == reflect.String
}

// isSpecial tells whether values of the type say themselves what the database gets.
func isSpecial(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[sqldriver.Valuer]()) || t.Implements(reflect.TypeFor[gorm.Valuer]()) ||
		t.Implements(reflect.TypeFor[clause.Expression]())
}

// appendAny is appendElement for what has to be asked first for what the database gets.
func appendAny(b []byte, v any, base string) ([]byte, bool) {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer && rv.IsNil() {
		return append(b, "NULL"...), true
	}
	switch v := v.(type) {
	case nil:
		return append(b, "NULL"...), true
	case gorm.Valuer, clause.Expression:
		return b, false
	case sqldriver.Valuer:
		given, err := v.Value()
		if _, again := given.(sqldriver.Valuer); err != nil || again {
			return b, false
		}
		return appendAny(b, given, base)
	}
	if rv.Kind() == reflect.Pointer {
		return appendAny(b, rv.Elem().Interface(), base)
	}
	return appendElement(b, rv, base)
}

// appendElement appends a value in the way that the driver would write it for a column of
// the type, and tells whether it can.
func appendElement(b []byte, v reflect.Value, base string) ([]byte, bool) {
	isNumber := lo.Contains([]string{"int8", "int4", "int2", "numeric", "float8", "float4"}, base)
	switch k := v.Kind(); {
	case k >= reflect.Int && k <= reflect.Int64 && isNumber && v.Type() != reflect.TypeFor[time.Duration]():
		return strconv.AppendInt(b, v.Int(), 10), true
	case k >= reflect.Uint && k <= reflect.Uint64 && isNumber:
		return strconv.AppendUint(b, v.Uint(), 10), true
	case (k == reflect.Float32 || k == reflect.Float64) && isNumber && base[0] != 'i':
		f := v.Float()
		return strconv.AppendFloat(b, f, 'g', -1, 64), !math.IsNaN(f) && !math.IsInf(f, 0)
	case k == reflect.Bool && base == "bool":
		return strconv.AppendBool(b, v.Bool()), true
	case k == reflect.String && (v.Type() == reflect.TypeFor[string]() || !isJSON(base)):
		return appendQuoted(b, v.String()), true
	}
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		return appendTime(b, v.Interface().(time.Time), base) //nolint:forcetypeassert // it was just looked at
	case reflect.TypeFor[[]byte](), reflect.TypeFor[json.RawMessage]():
		return appendBytes(b, v, base)
	}
	return b, false
}

func isJSON(base string) bool { return base == "json" || base == "jsonb" }

// timeElement is how an element of an array tells a time.
const timeElement = "2006-01-02 15:04:05.999999Z07:00:00"

// appendTime writes the clock of the time's own zone and how far that is from UTC, which
// columns without a zone ignore. They keep microseconds; what is behind them is cut off.
func appendTime(b []byte, t time.Time, base string) ([]byte, bool) {
	if !lo.Contains([]string{"timestamptz", "timestamp", "date"}, base) || t.Year() < 1 || t.Year() > 9999 {
		return b, false
	}
	b = t.AppendFormat(append(b, '"'), timeElement)
	return append(b, '"'), true
}

func appendBytes(b []byte, v reflect.Value, base string) ([]byte, bool) {
	switch {
	case v.IsNil():
		return append(b, "NULL"...), true
	case base == "bytea":
		b = append(b, `"\\x`...)
		return append(hex.AppendEncode(b, v.Bytes()), '"'), true
	case isJSON(base) || lo.Contains([]string{"text", "varchar", "bpchar"}, base):
		return appendQuoted(b, string(v.Bytes())), true
	default:
		return b, false
	}
}

// appendQuoted writes a text between quotes.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for {
		i := indexQuoted(s)
		if i < 0 {
			break
		}
		b = append(append(b, s[:i]...), '\\', s[i])
		s = s[i+1:]
	}
	return append(append(b, s...), '"')
}

// indexQuoted is where the first character is that needs a backslash, or -1.
func indexQuoted(s string) int {
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			return i
		}
	}
	return -1
}
