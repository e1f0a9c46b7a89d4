package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

var errNoSession = errors.New("no answer to the request for a lease")

// session keeps one lease for all renewed locks of a Locker and replaces it
// when it is lost. No context of a request bounds it.
//
// Life of a lease here:
//  1. Grant it, put the sentinel key on it, publish it.
//  2. Keep it alive, watch the sentinel, compare its validity with the clock.
//  3. Whichever of these finds it gone ends it, and with it every hold.
//  4. Revoke what may be left of it, and start again with back-off.
type session struct {
	mu      sync.Mutex
	started bool
	cur     *lease
	err     error         // why the last attempt to make a lease failed
	changed chan struct{} // closed when cur or err changes
	closing error         // what revoking the last lease gave; valid after Locker.bg is done
}

func (s *session) publish(cur *lease, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cur, s.err = cur, err
	close(s.changed)
	s.changed = make(chan struct{})
}

// lease returns the live lease, waiting for one to be made. With hurry it
// gives up at the first attempt that fails.
func (l *Locker) sessionLease(ctx context.Context, hurry bool) (*lease, error) {
	s := &l.session
	begun := time.Now()
	for first := true; ; first = false {
		s.mu.Lock()
		cur, err, changed := s.cur, s.err, s.changed
		if !s.started {
			s.started = l.spawn(l.keepSession)
		}
		s.mu.Unlock()
		if cur != nil && cur.alive() {
			return cur, nil
		}
		if err != nil && (l.final(err) || hurry && !first) {
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if time.Since(begun) >= slowAnswer && l.health.cause() == nil {
				l.health.down(errNoSession)
			}
			return nil, ctx.Err()
		}
	}
}

func (l *Locker) keepSession() {
	s := &l.session
	var pace backoff
	for l.base.Err() == nil {
		cur, err := l.openSession()
		if err != nil {
			s.publish(nil, err)
			pace.wait(l.base)
			continue
		}
		s.publish(cur, nil)
		<-cur.ctx.Done()
		if l.base.Err() != nil {
			s.closing = cur.revoke()
			return
		}
		if l.cli.Ctx().Err() != nil { // it can only run out
			s.closing = fmt.Errorf("revoking lease %x: %w", int64(cur.id), unserved(errClientClosed))
		}
		s.publish(nil, nil)
		l.bereave(cur)
		cur.retire()
		if l.now() < cur.born+cur.ttl/3 { // an operator or a sick cluster keeps ending it
			pace.wait(l.base)
		} else {
			pace = backoff{}
		}
	}
}

// openSession makes a lease with its sentinel and starts what looks after it.
func (l *Locker) openSession() (*lease, error) {
	s, err := l.grant(l.base, l.ttl)
	if err != nil {
		return nil, err
	}
	sentinel := sessionPrefix + strconv.FormatInt(int64(s.id), 16) + "/" // with that slash it is in no queue
	err = l.call(s.ctx, func(ctx context.Context) error {
		_, err := l.cli.Put(ctx, sentinel, l.ownerData(owner{Since: time.Now().UTC()}), clientv3.WithLease(s.id))
		return err
	})
	if err != nil {
		s.cancel(err)
		s.retire()
		return nil, fmt.Errorf("writing %s: %w", sentinel, err)
	}
	l.spawn(s.expire)
	l.spawn(func() { s.keepAlive(s.ctx) })
	l.spawn(func() {
		if err := l.awaitGone(s.ctx, sentinel, 0); err == nil {
			s.lose(fmt.Errorf("lease %x was revoked or its key deleted", int64(s.id)))
		}
	})
	return s, nil
}
