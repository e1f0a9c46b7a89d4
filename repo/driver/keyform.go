package driver

import (
	"database/sql/driver"
	"encoding/hex"
	"reflect"
	"strconv"
	"strings"
)

// KeyForm is what all spellings of one key have in common, for a wrapper that treats
// entities differently by their keys. Different keys may have one form.
type KeyForm struct {
	// Text is the same for all ids and entities that can be of one row or document. It
	// is empty where that cannot be told.
	Text string
	// None says that there is no key yet: the store makes it.
	None bool
}

// Keyer is a repository that tells which key an id or an entity has. It asks no server.
type Keyer[T any] interface {
	// FormOfID is the form of an id. An id that the repository would refuse is
	// ErrInvalid.
	FormOfID(id any) (KeyForm, error)
	// FormOf is the form of an entity's key.
	FormOf(e *T) KeyForm
}

// FormOfKey is the form of a key, given the values of its fields. Databases take texts
// for equal that differ in case, in spaces at the end, in an accent, or in how a UUID or a
// number is written, each by rules of its own. So only what no rule changes is left of a text.
// Texts with other characters than printable ones of ASCII, and values that are no
// text, integer, bool or array of bytes, have no form.
func FormOfKey(key []any) KeyForm {
	parts := make([]string, len(key))
	for i, part := range key {
		text, ok := formOfPart(reflect.ValueOf(part))
		if !ok {
			return KeyForm{}
		}
		parts[i] = text
	}
	return KeyForm{Text: strings.Join(parts, "/")}
}

func formOfPart(v reflect.Value) (string, bool) {
	for v.IsValid() && v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if !v.IsValid() {
		return "", false
	}
	if v.Kind() == reflect.Array && v.Type().Elem().Kind() == reflect.Uint8 {
		raw := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(raw), v)
		return hex.EncodeToString(raw), true
	}
	if v.Type().Implements(reflect.TypeFor[driver.Valuer]()) || reflect.PointerTo(v.Type()).Implements(reflect.TypeFor[driver.Valuer]()) {
		return "", false // it can store two values as one
	}
	switch {
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10), true
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10), true
	case v.Kind() == reflect.Bool:
		return strconv.FormatBool(v.Bool()), true
	case v.Kind() == reflect.String:
		text := FormOfText(v.String())
		return text, text != ""
	}
	return "", false
}

// FormOfText is what no collation changes of a text, empty where that cannot be told: its
// letters without case, and its digits but for zeros. Swedish takes v for w, Lithuanian i
// for y, and Latin i for j and u for v.
func FormOfText(text string) string {
	var form strings.Builder
	for _, r := range text {
		switch {
		case r < ' ' || r > '~':
			return ""
		case 'A' <= r && r <= 'Z':
			r += 'a' - 'A'
		}
		switch r {
		case 'j', 'y':
			r = 'i'
		case 'v', 'w':
			r = 'u'
		}
		if '1' <= r && r <= '9' || 'a' <= r && r <= 'z' {
			form.WriteRune(r)
		}
	}
	return form.String()
}
