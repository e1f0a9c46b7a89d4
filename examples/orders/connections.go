package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/samber/lo"
	clientv3 "go.etcd.io/etcd/client/v3"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/examples/orders/shop"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// readyTimeout is how long a server may take to answer whether it is there.
const readyTimeout = 2 * time.Second

// connections are what a pod opens once and shares.
type connections struct {
	db     *gorm.DB
	client *clientv3.Client
	locker *etcdlock.Locker
}

func connect(ctx context.Context, cfg drivers.Config, ttl time.Duration) (c *connections, err error) {
	c = &connections{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close(context.WithoutCancel(ctx)))
		}
	}()
	if c.db, err = drivers.OpenSQL(ctx, cfg.SQL); err != nil {
		return c, err
	}
	if c.client, err = drivers.OpenEtcd(ctx, cfg.Etcd); err != nil {
		return c, err
	}
	c.locker, err = etcdlock.New(c.client, &etcdlock.Options{Service: "orders", TTL: ttl})
	return c, err
}

// close closes what was opened, the last first. Locks that are held have the grace to be
// given back.
func (c *connections) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	var failed []error
	if c.locker != nil {
		failed = append(failed, c.locker.Close(ctx))
	}
	if c.client != nil {
		failed = append(failed, c.client.Close())
	}
	if c.db != nil {
		pool, err := c.db.DB()
		if err == nil {
			err = pool.Close()
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// ready tells whether database and etcd answer. A pod without etcd can only read.
func (c *connections) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	pool, err := c.db.DB()
	if err != nil {
		return err
	}
	if err := pool.PingContext(ctx); err != nil {
		return fmt.Errorf("asking the database: %w", err)
	}
	health, err := drivers.Check(ctx, c.client)
	if lo.SomeBy(health, func(h drivers.EndpointHealth) bool { return h.Healthy() }) {
		return nil // one member that answers speaks for the majority
	}
	return err
}

// migrate makes the tables. A service does this once for each release, before its pods
// start, and leaves the tables of a Java service to Flyway.
func migrate(ctx context.Context, cfg drivers.SQLConfig) (err error) {
	db, err := drivers.OpenSQL(ctx, cfg)
	if err != nil {
		return err
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	if err := db.WithContext(ctx).AutoMigrate(&shop.Customer{}, &shop.Product{}, &shop.Order{}); err != nil {
		return err
	}
	return gormrepo.MigrateFence(ctx, db)
}
