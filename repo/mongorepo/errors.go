package mongorepo

import (
	"context"
	"errors"
	"fmt"
)

// wrap says what failed. The driver does not always keep the context's error
// in its own, so that is added when the context is done.
func wrap(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	for _, cause := range []error{context.Cause(ctx), ctx.Err()} {
		if cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
	}
	return fmt.Errorf("mongorepo: %s: %w", doing, err)
}

// errNotMatched marks a write that found no document to change.
var errNotMatched = errors.New("no document matched")

// fnError is an error of the caller's function, which goes back as it is.
type fnError struct{ err error }

func (e *fnError) Error() string { return e.err.Error() }

// Unwrap lets the driver find the label that asks for another try.
func (e *fnError) Unwrap() error { return e.err }
