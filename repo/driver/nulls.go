package driver

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// stripNulls returns doc without the null members of its objects, at any
// depth. Lists are kept as they are, nulls included. A doc without any is
// returned itself.
func stripNulls(doc []byte) ([]byte, error) {
	if !bytes.Contains(doc, []byte("null")) {
		return doc, nil
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(doc))
	out, err := appendNonNull(make([]byte, 0, len(doc)), dec)
	if err != nil {
		return nil, err
	}
	// What stands behind the object is an error for the decoder to find.
	return append(out, doc[dec.InputOffset():]...), nil
}

// appendNonNull appends the next value of dec without the null members of objects.
func appendNonNull(out []byte, dec *jsontext.Decoder) ([]byte, error) {
	if dec.PeekKind() != jsontext.KindBeginObject {
		v, err := dec.ReadValue()
		return append(out, v...), err
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	out = append(out, '{')
	for first := true; dec.PeekKind() != jsontext.KindEndObject; {
		before := len(out)
		if !first {
			out = append(out, ',')
		}
		name, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		out = append(append(out, name...), ':')
		if dec.PeekKind() == jsontext.KindNull {
			out = out[:before]
			if err := dec.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		if out, err = appendNonNull(out, dec); err != nil {
			return nil, err
		}
		first = false
	}
	_, err := dec.ReadToken()
	return append(out, '}'), err
}
