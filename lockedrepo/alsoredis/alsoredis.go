package alsoredis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/bsm/redislock"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/lockedrepo/internal/lease"
	"github.com/holdfast-go/holdfast/repo"
)

// Options change how locks on Redis are taken. The zero value is the default.
type Options struct {
	// TTL is how long a lock outlives a process that was killed. It is renewed at a third of
	// it, and counts as lost when nine tenths have passed without an answer. Zero means 30
	// seconds, the least is 100 milliseconds.
	TTL time.Duration
	// Every is the time between two tries for a lock that another has. Zero means 20
	// milliseconds.
	Every time.Duration
}

// Locker takes locks on Redis. It is a lockedrepo.OtherLocker. It may be used concurrently.
type Locker struct {
	client     *redislock.Client
	ttl, every time.Duration
}

var _ lockedrepo.OtherLocker = (*Locker)(nil)

// New returns a Locker. It does no I/O. ErrInvalid for a nil client and for times that are
// too short.
func New(client *redislock.Client, opts *Options) (*Locker, error) {
	if client == nil {
		return nil, fmt.Errorf("alsoredis: new: %w: nil client", repo.ErrInvalid)
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	ttl, every, err := lease.Times(o.TTL, o.Every)
	if err != nil {
		return nil, fmt.Errorf("alsoredis: new: %w", err)
	}
	return &Locker{client, ttl, every}, nil
}

// Lock does what lockedrepo.OtherLocker says. The name is the key in Redis.
func (l *Locker) Lock(ctx context.Context, name string) (lockedrepo.OtherLock, error) {
	// The token is one for all tries: a client that sends a request again, because the answer
	// was lost, finds that the lock is its own.
	token := &redislock.Options{Token: rand.Text()}
	var lock *redislock.Lock
	held, err := lease.Take(ctx, lease.Terms{
		TTL: l.ttl, Every: l.every,
		Take: func(ctx context.Context) (bool, error) {
			var err error
			lock, err = l.client.Obtain(ctx, name, l.ttl, token)
			if errors.Is(err, redislock.ErrNotObtained) {
				return false, nil
			}
			return err == nil, err
		},
		Renew:   func(ctx context.Context) error { return lost(lock.Refresh(ctx, l.ttl, nil)) },
		Release: func(ctx context.Context) error { return lost(lock.Release(ctx)) },
	})
	if err != nil {
		return nil, fmt.Errorf("alsoredis: lock: %w", err)
	}
	return held, nil
}

// lost tells by an error of this module that the key has another token, or none.
func lost(err error) error {
	if errors.Is(err, redislock.ErrNotObtained) || errors.Is(err, redislock.ErrLockNotHeld) {
		return fmt.Errorf("%w: %w", etcdlock.ErrLost, err)
	}
	return err
}
