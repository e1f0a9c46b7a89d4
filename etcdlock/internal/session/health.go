package session

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// slowAnswer is how long etcd may stay silent before a caller who gives up on
// it is told that etcd is unavailable, rather than that the lock is busy.
const slowAnswer = 100 * time.Millisecond

var (
	errClientClosed = errors.New("the etcd client is closed")
	errNoAnswer     = errors.New("no answer")
	errNoSession    = errors.New("no answer to the request for a lease")
)

// health remembers whether etcd answered the last request of this session, so
// that a wait can tell "somebody holds the lock" from "nobody answers".
type health struct{ failure atomic.Pointer[error] }

func (h *health) up()            { h.failure.Store(nil) }
func (h *health) down(err error) { h.failure.Store(&err) }

// cause returns why the last request was not answered, nil if it was.
func (h *health) cause() error {
	if p := h.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// Silent returns why etcd did not answer the last request, nil if it did.
func (s *Session) Silent() error { return s.health.cause() }

// Final reports whether err is an answer that asking again will not change:
// missing rights, a request that etcd finds malformed, a client that its owner
// has closed.
func (s *Session) Final(err error) bool {
	return err != nil && (s.cli.Ctx().Err() != nil || refused(err))
}

// Call makes one bounded request to etcd and notes whether it was answered.
func (s *Session) Call(ctx context.Context, request func(ctx context.Context) error) error {
	if s.cli.Ctx().Err() != nil {
		return errClientClosed // rather than have the client retry it
	}
	rctx, cancel := context.WithTimeout(ctx, s.conf.RequestTimeout)
	defer cancel()
	// Those who wait for what the request is about learn that it is silent
	// while it still is.
	var mu sync.Mutex
	over, slow := false, false
	alarm := time.AfterFunc(slowAnswer, func() {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			slow = true
			s.health.down(errNoAnswer)
		}
	})
	err := request(rctx)
	if err != nil && s.cli.Ctx().Err() != nil {
		err = errClientClosed // gRPC has several names for it
	}
	alarm.Stop()
	mu.Lock()
	defer mu.Unlock()
	over = true
	switch {
	case err == nil, LeaseGone(err):
		s.health.up()
	case ctx.Err() == nil, slow:
		s.health.down(err)
	}
	return err
}
