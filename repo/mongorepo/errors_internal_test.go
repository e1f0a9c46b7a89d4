package mongorepo

import (
	"context"
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

func TestWrap_KeepsWhyTheContextEnded(t *testing.T) {
	t.Parallel()
	lost := errors.New("lock lost")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(lost)
	err := wrap(ctx, "save", mongo.CommandError{Code: 50})
	if !errors.Is(err, lost) || !errors.Is(err, context.Canceled) || len(mongo.ErrorCodes(err)) != 1 {
		t.Errorf("something is missing in %v", err)
	}
	if wrap(ctx, "save", nil) != nil {
		t.Error("success became an error")
	}
}
