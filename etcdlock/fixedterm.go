package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// LockFor takes all the names for a fixed term that starts when the last of
// them is reached and is never renewed: without Unlock the lock ends by
// itself. The term is in whole seconds, at least 2 s or the server's minimum.
// The Lock's context ends with ErrLost no later than the term.
//
// The names live on a lease of their own, which survives the loss of the
// Locker's session but not [Locker.Close]. Goroutines of this process queue in
// etcd, like everybody else. A name that ctx holds already is refused with
// ErrInvalid: the outer hold would outlive or undercut the term.
//
// Errors: those of Lock.
func (l *Locker) LockFor(ctx context.Context, term time.Duration, names ...string) (*Lock, error) {
	const doing = "locking for a fixed term"
	if term < minTTL || term > maxTTL || term%time.Second != 0 {
		return nil, invalid(doing, "the term is %v, want whole seconds from %v on", term, minTTL)
	}
	return l.lock(ctx, request{doing: doing, names: names, wait: true, term: term})
}

// takeFixed takes the names on a lease that is kept alive while they are
// waited for, then renewed once.
func (l *Locker) takeFixed(ctx context.Context, r *request, held *held) ([]part, *session.Lease, error) {
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
		if errors.Is(err, ErrInvalid) || errors.Is(err, ErrLost) || errors.Is(err, ErrOrder) || l.session.Final(err) {
			return nil, nil, err
		}
		if !pace.Wait(ctx) {
			return nil, nil, err
		}
	}
}

// tryFixed makes one lease and takes the names on it. The lease, if any, is
// the caller's to revoke after an error.
func (l *Locker) tryFixed(ctx context.Context, r *request, held *held) ([]part, *session.Lease, error) {
	s, err := l.session.Grant(ctx, r.term)
	if err != nil {
		return nil, nil, err
	}
	if s.TTL() > r.term {
		return nil, s, fmt.Errorf("%w: the term is %v, the server grants no less than %v", ErrInvalid, r.term, s.TTL())
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
