package memrepo

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
)

// done is the context's error with its cause, nil while it goes on.
func done(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("memrepo: %s: %w", doing, err)
}

var errKeyChanged = fmt.Errorf("%w: the key was changed", repo.ErrInvalid)

// fnError is an error of the caller's function, which goes back as it is.
type fnError struct{ err error }

func (e *fnError) Error() string { return e.err.Error() }
