package mongodb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/holdfast-go/holdfast/drivers/config"
	"github.com/holdfast-go/holdfast/drivers/internal/openerr"
)

// Open connects to a MongoDB deployment and waits until its primary
// answers. Writes are acknowledged by a majority and journaled, and reads see
// only what a majority has; a URI that asks for a weaker write concern is
// refused, because a failover then loses acknowledged writes.
//
// It returns an error that matches [config.ErrInvalid] when the configuration is
// wrong, one that matches [config.ErrAuthentication] when the login or a certificate is
// refused, and one that matches [config.ErrUnavailable] when the primary did not answer
// within DialTimeout or before ctx ended. Both name the hosts. Nothing is left
// open then. Close the client by its Disconnect method.
func Open(ctx context.Context, c config.MongoConfig) (*mongo.Client, error) {
	t, err := c.Resolve()
	if err != nil {
		return nil, fmt.Errorf("drivers: open mongo: %w", err)
	}
	limit := cmp.Or(c.DialTimeout, config.DefaultDialTimeout)
	fail := func(err error) error {
		return fmt.Errorf("drivers: open mongo: %s: %w: %w", t.Where, openerr.Kind(err, refused), t.Scrub(err))
	}
	opts, err := t.Options()
	if err != nil {
		return nil, fmt.Errorf("drivers: open mongo: %w", err)
	}
	client, err := mongo.Connect(opts)
	if err != nil {
		return nil, fail(err)
	}
	pingCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := client.Ping(pingCtx, readpref.Primary()); err != nil {
		// The way out has a limit of its own, since ctx may be over.
		closeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		return nil, fail(errors.Join(err, client.Disconnect(closeCtx)))
	}
	return client, nil
}

// refused knows UserNotFound, Unauthorized and AuthenticationFailed.
func refused(err error) bool {
	var command mongo.CommandError
	return errors.As(err, &command) && slices.Contains([]int32{11, 13, 18}, command.Code)
}
