package driver

import (
	"context"
	"errors"
	"fmt"
)

// Ended is the error of a context that has ended, together with its cause, and nil while
// it goes on. Stores return it before they ask a server.
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
