package entity

import (
	"encoding"
	"encoding/hex"
	"fmt"
	"reflect"
)

// KeyOf returns the values of the key fields of v, a T or *T, in the order of
// Key.
func (e *Entity) KeyOf(v reflect.Value) []any {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	key := make([]any, len(e.Key))
	for i, f := range e.Key {
		if fv := f.Value(v); fv.IsValid() {
			key[i] = fv.Interface()
		} else {
			key[i] = reflect.Zero(f.Type).Interface()
		}
	}
	return key
}

// KeyFromID turns what a caller gave as an id into the values of the key
// fields: a T or *T with its key fields set, or for a single key a value that
// ConvertID accepts. Anything else is ErrInvalid.
func (e *Entity) KeyFromID(id any) ([]any, error) {
	v := reflect.ValueOf(id)
	if v.IsValid() && v.Kind() == reflect.Pointer && v.Type().Elem() == e.Type && !v.IsNil() {
		v = v.Elem()
	}
	if v.IsValid() && v.Type() == e.Type {
		return e.KeyOf(v), nil
	}
	if len(e.Key) > 1 {
		return nil, fmt.Errorf("%w: an id of %s is a %s with its key fields set, not a %T", ErrInvalid, e.Type, e.Type, id)
	}
	k, err := ConvertID(id, e.Key[0].Type)
	if err != nil {
		return nil, err
	}
	return []any{k}, nil
}

// ConvertID turns id into a value of the key's type: the type itself, an
// integer that fits, text for a text key, 24 hex digits for an ObjectID, and for
// other types that are no numbers the text that they read by UnmarshalText. For a
// key behind a pointer it is a value of what is behind it, too.
func ConvertID(id any, key reflect.Type) (any, error) {
	v := reflect.ValueOf(id)
	bad := fmt.Errorf("%w: id of type %T for a key of type %s", ErrInvalid, id, key)
	switch {
	case !v.IsValid() || v.Type() == key && v.Kind() == reflect.Pointer && v.IsNil():
		return nil, bad
	case v.Type() == key:
		return id, nil
	case key.Kind() == reflect.Pointer:
		inner, err := ConvertID(id, key.Elem())
		if err != nil {
			return nil, err
		}
		p := reflect.New(key.Elem())
		p.Elem().Set(reflect.ValueOf(inner))
		return p.Interface(), nil
	}
	from := v.Type()
	switch {
	case isInt(from.Kind()) && isInt(key.Kind()):
		if out, ok := convertInt(v, key); ok {
			return out.Interface(), nil
		}
		return nil, fmt.Errorf("%w: id %v does not fit a key of type %s", ErrInvalid, id, key)
	case from.Kind() == reflect.String && key.Kind() == reflect.String:
		return v.Convert(key).Interface(), nil
	case from.Kind() == reflect.String && IsObjectID(key):
		return objectIDFromHex(v.String(), key, bad)
	case from.Kind() == reflect.String && !isInt(key.Kind()):
		return fromText(v.String(), key, bad)
	case from.Kind() == reflect.Array && key.Kind() == reflect.Array && from.ConvertibleTo(key):
		return v.Convert(key).Interface(), nil
	}
	return nil, bad
}

// fromText reads a key that knows its own text, a UUID for instance.
func fromText(s string, key reflect.Type, bad error) (any, error) {
	out := reflect.New(key)
	u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](out)
	if !ok {
		return nil, bad
	}
	if u.UnmarshalText([]byte(s)) != nil {
		return nil, fmt.Errorf("%w: it cannot be read from the text", bad)
	}
	return out.Elem().Interface(), nil
}

func convertInt(v reflect.Value, key reflect.Type) (reflect.Value, bool) {
	out := reflect.New(key).Elem()
	switch {
	case v.CanInt() && out.CanInt():
		if out.OverflowInt(v.Int()) {
			return out, false
		}
		out.SetInt(v.Int())
	case v.CanInt(): // to unsigned
		if v.Int() < 0 || out.OverflowUint(uint64(v.Int())) {
			return out, false
		}
		out.SetUint(uint64(v.Int()))
	case out.CanInt(): // from unsigned
		if u := v.Uint(); u > 1<<63-1 || out.OverflowInt(int64(u)) {
			return out, false
		}
		out.SetInt(int64(v.Uint()))
	default:
		if out.OverflowUint(v.Uint()) {
			return out, false
		}
		out.SetUint(v.Uint())
	}
	return out, true
}

// IsObjectID tells whether t is the ObjectID of a MongoDB driver, known by its
// shape, because this package does not import one.
func IsObjectID(t reflect.Type) bool {
	return t.Name() == "ObjectID" && t.Kind() == reflect.Array && t.Len() == 12 && t.Elem().Kind() == reflect.Uint8 &&
		reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func objectIDFromHex(s string, key reflect.Type, bad error) (any, error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != 12 {
		return nil, fmt.Errorf("%w: 24 hex digits wanted", bad)
	}
	out := reflect.New(key).Elem()
	reflect.Copy(out, reflect.ValueOf(raw))
	return out.Interface(), nil
}

// Comparable returns a value that is == for equal keys and can be a map key.
func Comparable(key []any) any {
	if len(key) == 1 {
		return comparablePart(key[0])
	}
	arr := reflect.New(reflect.ArrayOf(len(key), reflect.TypeFor[any]())).Elem()
	for i, k := range key {
		arr.Index(i).Set(reflect.ValueOf(comparablePart(k)))
	}
	return arr.Interface()
}

func comparablePart(k any) any {
	v := reflect.ValueOf(k)
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		return comparablePart(v.Elem().Interface())
	}
	if v.IsValid() && v.Comparable() {
		return k
	}
	// Byte slices and structs with slices: the text of the value stands for it.
	return fmt.Sprintf("%T %#v", k, k)
}
