package session

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// expiryTick is how often the validity of a lease is compared with the clock.
// A timer alone would not do: it stands still while the machine is suspended.
const expiryTick = 250 * time.Millisecond

var errTermOver = errors.New("its term is over")

// Lease is what every key of this process lives on. It is valid until a
// moment on our own clock that lies before the moment at which the server can
// let it expire: the time is counted from before the request that granted or
// renewed it, and a margin is taken off.
type Lease struct {
	ID     clientv3.LeaseID
	Slots  Slots // which keys it has in the queues
	Own    bool  // of one Lock alone, which revokes it when it gives up
	s      *Session
	ttl    time.Duration
	margin time.Duration
	born   time.Duration
	until  atomic.Int64    // validity on the session's clock, in nanoseconds
	term   atomic.Bool     // ends by itself, as its owner wants it to
	ctx    context.Context //nolint:containedctx // it lives as long as the lease
	cancel context.CancelCauseFunc
}

// HasTerm reports whether the lease ends by itself.
func (l *Lease) HasTerm() bool { return l.term.Load() }

// EndWith makes the lease valid for as long as another one, and EndBy for no longer.
func (l *Lease) EndWith(other *Lease) { l.until.Store(other.until.Load()) }

// EndBy is described with EndWith.
func (l *Lease) EndBy(other *Lease) { l.until.Store(min(l.until.Load(), other.until.Load())) }

// TTL is how long the server keeps the lease after it was granted or renewed.
func (l *Lease) TTL() time.Duration { return l.ttl }

// Ctx ends with the lease, and with the session.
func (l *Lease) Ctx() context.Context { return l.ctx }

// End ends the lease here, as somebody wants it to. It stays in etcd until it is revoked.
func (l *Lease) End(cause error) { l.cancel(cause) }

// Grant makes a lease of that many whole seconds.
func (s *Session) Grant(ctx context.Context, ttl time.Duration) (*Lease, error) {
	var resp *clientv3.LeaseGrantResponse
	sent := s.now()
	err := s.Call(ctx, func(ctx context.Context) (err error) {
		resp, err = s.cli.Grant(ctx, int64(ttl/time.Second))
		return err
	})
	if err != nil {
		return nil, err
	}
	if int64(resp.ID) == resp.TTL { // what kine does: the lease of all its clients
		return nil, fmt.Errorf("%w: its lease has its term for an id, %d", errNoEtcd, resp.TTL)
	}
	l := &Lease{s: s, ID: resp.ID, born: sent, ttl: time.Duration(resp.TTL) * time.Second}
	l.margin = min(l.ttl/10, time.Second)
	l.ctx, l.cancel = context.WithCancelCause(s.base)
	l.extend(sent)
	forget := context.AfterFunc(s.cli.Ctx(), l.orphaned)
	context.AfterFunc(l.ctx, func() { forget() })
	return l, nil
}

// orphaned ends a lease whose client was closed: it can neither be renewed nor given
// back.
func (l *Lease) orphaned() { l.Lose(errClientClosed) }

// extend counts the validity from the moment sent on.
func (l *Lease) extend(sent time.Duration) {
	l.until.Store(int64(sent + l.ttl - l.margin))
}

// Remaining is how long the lease is sure to be valid still.
func (l *Lease) Remaining() time.Duration {
	return time.Duration(l.until.Load()) - l.s.now()
}

// Alive reports whether the lease is valid right now, and ends it if its time
// is over.
func (l *Lease) Alive() bool {
	if l.ctx.Err() != nil {
		return false
	}
	if l.Remaining() > 0 {
		return true
	}
	l.expired()
	return false
}

// Lose ends the lease and everything on it with ErrLost.
func (l *Lease) Lose(cause error) {
	l.cancel(fmt.Errorf("%w: %w", ErrLost, cause))
}

func (l *Lease) expired() {
	if l.term.Load() {
		l.Lose(errTermOver)
		return
	}
	cause := l.s.health.cause()
	if cause == nil {
		cause = context.DeadlineExceeded
	}
	l.Lose(fmt.Errorf("lease %x was not renewed in time: %w: %w", int64(l.ID), ErrUnavailable, cause))
}

// Faded reports whether the lease ended because etcd was out of reach, rather
// than by somebody's decision.
func (l *Lease) Faded() bool {
	return errors.Is(context.Cause(l.ctx), ErrUnavailable)
}

// Name is what the lease is called in keys.
func (l *Lease) Name() string { return strconv.FormatInt(int64(l.ID), 16) }

// Expire ends the lease when its validity is over.
func (l *Lease) Expire() {
	for l.Alive() {
		Pause(l.ctx, min(l.Remaining(), expiryTick))
	}
}

// KeepAlive renews the lease until stop or the lease ends.
func (l *Lease) KeepAlive(stop context.Context) {
	wait, probe := l.ttl/3, false
	for Pause(stop, wait) {
		err := l.Renew(stop, probe)
		switch {
		case stop.Err() != nil:
			return
		case err == nil:
			wait, probe = l.ttl/3, false
		case LeaseGone(err):
			l.Lose(fmt.Errorf("lease %x: %w", int64(l.ID), err))
			return
		default:
			wait, probe = min(l.ttl/20, 500*time.Millisecond), true
		}
	}
}

// Renew sends one keepalive. With probe it reads something first: after a
// failure etcd's KeepAliveOnce would otherwise ask again in a busy loop for as
// long as nobody answers, while a read backs off.
func (l *Lease) Renew(ctx context.Context, probe bool) error {
	ctx, cancel := context.WithTimeout(ctx, min(max(l.ttl/4, 500*time.Millisecond), 2*time.Second))
	defer cancel()
	if probe {
		err := l.s.Call(ctx, func(ctx context.Context) error {
			_, err := l.s.cli.Get(ctx, Prefix, clientv3.WithCountOnly())
			return err
		})
		if err != nil && !l.s.Final(err) {
			return err
		}
	}
	sent := l.s.now()
	err := l.s.Call(ctx, func(ctx context.Context) error {
		resp, err := l.s.cli.KeepAliveOnce(ctx, l.ID)
		if err == nil && resp.TTL <= 0 {
			return rpctypes.ErrLeaseNotFound
		}
		return err
	})
	l.s.conf.KeptAlive(l.s.now()-sent, err)
	if err == nil {
		l.extend(sent)
	}
	return err
}

// Revoke gives the lease back, which deletes every key on it and refuses every
// late write to it. It asks again until etcd has answered or the server must
// have let the lease expire; once the session is being stopped, for no longer
// than a request may take.
func (l *Lease) Revoke() error {
	s := l.s
	giveUp := s.now() + max(l.Remaining(), 0) + 10*time.Second
	detached := context.WithoutCancel(s.base)
	closing := false
	var pace Backoff
	for {
		if !closing && s.base.Err() != nil {
			closing = true
			giveUp = min(giveUp, s.now()+s.conf.RequestTimeout)
		}
		err := s.Call(detached, func(ctx context.Context) error {
			_, err := s.cli.Revoke(ctx, l.ID)
			return err
		})
		if err == nil || LeaseGone(err) {
			return nil
		}
		if s.now() > giveUp || l.s.Final(err) {
			return fmt.Errorf("revoking lease %x: %w", int64(l.ID), Unserved(err))
		}
		if closing {
			pace.Wait(detached)
		} else {
			pace.Wait(s.base)
		}
	}
}

// Retire revokes a lease that has ended, without waiting for it. What may be
// left of it would keep others waiting until it runs out.
func (l *Lease) Retire() {
	if !l.s.Spawn(func() { _ = l.Revoke() }) {
		_ = l.Revoke()
	}
}

// StartTerm turns a lease that was just renewed into one that ends by itself.
// It is wanted for its length, so only as much margin stays as clocks that run
// at different speeds can ask for.
func (l *Lease) StartTerm() {
	l.term.Store(true)
	l.until.Add(int64(l.margin - l.ttl/100))
}
