package driver

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

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
