package repo

import (
	"bytes"
	"errors"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// mergeMaps is an unmarshaler for values of every type. It takes over where
// the decoder and RFC 7396 differ: in a map, and in an any that holds one, a
// null member removes the entry and an object is merged into the entry. All
// else it leaves to the decoder, which merges structs the same way, and all that
// stands in a list: a list replaces the stored one as it is, nulls included.
func mergeMaps(dec *jsontext.Decoder, target any) error {
	if inList(dec) {
		return errors.ErrUnsupported
	}
	v := reflect.ValueOf(target).Elem()
	anything := v.Kind() == reflect.Interface && v.NumMethod() == 0
	if dec.PeekKind() != jsontext.KindBeginObject {
		if anything {
			v.SetZero() // the decoder would insist on the type that it holds
		}
		return errors.ErrUnsupported
	}
	if anything {
		m, ok := reflect.TypeAssert[map[string]any](v)
		if !ok {
			m = map[string]any{}
		}
		mv := reflect.ValueOf(m)
		if err := mergeMembers(dec, mv); err != nil {
			return err
		}
		v.Set(mv)
		return nil
	}
	if v.Kind() != reflect.Map || v.Type().Key().Kind() != reflect.String ||
		reflect.PointerTo(v.Type()).Implements(reflect.TypeFor[json.Unmarshaler]()) ||
		reflect.PointerTo(v.Type()).Implements(reflect.TypeFor[json.UnmarshalerFrom]()) {
		return errors.ErrUnsupported
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	return mergeMembers(dec, v)
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

// stripNulls returns doc without the null members of its objects, at any
// depth. Lists are kept as they are, nulls included.
func stripNulls(doc []byte) ([]byte, error) {
	var out bytes.Buffer
	dec, enc := jsontext.NewDecoder(bytes.NewReader(doc)), jsontext.NewEncoder(&out)
	if err := copyNonNull(dec, enc); err != nil {
		return nil, err
	}
	// What stands behind the object is an error for the decoder to find.
	rest := doc[dec.InputOffset():]
	return append(bytes.TrimRight(out.Bytes(), "\n"), rest...), nil
}

func copyNonNull(dec *jsontext.Decoder, enc *jsontext.Encoder) error {
	if dec.PeekKind() != jsontext.KindBeginObject {
		v, err := dec.ReadValue()
		if err != nil {
			return err
		}
		return enc.WriteValue(v)
	}
	if err := copyToken(dec, enc); err != nil {
		return err
	}
	for dec.PeekKind() != jsontext.KindEndObject {
		token, err := dec.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		if dec.PeekKind() == jsontext.KindNull {
			if _, err := dec.ReadToken(); err != nil {
				return err
			}
			continue
		}
		if err := enc.WriteToken(jsontext.String(name)); err != nil {
			return err
		}
		if err := copyNonNull(dec, enc); err != nil {
			return err
		}
	}
	return copyToken(dec, enc)
}

func copyToken(dec *jsontext.Decoder, enc *jsontext.Encoder) error {
	token, err := dec.ReadToken()
	if err != nil {
		return err
	}
	return enc.WriteToken(token)
}
