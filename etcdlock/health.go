package etcdlock

import (
	"context"
	"errors"
	"math/rand/v2"
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
)

// health remembers whether etcd answered the last request of this Locker, so
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

// call makes one bounded request to etcd and notes whether it was answered.
func (l *Locker) call(ctx context.Context, request func(ctx context.Context) error) error {
	if l.cli.Ctx().Err() != nil {
		return errClientClosed // rather than have the client retry it
	}
	rctx, cancel := context.WithTimeout(ctx, l.requestTimeout)
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
			l.health.down(errNoAnswer)
		}
	})
	err := request(rctx)
	alarm.Stop()
	mu.Lock()
	defer mu.Unlock()
	over = true
	switch {
	case err == nil, leaseGone(err):
		l.health.up()
	case ctx.Err() == nil, slow:
		l.health.down(err)
	}
	return err
}

// backoff paces retries: from 20 ms, doubling, up to a second, with jitter so
// that the processes of a fleet do not come back in step.
type backoff struct{ next time.Duration }

// wait pauses and reports whether ctx is still going on.
func (b *backoff) wait(ctx context.Context) bool {
	b.next = min(max(2*b.next, 20*time.Millisecond), time.Second)
	return pause(ctx, b.next/2+rand.N(b.next/2+1)) //nolint:gosec // jitter need not be secret
}
