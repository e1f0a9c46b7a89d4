package dberr

import (
	"context"
	"errors"
	"fmt"
)

// Ended is the context's error with its cause, nil while it goes on.
func Ended(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}
