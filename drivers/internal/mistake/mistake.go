package mistake

import (
	"fmt"
	"regexp"
	"slices"
)

// Mistake is one thing that is wrong.
type Mistake struct {
	File    string // empty for the environment and for text in memory
	Line    int    // from 1; 0 when it is unknown
	Field   string // as the user wrote it; empty when it is in no known field
	Problem string
}

// List holds mistakes in the order in which they were found. The zero value is
// ready for use.
type List struct{ All []Mistake }

// Add appends a mistake.
func (l *List) Add(file string, line int, field, format string, args ...any) {
	m := Mistake{File: file, Line: line, Field: Shown(field), Problem: fmt.Sprintf(format, args...)}
	if !slices.Contains(l.All, m) {
		l.All = append(l.All, m)
	}
}

// Any says whether there is one.
func (l *List) Any() bool { return len(l.All) > 0 }

var name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*(\[[0-9]*\])?(\.[A-Za-z0-9_.-]+)*$`)

const longestName = 200

// LooksLikeName says whether s can be nothing but the name of a setting.
func LooksLikeName(s string) bool { return len(s) <= longestName && name.MatchString(s) }

// Shown gives a name from a file for an error, but only if it looks like a name:
// with a blank forgotten, password:secret is a name to YAML.
func Shown(name string) string {
	if LooksLikeName(name) {
		return name
	}
	return ""
}
