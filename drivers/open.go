package drivers

import (
	"context"
	"errors"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"gorm.io/gorm"
)

// Connections are those that [Open] opened. One whose section of the configuration
// is empty is nil.
type Connections struct {
	SQL   *gorm.DB
	Mongo *mongo.Client
	Etcd  *clientv3.Client
}

// Open opens everything that the configuration has, in the order in which a service
// needs it: the pools of the databases, then etcd. With nothing configured it is an
// error that matches [ErrInvalid].
//
// The errors are those of [OpenSQL], [OpenMongo] and [OpenEtcd]. After one nothing
// is left open.
func Open(ctx context.Context, c Config) (*Connections, error) {
	if c.SQL.empty() && c.Mongo.empty() && c.Etcd.empty() {
		return nil, fmt.Errorf("drivers: open: %w: nothing is configured", ErrInvalid)
	}
	var conns Connections
	err := func() (err error) {
		if !c.SQL.empty() {
			if conns.SQL, err = OpenSQL(ctx, c.SQL); err != nil {
				return err
			}
		}
		if !c.Mongo.empty() {
			if conns.Mongo, err = OpenMongo(ctx, c.Mongo); err != nil {
				return err
			}
		}
		if !c.Etcd.empty() {
			conns.Etcd, err = OpenEtcd(ctx, c.Etcd)
		}
		return err
	}()
	if err != nil {
		return nil, errors.Join(err, conns.Close(context.WithoutCancel(ctx)))
	}
	return &conns, nil
}

// Close closes what is open, in the opposite order: etcd, then the pools. Close the
// Locker before, or its locks stay taken until their leases run out. ctx bounds how
// long the client of MongoDB waits for calls that are under way. A second call
// closes nothing.
func (c *Connections) Close(ctx context.Context) error {
	var errs []error
	if c.Etcd != nil {
		errs = append(errs, c.Etcd.Close())
	}
	if c.Mongo != nil {
		errs = append(errs, c.Mongo.Disconnect(ctx))
	}
	if c.SQL != nil {
		pool, err := c.SQL.DB()
		if err == nil {
			err = pool.Close()
		}
		errs = append(errs, err)
	}
	*c = Connections{}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("drivers: close: %w", err)
	}
	return nil
}
