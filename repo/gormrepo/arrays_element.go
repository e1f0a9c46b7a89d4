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
	"strings"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// arrayText is an array of PostgreSQL as a text, with a column's values of all items. It
// tells whether there is one: what is no plain value goes in a form that the driver knows.
func (r *store) arrayText(ctx context.Context, items []*item, f *schema.Field, base string, defaulted bool) (string, bool) {
	if f.Serializer == nil && tellsDriver(f.IndirectFieldType) {
		return "", false
	}
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
		if b, ok = appendTo(b, e); !ok || len(b) > maxBytes {
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

// tellsDriver tells whether a type of numbers or texts may say to pgx what the database gets,
// by a method as Int64Value or TextValue, of which database/sql knows nothing.
func tellsDriver(t reflect.Type) bool {
	return t.Kind() <= reflect.String && !isSpecial(t) &&
		lo.SomeBy(lo.Range(t.NumMethod()), func(i int) bool { return strings.HasSuffix(t.Method(i).Name, "Value") })
}

// saysItself is isSpecial for a value, in a tenth of the time.
func saysItself(v any) bool {
	switch v.(type) {
	case sqldriver.Valuer, gorm.Valuer, clause.Expression:
		return true
	default:
		return false
	}
}

// appendAny is appendElement for what has to be asked first for what the database gets.
func appendAny(b []byte, v any, base string) ([]byte, bool) {
	if v == nil {
		return append(b, "NULL"...), true
	}
	if t, ok := v.(time.Time); ok {
		return appendTime(b, t, base)
	}
	special, rv := saysItself(v), reflect.ValueOf(v)
	switch isPointer := rv.Kind() == reflect.Pointer; {
	case isPointer && rv.IsNil():
		// What a nil pointer says of itself need not be NULL.
		return append(b, "NULL"...), !special || isSpecial(rv.Type().Elem())
	case isPointer && !special:
		return appendAny(b, rv.Elem().Interface(), base)
	}
	valuer, ok := v.(sqldriver.Valuer)
	if !ok && special {
		return b, false
	}
	if !ok {
		return appendElement(b, rv, base)
	}
	given, err := valuer.Value()
	if err != nil || given == nil {
		return append(b, "NULL"...), err == nil
	}
	if saysItself(given) {
		return b, false
	}
	return appendElement(b, reflect.ValueOf(given), base)
}

// appendElement appends a value in the way that the driver would write it for a column of
// the type, and tells whether it can.
func appendElement(b []byte, v reflect.Value, base string) ([]byte, bool) {
	isFloat := base == "float8" || base == "float4" || base == "numeric"
	isNumber := isFloat || base == "int8" || base == "int4" || base == "int2"
	switch k := v.Kind(); {
	case k >= reflect.Int && k <= reflect.Int64 && isNumber && v.Type() != reflect.TypeFor[time.Duration]():
		return strconv.AppendInt(b, v.Int(), 10), true
	case k >= reflect.Uint && k <= reflect.Uint64 && isNumber:
		return strconv.AppendUint(b, v.Uint(), 10), v.Uint() <= math.MaxInt64 // more is an error of the driver, for most columns
	case (k == reflect.Float32 || k == reflect.Float64) && isFloat:
		return appendFloat(b, v.Float(), base)
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

// appendFloat rounds for a short column, as the driver does: the server would round the
// text of the long number, and refuse one that is too small or too large.
func appendFloat(b []byte, f float64, base string) ([]byte, bool) {
	bits := 64
	if base == "float4" {
		f, bits = float64(float32(f)), 32
	}
	return strconv.AppendFloat(b, f, 'g', -1, bits), !math.IsNaN(f) && !math.IsInf(f, 0)
}

func isJSON(base string) bool { return base == "json" || base == "jsonb" }

// appendTime writes the clock of UTC, or of the time's own zone for a column without a zone.
// Columns keep microseconds; what is behind them is cut off.
func appendTime(b []byte, t time.Time, base string) ([]byte, bool) {
	switch base {
	case "timestamptz":
		t = t.UTC() // the server does not know every zone that Go has
	case "timestamp", "date":
	default:
		return b, false
	}
	b = t.AppendFormat(append(b, '"'), "2006-01-02 15:04:05.999999Z") // the letter as it is
	return append(b, '"'), t.Year() >= 1 && t.Year() <= 9999
}

// appendBytes leaves bytes for a text to the driver: some take them for a bytea, whose text
// is another one.
func appendBytes(b []byte, v reflect.Value, base string) ([]byte, bool) {
	switch {
	case v.IsNil():
		return append(b, "NULL"...), true
	case base == "bytea":
		b = append(b, `"\\x`...)
		return append(hex.AppendEncode(b, v.Bytes()), '"'), true
	default:
		return appendQuoted(b, string(v.Bytes())), isJSON(base) && v.Len() > 0
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
