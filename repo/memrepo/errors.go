package memrepo

import (
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
)

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
