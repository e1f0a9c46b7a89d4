package alsoredis_test

import (
	"context"
	"time"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/lockedrepo/alsoredis"
	"github.com/holdfast-go/holdfast/repo"
)

type Order struct{ ID, Total int64 }

// Pods of the first stage have the old lock alone.
func Example_firstStage() {
	_ = func(ctx context.Context, client *redis.Client) error {
		lock, err := redislock.Obtain(ctx, client, "lock:orders", 30*time.Second, &redislock.Options{
			RetryStrategy: redislock.LinearBackoff(20 * time.Millisecond),
		})
		if err != nil {
			return err
		}
		return lock.Release(ctx)
	}
	// Output:
}

// Pods of the second stage have both.
func Example() {
	_ = func(client *redis.Client, plain repo.Repository[Order], locker *etcdlock.Locker) (*lockedrepo.Repository[Order], error) {
		old, err := alsoredis.New(redislock.New(client), nil) // one for the process
		if err != nil {
			return nil, err
		}
		return lockedrepo.New(plain, locker, &lockedrepo.Options{
			Key:  "shop.Order",
			Also: []lockedrepo.Also{{Locker: old, Name: "lock:orders"}},
		})
	}
	// Output:
}

// Code that reads, changes and saves by hand calls Do.
func Example_byHand() {
	_ = func(ctx context.Context, orders *lockedrepo.Repository[Order]) error {
		err := orders.Do(ctx, func(ctx context.Context) error {
			o, err := orders.FindByID(ctx, 1)
			if err != nil {
				return err
			}
			o.Total += 5
			return orders.Save(ctx, o)
		})
		return err
	}
	// Output:
}

// Pods of the third stage have etcd alone.
func Example_thirdStage() {
	_ = func(plain repo.Repository[Order], locker *etcdlock.Locker) (*lockedrepo.Repository[Order], error) {
		return lockedrepo.New(plain, locker, &lockedrepo.Options{Key: "shop.Order"})
	}
	// Output:
}
