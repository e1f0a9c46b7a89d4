package mongorepo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// duplicateKeyCodes are the server's codes for a broken unique index, today's
// and older ones.
var duplicateKeyCodes = [...]int{11000, 11001, 12582} //nolint:gochecknoglobals // a table, never written to

// isDuplicateKey looks at the codes itself, because the driver's own test is
// false for the error of a client-level bulk write.
func isDuplicateKey(err error) bool {
	for _, code := range mongo.ErrorCodes(err) {
		if slices.Contains(duplicateKeyCodes[:], code) {
			return true
		}
	}
	return false
}

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
