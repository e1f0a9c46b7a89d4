package driver

import (
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// javaForms is an unmarshaler for values of every type, which reads times and numbers
// as Jackson writes them. All else it leaves to the decoder.
func javaForms(zone *time.Location) func(dec *jsontext.Decoder, target any) error {
	return func(dec *jsontext.Decoder, target any) error {
		v, kind := reflect.ValueOf(target).Elem(), dec.PeekKind()
		switch {
		case kind == jsontext.KindNull:
			return errors.ErrUnsupported
		case v.Type() == reflect.TypeFor[time.Time]():
			return javaTime(dec, v, zone)
		case v.Type() == reflect.TypeFor[time.Duration](), decodesAlone(v.Type()):
			return errors.ErrUnsupported
		case v.Kind() == reflect.String && kind == jsontext.KindNumber:
			number, err := dec.ReadValue()
			if err == nil {
				v.SetString(string(number))
			}
			return err
		case isNumber(v) && (kind == jsontext.KindString || kind == jsontext.KindNumber):
			return javaNumber(dec, v)
		default:
			return errors.ErrUnsupported
		}
	}
}

func decodesAlone(t reflect.Type) bool {
	return decodesItself(t) || reflect.PointerTo(t).Implements(reflect.TypeFor[interface{ UnmarshalText(text []byte) error }]())
}

func isNumber(v reflect.Value) bool { return v.CanInt() || v.CanUint() || v.CanFloat() }

// javaNumber reads a number, in a text too, and an integer that is written with an
// exponent or a fraction of zeros, as a BigDecimal may be.
func javaNumber(dec *jsontext.Decoder, v reflect.Value) error {
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	text := string(value)
	if value.Kind() == jsontext.KindString {
		unquoted, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return err
		}
		text = string(unquoted)
	}
	if !v.CanFloat() && strings.ContainsAny(text, ".eE") {
		text = integerText(text)
	}
	if number := jsontext.Value(text); number.Kind() != jsontext.KindNumber || !number.IsValid() || strings.TrimSpace(text) != text {
		return errors.New("a text that is no number")
	}
	return json.Unmarshal([]byte(text), v.Addr().Interface())
}

// integerText writes an integer without exponent and fraction. Others stay as they are.
func integerText(text string) string {
	const most = 40 // more digits than any integer of Go has
	_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	if len(text) > most || len(strings.TrimLeft(exponent, "+-0")) > 2 {
		return text
	}
	if n, ok := new(big.Rat).SetString(text); ok && n.IsInt() {
		return n.Num().String()
	}
	return text
}

// javaTime reads a time in one of Jackson's forms.
func javaTime(dec *jsontext.Decoder, v reflect.Value, zone *time.Location) error {
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	var t time.Time
	switch value.Kind() {
	case jsontext.KindNumber:
		t, err = epochTime(string(value))
	case jsontext.KindBeginArray:
		t, err = listedTime(value, zone)
	case jsontext.KindString:
		var text []byte
		if text, err = jsontext.AppendUnquote(nil, value); err == nil {
			t, err = writtenTime(string(text), zone)
		}
	default:
		err = fmt.Errorf("a JSON value of kind %s is no time", value.Kind())
	}
	if err == nil {
		v.Set(reflect.ValueOf(t))
	}
	return err
}

// epochTime is a time by its milliseconds, or by its seconds where they have a fraction,
// as Jackson writes an Instant.
func epochTime(number string) (time.Time, error) {
	const most = 40
	n, ok := new(big.Rat), false
	if len(number) <= most && !strings.ContainsAny(number, "eE") {
		n, ok = n.SetString(number)
	}
	if !ok {
		return time.Time{}, errors.New("a number that is no time")
	}
	unit := time.Millisecond
	if strings.Contains(number, ".") {
		unit = time.Second
	}
	n.Mul(n, new(big.Rat).SetInt64(int64(unit)))
	nanos := new(big.Int).Div(n.Num(), n.Denom())
	seconds, rest := new(big.Int).DivMod(nanos, big.NewInt(int64(time.Second)), new(big.Int))
	if !seconds.IsInt64() {
		return time.Time{}, errors.New("a number that is no time")
	}
	return time.Unix(seconds.Int64(), rest.Int64()).UTC(), nil
}

// listedTime is a LocalDate or a LocalDateTime as Jackson writes them by default.
func listedTime(value jsontext.Value, zone *time.Location) (time.Time, error) {
	var parts []int
	if err := json.Unmarshal(value, &parts); err != nil {
		return time.Time{}, err
	}
	if len(parts) < 3 || len(parts) > 7 {
		return time.Time{}, fmt.Errorf("a list of %d numbers is no time", len(parts))
	}
	p := make([]int, 7)
	copy(p, parts)
	t := time.Date(p[0], time.Month(p[1]), p[2], p[3], p[4], p[5], p[6], zone)
	if t.Month() != time.Month(p[1]) || t.Day() != p[2] || p[3] > 23 || p[4] > 59 || p[5] > 59 || min(p[3], p[4], p[5], p[6]) < 0 {
		return time.Time{}, errors.New("a list of numbers that is no time")
	}
	return t, nil
}

// writtenTime is a time in a text.
func writtenTime(text string, zone *time.Location) (time.Time, error) {
	for _, form := range []string{
		time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04Z07:00", // OffsetDateTime leaves out zero seconds
		"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z0700",
		"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04", "2006-01-02",
	} {
		if t, err := time.ParseInLocation(form, text, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("a text that is no time") // of documents errors show nothing
}
