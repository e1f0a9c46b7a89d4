package etcdlock

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

// clock tells the time since some fixed moment.
type clock func() time.Duration

// expiryTick is how often the validity of a lease is compared with the clock.
// A timer alone would not do: it stands still while the machine is suspended.
const expiryTick = 250 * time.Millisecond

// lease is what every key of this process lives on. It is valid until a
// moment on our own clock that lies before the moment at which the server can
// let it expire: the time is counted from before the request that granted or
// renewed it, and a margin is taken off.
type lease struct {
	l      *Locker
	id     clientv3.LeaseID
	ttl    time.Duration
	margin time.Duration
	born   time.Duration
	until  atomic.Int64 // validity on l.now, in nanoseconds
	fixed  bool         // for one call of LockWithTTL alone, which revokes it when it gives up
	term   atomic.Bool  // ends by itself, as its owner wants it to
	places places       // which keys it has in the queues
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// grant makes a lease of that many whole seconds.
func (l *Locker) grant(ctx context.Context, ttl time.Duration) (*lease, error) {
	var resp *clientv3.LeaseGrantResponse
	sent := l.now()
	err := l.call(ctx, func(ctx context.Context) (err error) {
		resp, err = l.cli.Grant(ctx, int64(ttl/time.Second))
		return err
	})
	if err != nil {
		return nil, err
	}
	if int64(resp.ID) == resp.TTL { // what kine does: the lease of all its clients
		return nil, fmt.Errorf("%w: its lease has its term for an id, %d", errNoEtcd, resp.TTL)
	}
	s := &lease{l: l, id: resp.ID, born: sent, ttl: time.Duration(resp.TTL) * time.Second}
	s.margin = min(s.ttl/10, time.Second)
	s.ctx, s.cancel = context.WithCancelCause(l.base)
	s.extend(sent)
	forget := context.AfterFunc(l.cli.Ctx(), s.orphaned)
	context.AfterFunc(s.ctx, func() { forget() })
	return s, nil
}

// orphaned ends a lease whose client was closed: it can neither be renewed nor given
// back.
func (s *lease) orphaned() { s.lose(errClientClosed) }

// extend counts the validity anew from the moment sent.
func (s *lease) extend(sent time.Duration) {
	s.until.Store(int64(sent + s.ttl - s.margin))
}

// left returns how long the lease is valid still.
func (s *lease) left() time.Duration {
	return time.Duration(s.until.Load()) - s.l.now()
}

// alive reports whether the lease is valid right now, and ends it if its time
// is over.
func (s *lease) alive() bool {
	if s.ctx.Err() != nil {
		return false
	}
	if s.left() > 0 {
		return true
	}
	s.expired()
	return false
}

// lose ends the lease and everything on it with ErrLost.
func (s *lease) lose(cause error) {
	s.cancel(fmt.Errorf("%w: %w", ErrLost, cause))
}

func (s *lease) expired() {
	if s.term.Load() {
		s.lose(errTermOver)
		return
	}
	cause := s.l.health.cause()
	if cause == nil {
		cause = context.DeadlineExceeded
	}
	s.lose(fmt.Errorf("lease %x was not renewed in time: %w: %w", int64(s.id), ErrUnavailable, cause))
}

// faded reports whether the lease ended because etcd was out of reach, rather
// than by somebody's decision.
func (s *lease) faded() bool {
	return errors.Is(context.Cause(s.ctx), ErrUnavailable)
}

// name is what the lease is called in keys.
func (s *lease) name() string { return strconv.FormatInt(int64(s.id), 16) }

// keyPrefix is what all keys on this lease in the queue begin with.
func (s *lease) keyPrefix(prefix string) string {
	return prefix + s.name() + "-"
}

// expire ends the lease when its validity is over.
func (s *lease) expire() {
	for s.alive() {
		pause(s.ctx, min(s.left(), expiryTick))
	}
}

// keepAlive renews the lease until stop or the lease ends.
func (s *lease) keepAlive(stop context.Context) {
	wait, probe := s.ttl/3, false
	for pause(stop, wait) {
		err := s.renew(stop, probe)
		switch {
		case stop.Err() != nil:
			return
		case err == nil:
			wait, probe = s.ttl/3, false
		case leaseGone(err):
			s.lose(fmt.Errorf("lease %x: %w", int64(s.id), err))
			return
		default:
			wait, probe = min(s.ttl/20, 500*time.Millisecond), true
		}
	}
}

// renew sends one keepalive. With probe it reads something first: after a
// failure etcd's KeepAliveOnce would otherwise ask again in a busy loop for as
// long as nobody answers, while a read backs off.
func (s *lease) renew(ctx context.Context, probe bool) error {
	ctx, cancel := context.WithTimeout(ctx, min(max(s.ttl/4, 500*time.Millisecond), 2*time.Second))
	defer cancel()
	if probe {
		err := s.l.call(ctx, func(ctx context.Context) error {
			_, err := s.l.cli.Get(ctx, sessionPrefix, clientv3.WithCountOnly())
			return err
		})
		if err != nil && !s.l.final(err) {
			return err
		}
	}
	sent := s.l.now()
	err := s.l.call(ctx, func(ctx context.Context) error {
		resp, err := s.l.cli.KeepAliveOnce(ctx, s.id)
		if err == nil && resp.TTL <= 0 {
			return rpctypes.ErrLeaseNotFound
		}
		return err
	})
	if hook := s.l.hooks.KeptAlive; hook != nil {
		hook(s.l.now()-sent, err)
	}
	if err == nil {
		s.extend(sent)
	}
	return err
}

// revoke gives the lease back, which deletes every key on it and refuses every
// late write to it. It asks again until etcd has answered or the server must
// have let the lease expire; once the Locker is being closed, for no longer
// than a request may take.
func (s *lease) revoke() error {
	l := s.l
	giveUp := l.now() + max(s.left(), 0) + 10*time.Second
	detached := context.WithoutCancel(l.base)
	closing := false
	var pace backoff
	for {
		if !closing && l.base.Err() != nil {
			closing = true
			giveUp = min(giveUp, l.now()+l.requestTimeout)
		}
		err := l.call(detached, func(ctx context.Context) error {
			_, err := l.cli.Revoke(ctx, s.id)
			return err
		})
		if err == nil || leaseGone(err) {
			return nil
		}
		if l.now() > giveUp || s.l.final(err) {
			return fmt.Errorf("revoking lease %x: %w", int64(s.id), unserved(err))
		}
		if closing {
			pace.wait(detached)
		} else {
			pace.wait(l.base)
		}
	}
}

// retire revokes a lease that has ended, without waiting for it. What may be
// left of it would keep others waiting until it runs out.
func (s *lease) retire() {
	if !s.l.spawn(func() { _ = s.revoke() }) {
		_ = s.revoke()
	}
}

// pause waits for d and reports whether ctx is still going on.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// startTerm turns a lease that was just renewed into one that ends by itself.
// It is wanted for its length, so only as much margin stays as clocks that run
// at different speeds can ask for.
func (s *lease) startTerm() {
	s.term.Store(true)
	s.until.Add(int64(s.margin - s.ttl/100))
}
