package gormrepo

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

// elementsOf reads the elements of an array as PostgreSQL does: a backslash takes the next
// character as it is, and quotes keep what is special between them.
func elementsOf(t *testing.T, text string) (list []string) {
	t.Helper()
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		t.Fatalf("%q is no array", text)
	}
	var element []byte
	quoted := false
	for i := 1; i < len(text)-1; i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\':
			i++
			element = append(element, text[i])
		case c == ',' && !quoted:
			list, element = append(list, string(element)), nil
		case !quoted && (c == '{' || c == '}' || c == ' '):
			t.Fatalf("%q has %q outside of quotes", text, c)
		default:
			element = append(element, c)
		}
	}
	if quoted {
		t.Fatalf("%q has an open quote", text)
	}
	return append(list, string(element))
}

// No text leaves its own element of an array.
func FuzzAppendQuoted(f *testing.F) {
	for _, s := range []string{"", "NULL", `"`, `\`, `\"`, `",{}`, "\x00\n", "é"} {
		f.Add(s, `end\`)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		text := append(appendQuoted(append(appendQuoted([]byte{'{'}, a), ','), b), '}')
		if got := elementsOf(t, string(text)); !slices.Equal(got, []string{a, b}) {
			t.Errorf("%q is read as %q", text, got)
		}
	})
}

// Times are within what the server reads, in whatever zone they are.
func TestAppendElement_Times(t *testing.T) {
	t.Parallel()
	for _, seconds := range []int{-30, 59, 20 * 3600, -90_000} {
		at := time.Date(2024, 2, 29, 12, 0, 0, 1999, time.FixedZone("", seconds))
		for base, want := range map[string]string{
			"timestamptz": at.UTC().Format(`"2006-01-02 15:04:05`) + `.000001Z"`, "timestamp": `"2024-02-29 12:00:00.000001Z"`, "date": `"2024-02-29 12:00:00.000001Z"`,
		} {
			if got, ok := appendElement(nil, reflect.ValueOf(at), base); !ok || string(got) != want {
				t.Errorf("%d %s: got %s, want %s", seconds, base, got, want)
			}
		}
	}
	for _, year := range []int{-1, 0, 10_000} {
		if got, ok := appendElement(nil, reflect.ValueOf(time.Date(year, 5, 1, 0, 0, 0, 0, time.UTC)), "timestamptz"); ok {
			t.Errorf("year %d: got %s", year, got)
		}
	}
}
