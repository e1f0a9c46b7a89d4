package driver

import (
	"errors"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// mergeMaps is an unmarshaler for values of every type. It takes over where
// the decoder and RFC 7396 differ: in a map, in a list of named values, as bson.D
// is, and in an any that holds one of these, a null member removes the entry and
// an object is merged into the entry. All else it leaves to the decoder, which
// merges structs the same way, and all that stands in a list: a list replaces the
// stored one as it is, nulls included.
func mergeMaps(dec *jsontext.Decoder, target any) error {
	if inList(dec) {
		return errors.ErrUnsupported
	}
	v := reflect.ValueOf(target).Elem()
	if dec.PeekKind() == jsontext.KindNull {
		v.SetZero() // whatever the type's own decoder makes of null
		_, err := dec.ReadToken()
		return err
	}
	anything := v.Kind() == reflect.Interface && v.NumMethod() == 0
	if dec.PeekKind() != jsontext.KindBeginObject {
		if anything {
			v.SetZero() // the decoder would insist on the type that it holds
		}
		return errors.ErrUnsupported
	}
	if anything {
		held := v.Elem()
		if !isObject(held) {
			held = reflect.ValueOf(map[string]any{})
		}
		into := reflect.New(held.Type()).Elem() // what an interface holds cannot be set
		into.Set(held)
		if err := mergeObject(dec, into); err != nil {
			return err
		}
		v.Set(into)
		return nil
	}
	if entity.IsRawJSON(v.Type()) {
		return mergeText(dec, v)
	}
	if !isObject(v) || v.Kind() == reflect.Map && decodesItself(v.Type()) {
		return errors.ErrUnsupported
	}
	return mergeObject(dec, v)
}

// mergeText merges one object from dec into JSON text. Members of which nothing is
// said keep their text, numbers of many digits among them.
func mergeText(dec *jsontext.Decoder, v reflect.Value) error {
	patch, err := dec.ReadValue()
	if err != nil {
		return err
	}
	merged, err := mergedText(v.Bytes(), patch)
	if err != nil {
		return err
	}
	v.SetBytes(merged)
	return nil
}

func mergedText(old, patch jsontext.Value) (jsontext.Value, error) {
	if patch.Kind() != jsontext.KindBeginObject {
		return patch.Clone(), nil
	}
	members, changes := map[string]jsontext.Value{}, map[string]jsontext.Value{}
	if old.Kind() == jsontext.KindBeginObject {
		if err := json.Unmarshal(old, &members); err != nil {
			return nil, err
		}
	}
	if err := json.Unmarshal(patch, &changes); err != nil {
		return nil, err
	}
	for name, change := range changes {
		if change.Kind() == jsontext.KindNull {
			delete(members, name)
			continue
		}
		merged, err := mergedText(members[name], change)
		if err != nil {
			return nil, err
		}
		members[name] = merged
	}
	return json.Marshal(members, json.Deterministic(true))
}

// clearText makes null in a field of JSON text no text at all: a column is NULL then.
func clearText(dec *jsontext.Decoder, target interface{ UnmarshalJSON(data []byte) error }) error {
	v := reflect.ValueOf(target)
	if dec.PeekKind() != jsontext.KindNull || inList(dec) || v.Kind() != reflect.Pointer || !entity.IsRawJSON(v.Type().Elem()) {
		return errors.ErrUnsupported
	}
	v.Elem().SetZero()
	_, err := dec.ReadToken()
	return err
}

// isObject tells whether v is a map of names or a list of named values.
func isObject(v reflect.Value) bool {
	if !v.IsValid() {
		return false
	}
	return v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String || isNamedList(v.Type())
}

// isNamedList knows bson.D by its shape, because no driver is imported here.
func isNamedList(t reflect.Type) bool {
	if t.Kind() != reflect.Slice || t.Elem().Kind() != reflect.Struct || t.Elem().NumField() != 2 {
		return false
	}
	key, value := t.Elem().Field(0), t.Elem().Field(1)
	return key.Name == "Key" && key.Type.Kind() == reflect.String && value.Name == "Value" && value.Type == reflect.TypeFor[any]()
}

func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[json.UnmarshalerFrom]())
}

func mergeObject(dec *jsontext.Decoder, v reflect.Value) error {
	if v.Kind() == reflect.Slice {
		return mergeNamed(dec, v)
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	return mergeMembers(dec, v)
}

// mergeNamed reads one object from dec into a list of named values, whose order
// stays.
func mergeNamed(dec *jsontext.Decoder, list reflect.Value) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	merged := reflect.MakeSlice(list.Type(), 0, list.Len())
	merged = reflect.AppendSlice(merged, list) // the stored one may be shared
	for dec.PeekKind() != jsontext.KindEndObject {
		token, err := dec.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		at := named(merged, name)
		if dec.PeekKind() == jsontext.KindNull {
			if _, err := dec.ReadToken(); err != nil {
				return err
			}
			if at >= 0 {
				merged = reflect.AppendSlice(merged.Slice(0, at), merged.Slice(at+1, merged.Len()))
			}
			continue
		}
		if at < 0 {
			at = merged.Len()
			entry := reflect.New(list.Type().Elem()).Elem()
			entry.Field(0).SetString(name)
			merged = reflect.Append(merged, entry)
		}
		if err := json.UnmarshalDecode(dec, merged.Index(at).Field(1).Addr().Interface()); err != nil {
			return err
		}
	}
	list.Set(merged)
	_, err := dec.ReadToken()
	return err
}

// named is the place of a name in a list, -1 where it is not.
func named(list reflect.Value, name string) int {
	for i := range list.Len() {
		if list.Index(i).Field(0).String() == name {
			return i
		}
	}
	return -1
}

func inList(dec *jsontext.Decoder) bool {
	for i := range dec.StackDepth() {
		if kind, _ := dec.StackIndex(i + 1); kind == jsontext.KindBeginArray {
			return true
		}
	}
	return false
}

// mergeMembers reads one object from dec into m. The same decoder reads the
// members, so that errors point to the right place.
func mergeMembers(dec *jsontext.Decoder, m reflect.Value) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != jsontext.KindEndObject {
		token, err := dec.ReadToken()
		if err != nil {
			return err
		}
		key := reflect.ValueOf(token.String()).Convert(m.Type().Key())
		if dec.PeekKind() == jsontext.KindNull {
			if _, err := dec.ReadToken(); err != nil {
				return err
			}
			m.SetMapIndex(key, reflect.Value{})
			continue
		}
		entry := reflect.New(m.Type().Elem())
		if old := m.MapIndex(key); old.IsValid() {
			entry.Elem().Set(old)
		}
		if err := json.UnmarshalDecode(dec, entry.Interface()); err != nil {
			return err
		}
		m.SetMapIndex(key, entry.Elem())
	}
	_, err := dec.ReadToken()
	return err
}
