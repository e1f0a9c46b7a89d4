package drivers

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInvalid is matched by every error that says that the configuration is
// wrong: correct it, a retry does not help.
var ErrInvalid = errors.New("invalid configuration")

// ErrAuthentication is matched by every error that says that a server was
// reached, and that one of the two sides did not accept the other: the server
// refused the login or the client's certificate, or the server's certificate
// is not to be trusted. Correct it, a retry does not help. Its cause can be
// matched too, and it does not match [ErrUnavailable].
var ErrAuthentication = errors.New("authentication failed")

// ErrUnavailable is matched by every error that says that a server could not be
// reached, did not answer in time, or cannot serve. Its cause can be matched
// too.
var ErrUnavailable = errors.New("server unavailable")

// FieldError is one mistake in a configuration. It holds names and places, of URLs
// the host and the database at most, and never a secret, so it can be printed
// anywhere.
type FieldError struct {
	// Field is the name in the native format ("etcd.endpoints[1]"), the
	// property as it is written in a Spring file, or the environment variable. It is empty when
	// the mistake is in no known field.
	Field string
	// File is the path of the file. It is empty for the environment and for text
	// in memory.
	File string
	// Line is the line of the file, counted from 1, or 0 when it is unknown.
	Line int
	// Problem says what is wrong and what is expected.
	Problem string
}

// Error implements error.
func (e *FieldError) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File + ": ")
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	return b.String() + e.Problem
}

// ConfigError is all that is wrong with a configuration. It matches
// [ErrInvalid], and each mistake is a [FieldError].
type ConfigError struct {
	// Problems holds at least one mistake, in the order of the file.
	Problems []*FieldError
}

// Error implements error.
func (e *ConfigError) Error() string {
	if len(e.Problems) == 1 {
		return e.Problems[0].Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d mistakes: ", len(e.Problems))
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(p.Error())
	}
	return b.String()
}

// Unwrap implements the multiple form of errors.Unwrap.
func (e *ConfigError) Unwrap() []error {
	errs := make([]error, 0, len(e.Problems)+1)
	errs = append(errs, ErrInvalid)
	for _, p := range e.Problems {
		errs = append(errs, p)
	}
	return errs
}

// problems collects the mistakes of a configuration in memory; the zero value is
// ready for use.
type problems struct{ list []*FieldError }

func (p *problems) add(field string, format string, args ...any) {
	p.list = append(p.list, &FieldError{Field: field, Problem: fmt.Sprintf(format, args...)})
}

func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	return &ConfigError{Problems: p.list}
}
