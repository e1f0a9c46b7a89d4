package gormrepo

import (
	"context"
	"errors"

	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// attempts bounds how often a transaction is run again because the database
// asked for it.
const attempts = 4

// repeat runs a transaction of the repository's own, again when the database
// gave it up for another one. fn gets a fresh call each time.
func (r *store) repeat(ctx context.Context, run func(c *call) error) error {
	for n := 1; ; n++ {
		c := &call{}
		err := run(c)
		if err == nil || n == attempts || ctx.Err() != nil {
			return err
		}
		again := c.again || dberr.IsDeadlock(err) || c.raced && n == 1 || errors.As(err, new(*resendError)) || errors.As(err, new(*arraysError))
		if !again {
			return err
		}
	}
}

// resendError says that a statement has not run, and will not: the connection was
// broken before, as it is after a restart of the database.
type resendError struct{ error }

func (e *resendError) Unwrap() error { return e.error }
