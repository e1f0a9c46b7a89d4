package stages_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/lockedrepo/alsoredis"
	"github.com/holdfast-go/holdfast/lockedrepo/alsoshedlock"
)

const (
	oldTTL   = 10 * time.Second
	oldEvery = 2 * time.Millisecond
)

// oldLock is the lock of a fleet before etcd, without Holdfast.
type oldLock interface {
	// lock waits for the lock, and returns what gives it back.
	lock(ctx context.Context) (unlock func() error, err error)
	// also is the lock for pods with both.
	also() (lockedrepo.Also, error)
}

// onRedis is that of redislock.
type onRedis struct {
	client *redislock.Client
	key    string
}

func newOnRedis(addr, key string) (oldLock, func() error) {
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	return onRedis{redislock.New(client), key}, client.Close
}

func (o onRedis) lock(ctx context.Context) (func() error, error) {
	l, err := o.client.Obtain(ctx, o.key, oldTTL, &redislock.Options{RetryStrategy: redislock.LinearBackoff(oldEvery)})
	if err != nil {
		return nil, err
	}
	return func() error { return l.Release(ctx) }, nil
}

func (o onRedis) also() (lockedrepo.Also, error) {
	l, err := alsoredis.New(o.client, nil)
	return lockedrepo.Also{Locker: l, Name: o.key}, err
}

// inTable is that of ShedLock with usingDbTime, in the statements of a service that has them from
// there.
type inTable struct {
	pool    *sql.DB
	dialect alsoshedlock.Dialect
	name    string
}

type shedlockSQL struct{ insert, update, unlock string }

var shedlockStatements = map[alsoshedlock.Dialect]shedlockSQL{
	alsoshedlock.PostgreSQL: {
		"INSERT INTO shedlock (name, lock_until, locked_at, locked_by) VALUES ($1, timezone('utc', now()) + interval '10 seconds', timezone('utc', now()), $2) ON CONFLICT DO NOTHING",
		"UPDATE shedlock SET lock_until = timezone('utc', now()) + interval '10 seconds', locked_at = timezone('utc', now()), locked_by = $1 WHERE name = $2 AND lock_until <= timezone('utc', now())",
		"UPDATE shedlock SET lock_until = timezone('utc', now()) WHERE name = $1 AND locked_by = $2",
	},
	alsoshedlock.MySQL: {
		"INSERT IGNORE INTO shedlock (name, lock_until, locked_at, locked_by) VALUES (?, UTC_TIMESTAMP(3) + INTERVAL 10 SECOND, UTC_TIMESTAMP(3), ?)",
		"UPDATE shedlock SET lock_until = UTC_TIMESTAMP(3) + INTERVAL 10 SECOND, locked_at = UTC_TIMESTAMP(3), locked_by = ? WHERE name = ? AND lock_until <= UTC_TIMESTAMP(3)",
		"UPDATE shedlock SET lock_until = UTC_TIMESTAMP(3) WHERE name = ? AND locked_by = ?",
	},
	alsoshedlock.SQLite: {
		"INSERT OR IGNORE INTO shedlock (name, lock_until, locked_at, locked_by) VALUES (?1, unixepoch('subsec') * 1000 + 10000, unixepoch('subsec') * 1000, ?2)",
		"UPDATE shedlock SET lock_until = unixepoch('subsec') * 1000 + 10000, locked_at = unixepoch('subsec') * 1000, locked_by = ?1 WHERE name = ?2 AND lock_until <= unixepoch('subsec') * 1000",
		"UPDATE shedlock SET lock_until = unixepoch('subsec') * 1000 WHERE name = ?1 AND locked_by = ?2",
	},
}

func (o inTable) lock(ctx context.Context) (func() error, error) {
	s, by := shedlockStatements[o.dialect], fmt.Sprint("java-", os.Getpid())
	tick := time.NewTicker(oldEvery)
	defer tick.Stop()
	for {
		n, err := changed(o.pool.ExecContext(ctx, s.insert, o.name, by))
		if err == nil && n == 0 {
			n, err = changed(o.pool.ExecContext(ctx, s.update, by, o.name))
		}
		if err != nil {
			return nil, err
		}
		if n == 1 {
			return func() error {
				_, err := o.pool.ExecContext(ctx, s.unlock, o.name, by)
				return err
			}, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func changed(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (o inTable) also() (lockedrepo.Also, error) {
	l, err := alsoshedlock.New(o.pool, o.dialect, nil)
	return lockedrepo.Also{Locker: l, Name: o.name}, err
}
