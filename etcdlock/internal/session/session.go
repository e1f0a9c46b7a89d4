package session

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Prefix is where each session has a key, the sentinel, that tells of it.
const Prefix = "holdfast/.session/"

// Config is what a Session is made of. All of it must be set.
type Config struct {
	Client         *clientv3.Client
	Clock          Clock
	TTL            time.Duration                       // of the lease, whole seconds
	RequestTimeout time.Duration                       // of a single request
	Sentinel       func() string                       // the value of the sentinel
	KeptAlive      func(took time.Duration, err error) // is told of every keepalive
	Lost           func(l *Lease)                      // is told of a lease of the session that has ended
}

// Session keeps one lease for all renewed locks of a process and replaces it
// when it is lost. No context of a request bounds it.
//
// Life of a lease here:
//  1. Grant it, put the sentinel key on it, publish it.
//  2. Keep it alive, watch the sentinel, compare its validity with the clock.
//  3. Whichever of these finds it gone ends it, and with it every hold.
//  4. Revoke what may be left of it, and start again with back-off.
type Session struct {
	conf   Config
	cli    *clientv3.Client
	now    Clock
	health health
	work   background

	base context.Context //nolint:containedctx // ends with Stop, and with it all work in the background
	stop context.CancelCauseFunc
	// watching is base for watches: they must not go on without a leader. It is
	// made once because what it carries is as large as all else about a watch.
	watching context.Context //nolint:containedctx // as long as base

	mu      sync.Mutex
	started bool
	cur     *Lease
	err     error         // why the last attempt to make a lease failed
	changed chan struct{} // closed when cur or err changes
	closing error         // what revoking the last lease gave; valid once the work is done
}

// New makes a Session. It does no I/O: that begins with the first call of Lease.
func New(conf Config) *Session {
	s := &Session{conf: conf, cli: conf.Client, now: conf.Clock, changed: make(chan struct{})}
	s.base, s.stop = context.WithCancelCause(context.Background())
	s.watching = clientv3.WithRequireLeader(s.base)
	s.work.over, s.work.spare = s.base, make(chan func())
	return s
}

// Base ends with Stop.
func (s *Session) Base() context.Context { return s.base }

// Watching is what contexts of watches that last are made of. It ends with Stop.
func (s *Session) Watching() context.Context { return s.watching }

// Spawn runs f in the background, where Stop waits for it. After Stop it does
// nothing and reports false.
func (s *Session) Spawn(f func()) bool { return s.work.spawn(f) }

// Stop ends all work with the cause, revokes the session's lease and waits until
// nothing is left. Its error is that of the revocation.
func (s *Session) Stop(cause error) error {
	s.work.refuse()
	s.stop(cause)
	s.work.running.Wait()
	return s.closing
}

func (s *Session) publish(cur *Lease, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cur, s.err = cur, err
	close(s.changed)
	s.changed = make(chan struct{})
}

// Lease returns the live lease, waiting for one to be made. With hurry it
// gives up at the first attempt that fails.
func (s *Session) Lease(ctx context.Context, hurry bool) (*Lease, error) {
	begun := time.Now()
	for first := true; ; first = false {
		s.mu.Lock()
		cur, err, changed := s.cur, s.err, s.changed
		if !s.started {
			s.started = s.Spawn(s.keep)
		}
		s.mu.Unlock()
		if cur != nil && cur.Alive() {
			return cur, nil
		}
		if err != nil && (s.Final(err) || hurry && !first) {
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if time.Since(begun) >= slowAnswer && s.health.cause() == nil {
				s.health.down(errNoSession)
			}
			return nil, ctx.Err()
		}
	}
}

// keep makes one lease after the other until Stop.
func (s *Session) keep() {
	var pace Backoff
	for s.base.Err() == nil {
		cur, err := s.open()
		if err != nil {
			s.publish(nil, err)
			pace.Wait(s.base)
			continue
		}
		s.publish(cur, nil)
		<-cur.ctx.Done()
		_ = context.Cause(cur.ctx) // waits until the contexts below it have ended too, which Lost reads
		if s.base.Err() != nil {
			s.closing = cur.Revoke()
			return
		}
		if s.cli.Ctx().Err() != nil { // it can only run out
			s.closing = fmt.Errorf("revoking lease %x: %w", int64(cur.ID), Unserved(errClientClosed))
		}
		s.publish(nil, nil)
		s.conf.Lost(cur)
		cur.Retire()
		if s.now() < cur.born+cur.ttl/3 { // an operator or a sick cluster keeps ending it
			pace.Wait(s.base)
		} else {
			pace = Backoff{}
		}
	}
}

// open makes a lease with its sentinel and starts what looks after it.
func (s *Session) open() (*Lease, error) {
	l, err := s.Grant(s.base, s.conf.TTL)
	if err != nil {
		return nil, err
	}
	sentinel := Prefix + strconv.FormatInt(int64(l.ID), 16) + "/" // with that slash it is in no queue
	err = s.Call(l.ctx, func(ctx context.Context) error {
		_, err := s.cli.Put(ctx, sentinel, s.conf.Sentinel(), clientv3.WithLease(l.ID))
		return err
	})
	if err != nil {
		l.End(err)
		l.Retire()
		return nil, fmt.Errorf("writing %s: %w", sentinel, err)
	}
	s.Spawn(l.Expire)
	s.Spawn(func() { l.KeepAlive(l.ctx) })
	s.Spawn(func() {
		if err := s.AwaitGone(l.ctx, sentinel, 0); err == nil {
			l.Lose(fmt.Errorf("lease %x was revoked or its key deleted", int64(l.ID)))
		}
	})
	return l, nil
}
