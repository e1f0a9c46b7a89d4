package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/repo"
)

// Terms are those of one lock.
type Terms struct {
	// TTL is how long the lock lives after it was taken or renewed last.
	TTL time.Duration
	// Every is the time between two tries for a lock that another has.
	Every time.Duration
	// Take tries to take the lock, and tells whether it was free.
	Take func(ctx context.Context) (bool, error)
	// Renew has the lock live for another TTL. etcdlock.ErrLost says that it is not
	// held any more; after another error it is tried again.
	Renew func(ctx context.Context) error
	// Release gives the lock back. etcdlock.ErrLost says that it was not held any more.
	Release func(ctx context.Context) error
}

// DefaultTTL and DefaultEvery are the terms of a Locker whose options do not say.
const (
	DefaultTTL   = 30 * time.Second
	DefaultEvery = 20 * time.Millisecond
)

// Times completes the TTL and the time between two tries, and refuses those that are too
// short: servers count in milliseconds.
func Times(ttl, every time.Duration) (time.Duration, time.Duration, error) {
	const minTTL = 100 * time.Millisecond
	if ttl == 0 {
		ttl = DefaultTTL
	}
	if every == 0 {
		every = DefaultEvery
	}
	if ttl < minTTL || every < time.Millisecond {
		return 0, 0, fmt.Errorf("%w: a TTL of %s and tries every %s, allowed are %s and 1ms at least", repo.ErrInvalid, ttl, every, minTTL)
	}
	return ttl, every, nil
}

// Lease is a lock that is kept alive. It may be used concurrently.
type Lease struct {
	terms Terms
	ctx   context.Context //nolint:containedctx // it is what Context returns
	end   context.CancelCauseFunc
	// expiry ends ctx when the lock was not renewed in time.
	expiry *time.Timer
}

var (
	errExpired  = fmt.Errorf("%w: it was not renewed in time", etcdlock.ErrLost)
	errReleased = fmt.Errorf("%w: it was given back", etcdlock.ErrLost)
)

// requestTimeout bounds a request to the server. A request that was sent is not called off
// when its caller gives up: a lock that is taken all the same would stay for its TTL.
const requestTimeout = 2 * time.Second

func request[V any](ctx context.Context, send func(context.Context) (V, error)) (V, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	return send(ctx)
}

// Take waits for the lock until ctx ends. The error is that of ctx, or
// etcdlock.ErrUnavailable with its cause. A lock that is had when ctx ends is returned.
func Take(ctx context.Context, terms Terms) (*Lease, error) {
	tick := time.NewTicker(terms.Every)
	defer tick.Stop()
	for ctx.Err() == nil {
		begun := time.Now()
		free, err := request(ctx, terms.Take)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", etcdlock.ErrUnavailable, err)
		}
		if free {
			return keep(begun, terms), nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil, ctx.Err()
}

// usable is how long after a request was sent the lock can be relied on. The rest of the
// TTL is for work to end, and for clocks that do not run alike.
func usable(ttl time.Duration) time.Duration { return ttl - ttl/10 }

// keep keeps alive a lock that was asked for when begun.
func keep(begun time.Time, terms Terms) *Lease {
	l := &Lease{terms: terms}
	l.ctx, l.end = context.WithCancelCause(context.Background())
	l.expiry = time.AfterFunc(time.Until(begun.Add(usable(terms.TTL))), func() { l.end(errExpired) })
	go l.renew()
	return l
}

// renew renews the lock at a third of its TTL, and sooner after an error.
func (l *Lease) renew() {
	wait := time.NewTimer(l.terms.TTL / 3)
	defer wait.Stop()
	for {
		select {
		case <-wait.C:
		case <-l.ctx.Done():
			return
		}
		begun := time.Now()
		_, err := request(l.ctx, func(ctx context.Context) (any, error) { return nil, l.terms.Renew(ctx) })
		switch {
		case err == nil:
			l.expiry.Reset(time.Until(begun.Add(usable(l.terms.TTL))))
			wait.Reset(l.terms.TTL / 3)
		case errors.Is(err, etcdlock.ErrLost):
			l.end(err)
		default:
			wait.Reset(l.terms.TTL / 20)
		}
	}
}

// Context ends when the lock is lost, or given back.
func (l *Lease) Context() context.Context { return l.ctx }

// Unlock gives the lock back. Its error matches etcdlock.ErrLost, or etcdlock.ErrUnavailable
// where it is unknown whether it was given back; it ends after its TTL in any case.
func (l *Lease) Unlock(ctx context.Context) error {
	l.end(errReleased)
	l.expiry.Stop()
	err := l.terms.Release(ctx)
	if err != nil && !errors.Is(err, etcdlock.ErrLost) {
		return fmt.Errorf("%w: %w", etcdlock.ErrUnavailable, err)
	}
	return err
}
