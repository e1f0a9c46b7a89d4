package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// leftOnServers tells what the tests left in the servers that they started and
// shared: a key in etcd or a collection in the stand-in for MongoDB. On SQL
// servers, which others use at the same time, each test drops what it made and
// fails when it cannot.
func leftOnServers() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var errs []error
	if shared.etcd != nil {
		errs = append(errs, leftInEtcd(ctx))
	}
	if shared.mongo != nil {
		errs = append(errs, leftInMongo(ctx))
	}
	return errors.Join(errs...)
}

// leftInEtcd looks for keys only: a lease whose grant was never answered is
// known to nobody, has no key, and runs out by itself.
func leftInEtcd(ctx context.Context) error {
	cli, err := shared.etcd.Client()
	if err != nil {
		return err
	}
	defer cli.Close()
	resp, err := cli.Get(ctx, "", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return fmt.Errorf("looking for keys in etcd: %w", err)
	}
	var errs []error
	for _, kv := range resp.Kvs {
		errs = append(errs, fmt.Errorf("left in etcd: key %s on lease %x", kv.Key, kv.Lease))
	}
	return errors.Join(errs...)
}

func leftInMongo(ctx context.Context) error {
	cli, err := mongo.Connect(options.Client().ApplyURI(shared.mongo.MongoURI()))
	if err != nil {
		return err
	}
	defer func() { _ = cli.Disconnect(ctx) }()
	names, err := cli.ListDatabaseNames(ctx, bson.D{})
	if err != nil {
		return fmt.Errorf("looking for databases in the stand-in: %w", err)
	}
	var errs []error
	for _, name := range names {
		// Unlike MongoDB, the stand-in keeps a database that has lost its last
		// collection.
		collections, err := cli.Database(name).ListCollectionNames(ctx, bson.D{})
		if err != nil {
			return fmt.Errorf("looking for collections in the stand-in: %w", err)
		}
		for _, c := range collections {
			errs = append(errs, fmt.Errorf("left in the stand-in for MongoDB: collection %s.%s", name, c))
		}
	}
	return errors.Join(errs...)
}
