package main

import (
	"context"
	"errors"
	"math"
	"time"

	bsm "github.com/bsm/redislock"
	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/redis/go-redis/v9"
)

// redisRetry is how long redislock waits between two tries. It has no default;
// a longer one makes every handover slower, a shorter one loads the server.
const redisRetry = 10 * time.Millisecond

// redisMember is the client that the locks of a process share.
type redisMember struct {
	cli *redis.Client
	new func() taker
}

func (m redisMember) taker(context.Context) (taker, error) { return m.new(), nil }
func (redisMember) traffic() *traffic                      { return nil }
func (m redisMember) close(context.Context) error          { return m.cli.Close() }

func redisClient(ctx context.Context, s servers) (*redis.Client, error) {
	cli := redis.NewClient(&redis.Options{Addr: s.Redis})
	if err := cli.Ping(ctx).Err(); err != nil {
		return nil, errors.Join(err, cli.Close())
	}
	return cli, nil
}

func joinRedsync(ctx context.Context, s servers) (member, error) {
	cli, err := redisClient(ctx, s)
	if err != nil {
		return nil, err
	}
	rs := redsync.New(goredis.NewPool(cli))
	return redisMember{cli, func() taker { return &redsyncTaker{rs: rs} }}, nil
}

type redsyncTaker struct {
	rs   *redsync.Redsync
	held *redsync.Mutex
}

func (t *redsyncTaker) lock(ctx context.Context, name string) error {
	t.held = t.rs.NewMutex("redsync/"+name, redsync.WithExpiry(ttl*time.Second), redsync.WithTries(math.MaxInt32))
	return t.held.LockContext(ctx)
}

func (t *redsyncTaker) try(ctx context.Context, name string) (bool, error) {
	m := t.rs.NewMutex("redsync/"+name, redsync.WithExpiry(ttl*time.Second))
	err := m.TryLockContext(ctx)
	if taken := (*redsync.ErrTaken)(nil); errors.As(err, &taken) || errors.Is(err, redsync.ErrFailed) {
		return false, nil
	}
	t.held = m
	return err == nil, err
}

func (t *redsyncTaker) unlock(ctx context.Context) error {
	_, err := t.held.UnlockContext(ctx)
	return err
}

func joinRedislock(ctx context.Context, s servers) (member, error) {
	cli, err := redisClient(ctx, s)
	if err != nil {
		return nil, err
	}
	locks := bsm.New(cli)
	return redisMember{cli, func() taker { return &redislockTaker{locks: locks} }}, nil
}

type redislockTaker struct {
	locks *bsm.Client
	held  *bsm.Lock
}

func (t *redislockTaker) lock(ctx context.Context, name string) (err error) {
	t.held, err = t.locks.Obtain(ctx, "redislock/"+name, ttl*time.Second, &bsm.Options{RetryStrategy: bsm.LinearBackoff(redisRetry)})
	return err
}

func (t *redislockTaker) try(ctx context.Context, name string) (bool, error) {
	k, err := t.locks.Obtain(ctx, "redislock/"+name, ttl*time.Second, nil)
	if errors.Is(err, bsm.ErrNotObtained) {
		return false, nil
	}
	t.held = k
	return err == nil, err
}

func (t *redislockTaker) unlock(ctx context.Context) error { return t.held.Release(ctx) }
