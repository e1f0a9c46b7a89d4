package repo

import (
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/internal/values"
)

// A value in a cursor is a letter for its kind and a text. A missing one is empty.
const (
	kindText   = 's'
	kindBool   = 'b'
	kindInt    = 'i'
	kindUint   = 'u'
	kindFloat  = 'f'
	kindTime   = 't'
	kindBytes  = 'x'
	kindNull   = 'n' // a null of database/sql
	kindOfSelf = 'm' // the type knows its own text
)

// encodeValue is the same for equal values, in every process.
func encodeValue(v reflect.Value) ([]byte, error) {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem()
	}
	if !v.IsValid() || v.Kind() == reflect.Slice && v.IsNil() {
		return nil, nil
	}
	if t, ok := reflect.TypeAssert[time.Time](v); ok {
		raw, err := t.UTC().MarshalBinary()
		return append([]byte{kindTime}, raw...), err
	}
	switch {
	case v.Kind() == reflect.String:
		return append([]byte{kindText}, v.String()...), nil
	case v.Kind() == reflect.Bool:
		return strconv.AppendBool([]byte{kindBool}, v.Bool()), nil
	case v.CanInt():
		return strconv.AppendInt([]byte{kindInt}, v.Int(), 10), nil
	case v.CanUint():
		return strconv.AppendUint([]byte{kindUint}, v.Uint(), 10), nil
	case v.CanFloat():
		return strconv.AppendUint([]byte{kindFloat}, math.Float64bits(v.Float()), 16), nil
	case values.IsBytes(v.Type()):
		b := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(b), v)
		return append([]byte{kindBytes}, b...), nil
	}
	if valuer, ok := reflect.TypeAssert[sqldriver.Valuer](v); ok {
		x, err := valuer.Value()
		if err != nil || x == nil {
			return nil, err
		}
		raw, err := encodeValue(reflect.ValueOf(x))
		return append([]byte{kindNull}, raw...), err
	}
	if m, ok := reflect.TypeAssert[encoding.TextMarshaler](v); ok {
		raw, err := m.MarshalText()
		return append([]byte{kindOfSelf}, raw...), err
	}
	return nil, fmt.Errorf("%w: a cursor cannot hold a %s", ErrUnsupported, v.Type())
}

// decodeValue makes a value of t, without pointers, or nil for a missing one.
func decodeValue(t reflect.Type, raw []byte) (any, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	out := reflect.New(entity.Deref(t))
	if err := decodeInto(out, raw[0], raw[1:]); err != nil {
		return nil, fmt.Errorf("%w: no value of type %s", ErrInvalid, t)
	}
	return out.Elem().Interface(), nil
}

func decodeInto(out reflect.Value, kind byte, raw []byte) error {
	v := out.Elem()
	switch kind {
	case kindBytes:
		if v.Kind() == reflect.Array && v.Len() == len(raw) && values.IsBytes(v.Type()) {
			reflect.Copy(v, reflect.ValueOf(raw))
			return nil
		}
	case kindNull:
		return scanInto(out, raw)
	case kindOfSelf:
		u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](out)
		if !ok {
			return ErrInvalid
		}
		return u.UnmarshalText(raw)
	}
	x, err := parsePlain(kind, raw)
	if err != nil {
		return err
	}
	return values.Assign(v, reflect.ValueOf(x))
}

// parsePlain reads a value of those that drivers of database/sql know, among others.
func parsePlain(kind byte, raw []byte) (any, error) {
	text := string(raw)
	switch kind {
	case kindTime:
		var at time.Time
		err := at.UnmarshalBinary(raw)
		return at, err
	case kindBytes:
		return raw, nil
	case kindText:
		return text, nil
	case kindBool:
		return strconv.ParseBool(text)
	case kindInt:
		return strconv.ParseInt(text, 10, 64)
	case kindUint:
		return strconv.ParseUint(text, 10, 64)
	case kindFloat:
		bits, err := strconv.ParseUint(text, 16, 64)
		return math.Float64frombits(bits), err
	default:
		return nil, ErrInvalid
	}
}

// scanInto has a type of database/sql read what it had made of itself.
func scanInto(out reflect.Value, raw []byte) error {
	scanner, ok := reflect.TypeAssert[sql.Scanner](out)
	if !ok || len(raw) == 0 {
		return ErrInvalid
	}
	x, err := parsePlain(raw[0], raw[1:])
	if err != nil {
		return err
	}
	return scanner.Scan(x)
}
