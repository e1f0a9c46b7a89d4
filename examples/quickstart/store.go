package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// store is one database with the repositories of the demo.
type store struct {
	countries repo.Repository[Country]
	products  repo.Repository[Product]
	// update changes one product: by reading and saving, which is all that a
	// plain repository has, or inside the lock.
	update  func(ctx context.Context, id int64, change func(*Product) error) error
	create  func(context.Context) error
	drop    func(context.Context) error
	closers []func(context.Context) error
}

const (
	onSQL   = "sql"
	onMongo = "mongo"
)

// openStore opens a database with plain repositories.
func openStore(ctx context.Context, cfg drivers.Config, name string) (s *store, err error) {
	if name == onMongo {
		s, err = openMongo(ctx, cfg.Mongo)
	} else {
		s, err = openSQL(ctx, cfg.SQL)
	}
	if err != nil {
		return nil, err
	}
	s.update = func(ctx context.Context, id int64, change func(*Product) error) error {
		p, err := s.products.FindByID(ctx, id)
		if err != nil {
			return err
		}
		if err := change(p); err != nil {
			return err
		}
		return s.products.Save(ctx, p)
	}
	return s, nil
}

func openSQL(ctx context.Context, cfg drivers.SQLConfig) (*store, error) {
	db, err := drivers.OpenSQL(ctx, cfg)
	if err != nil {
		return nil, err
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	s := &store{
		create: func(ctx context.Context) error {
			if err := errors.Join(db.WithContext(ctx).AutoMigrate(&Country{}, &Product{}), gormrepo.MigrateFence(ctx, db)); err != nil {
				return err
			}
			// A service never does this. The demo begins with another etcd each
			// time, whose tokens are lower than what the database has seen.
			return db.WithContext(ctx).Exec("DELETE FROM holdfast_fence WHERE k LIKE 'quickstart.%'").Error
		},
		drop: func(ctx context.Context) error {
			// What the fence notes of tables and keys stays, as in a service.
			return db.WithContext(ctx).Migrator().DropTable(&Country{}, &Product{})
		},
		closers: []func(context.Context) error{func(context.Context) error { return pool.Close() }},
	}
	if s.countries, err = gormrepo.New[Country](db, nil); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	if s.products, err = gormrepo.New[Product](db, nil); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return s, nil
}

func openMongo(ctx context.Context, cfg drivers.MongoConfig) (*store, error) {
	client, err := drivers.OpenMongo(ctx, cfg)
	if err != nil {
		return nil, err
	}
	db := client.Database(cfg.Database)
	s := &store{
		create: func(context.Context) error { return nil }, // collections make themselves
		drop: func(ctx context.Context) error {
			return errors.Join(db.Collection(countries).Drop(ctx), db.Collection(products).Drop(ctx), forgetGuards(ctx, db))
		},
		closers: []func(context.Context) error{client.Disconnect},
	}
	if s.countries, err = mongorepo.New[Country](db.Collection(countries), nil); err != nil {
		return nil, errors.Join(err, client.Disconnect(ctx))
	}
	if s.products, err = mongorepo.New[Product](db.Collection(products), nil); err != nil {
		return nil, errors.Join(err, client.Disconnect(ctx))
	}
	return s, nil
}

// forgetGuards removes what the fence noted of the demo's collections.
func forgetGuards(ctx context.Context, db *mongo.Database) error {
	guards := db.Collection("holdfast_guards")
	_, err := guards.DeleteMany(ctx, bson.M{"_id": bson.M{"$in": bson.A{countries, products}}})
	if err != nil {
		return err
	}
	if n, err := guards.CountDocuments(ctx, bson.M{}); n > 0 || err != nil {
		return err
	}
	return guards.Drop(ctx)
}

// lock swaps the plain repositories for locked ones: the one line per
// repository that a service changes.
func (s *store) lock(ctx context.Context, cfg drivers.EtcdConfig) error {
	client, err := drivers.OpenEtcd(ctx, cfg)
	if err != nil {
		return err
	}
	locker, err := etcdlock.New(client, &etcdlock.Options{Service: "quickstart"})
	if err != nil {
		return errors.Join(err, client.Close())
	}
	// What was opened last is closed first: the locker before its client, and
	// both before the database.
	s.closers = append(s.closers, func(context.Context) error { return client.Close() }, locker.Close)
	if s.countries, err = lockedrepo.New(s.countries, locker, &lockedrepo.Options{Key: "quickstart.Country"}); err != nil {
		return err
	}
	locked, err := lockedrepo.New(s.products, locker, &lockedrepo.Options{Key: "quickstart.Product"})
	if err != nil {
		return err
	}
	s.products = locked
	s.update = func(ctx context.Context, id int64, change func(*Product) error) error {
		_, err := locked.Update(ctx, id, change)
		return err
	}
	return nil
}

func (s *store) close(ctx context.Context) error {
	var failed []error
	for _, closer := range slices.Backward(s.closers) {
		failed = append(failed, closer(ctx))
	}
	return errors.Join(failed...)
}

// fresh empties the store and puts the products in.
func (s *store) fresh(ctx context.Context) error {
	if err := s.drop(ctx); err != nil {
		return fmt.Errorf("dropping what an earlier run left: %w", err)
	}
	if err := s.create(ctx); err != nil {
		return fmt.Errorf("creating tables: %w", err)
	}
	return s.products.SaveAll(ctx, startingStock())
}
