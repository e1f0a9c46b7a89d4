package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// LockWithTTL takes all the names for a fixed term that starts when the last of
// them is reached and is not renewed: without [Lock.Extend] or Unlock the lock ends
// by itself. ctx bounds the wait, ttl is the term: at least 2 s or the server's
// minimum, else ErrInvalid. etcd counts in seconds, so a fraction of one is rounded
// up; [Lock.Remaining] tells the rest.
// The Lock's context ends with ErrLost no later than the term.
//
// The names live on a lease of their own, which survives the loss of the
// Locker's session but not [Locker.Close]. Goroutines of this process queue in
// etcd, like everybody else. A name that ctx holds already is refused with
// ErrInvalid: the outer hold would outlive or undercut the term.
//
// Errors: those of Lock.
func (l *Locker) LockWithTTL(ctx context.Context, ttl time.Duration, names ...string) (*Lock, error) {
	return l.lockFixed(ctx, ttl, request{doing: "locking for a fixed term", names: names, wait: true})
}

// TryLockWithTTL takes all the names for a fixed term, as LockWithTTL does, if nobody
// uses or waits for any of them, as TryLock does.
//
// Errors: ErrHeld, and those of LockWithTTL except ErrOrder.
func (l *Locker) TryLockWithTTL(ctx context.Context, ttl time.Duration, names ...string) (*Lock, error) {
	return l.lockFixed(ctx, ttl, request{doing: "trying to lock for a fixed term", names: names})
}

func (l *Locker) lockFixed(ctx context.Context, ttl time.Duration, r request) (*Lock, error) {
	term, err := termOf(r.doing, ttl)
	if err != nil {
		return nil, err
	}
	r.term = term
	return l.lock(ctx, r)
}

// termOf returns the whole seconds that etcd counts for a term.
func termOf(doing string, ttl time.Duration) (time.Duration, error) {
	if ttl < minTTL || ttl > maxTTL {
		return 0, invalid(doing, "the term is %v, want one from %v on", ttl, minTTL)
	}
	return (ttl + time.Second - 1).Truncate(time.Second), nil
}

// grantTerm makes a lease for a term, if the server grants one that is no longer. The
// lease, if any, is the caller's to revoke after an error.
func (l *Locker) grantTerm(ctx context.Context, term time.Duration) (*session.Lease, error) {
	s, err := l.session.Grant(ctx, term)
	if err != nil {
		return nil, err
	}
	s.Own = true
	if s.TTL() > term {
		return s, fmt.Errorf("%w: the term is %v, the server grants no less than %v", ErrInvalid, term, s.TTL())
	}
	return s, nil
}

// takeFixed takes the names on a lease of the Lock's own. That of a term is kept alive while
// they are waited for, then renewed once.
func (l *Locker) takeFixed(ctx context.Context, r *request, held *held) ([]part, *session.Lease, error) {
	if !r.wait { // before a lease is made
		if err := l.prospects(ctx, r, held); err != nil {
			return nil, nil, err
		}
	}
	var pace session.Backoff
	for {
		parts, s, err := l.tryFixed(ctx, r, held)
		if err == nil {
			return parts, s, nil
		}
		if s != nil {
			s.End(err)
			s.Retire()
		}
		if errors.Is(err, ErrInvalid) || errors.Is(err, ErrLost) || errors.Is(err, ErrOrder) || errors.Is(err, ErrHeld) || l.session.Final(err) {
			return nil, nil, err
		}
		if !pace.Wait(ctx) {
			return nil, nil, err
		}
	}
}

// tryForced makes one lease, which is renewed until the Lock ends, and takes the names on
// it. The lease, if any, is the caller's to revoke after an error.
func (l *Locker) tryForced(ctx context.Context, r *request, held *held) ([]part, *session.Lease, error) {
	s, err := l.session.Grant(ctx, l.ttl)
	if err != nil {
		return nil, nil, err
	}
	s.Own = true
	l.session.Spawn(s.Expire)
	l.session.Spawn(func() { s.KeepAlive(s.Ctx()) })
	parts, err := l.takeAll(ctx, r, held, s)
	return parts, s, err
}

// tryFixed makes one lease and takes the names on it. The lease, if any, is
// the caller's to revoke after an error.
func (l *Locker) tryFixed(ctx context.Context, r *request, held *held) ([]part, *session.Lease, error) {
	if r.force {
		return l.tryForced(ctx, r, held)
	}
	s, err := l.grantTerm(ctx, r.term)
	if err != nil {
		return nil, s, err
	}
	l.session.Spawn(s.Expire)

	queued, reached := context.WithCancel(s.Ctx())
	kept := make(chan struct{})
	if !l.session.Spawn(func() { defer close(kept); s.KeepAlive(queued) }) {
		close(kept)
	}
	parts, err := l.takeAll(ctx, r, held, s)
	reached()
	<-kept // a keepalive still under way would renew the lease later
	if err != nil {
		return nil, s, err
	}
	if err := s.Renew(ctx, false); err != nil {
		return nil, s, err
	}
	s.StartTerm()
	return parts, s, nil
}
