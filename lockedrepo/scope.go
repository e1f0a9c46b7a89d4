package lockedrepo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/repo"
)

type scopeKey struct{}

// scope holds the locks of one transaction until it ends.
type scope struct {
	// turn has room for one: locks are taken one after the other, so that each
	// is taken under all those before it.
	turn chan struct{}
	// ended ends with the transaction.
	ended context.Context
	end   context.CancelCauseFunc

	mu   sync.Mutex
	held []scopeHold
}

// scopeHold is a lock and what it is found by: two lockers may know one key.
type scopeHold struct {
	locker *etcdlock.Locker
	key    string
	lock   *etcdlock.Lock
	// attempt is open until the end of the transaction; nil without a fence.
	attempt *etcdlock.Attempt
}

// errEnded is for calls that come after their transaction.
var errEnded = fmt.Errorf("%w: the transaction of this context has ended", repo.ErrInTx)

func newScope(first scopeHold) *scope {
	s := &scope{turn: make(chan struct{}, 1), held: []scopeHold{first}}
	s.ended, s.end = context.WithCancelCause(context.Background())
	return s
}

// scopeFrom returns the scope of the transaction that ctx carries. The
// transaction of a plain repository has none: nothing would keep a lock until
// its commit.
func scopeFrom(ctx context.Context) (*scope, error) {
	s, ok := ctx.Value(scopeKey{}).(*scope)
	if !ok {
		return nil, repo.ErrInTx
	}
	return s, nil
}

// lock returns the hold on key, taking it, with an attempt unless it is not to
// be fenced, when the transaction does not have it yet. It waits no longer than timeout, ctx and the transaction.
func (s *scope) lock(ctx context.Context, locker *etcdlock.Locker, key string, timeout time.Duration, unfenced bool) (*etcdlock.Lock, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(s.ended, func() { stop(errEnded) })()
	if s.ended.Err() != nil {
		return nil, fmt.Errorf("lockedrepo: locking %q: %w", key, errEnded)
	}
	if hold, _ := s.find(locker, key); hold != nil {
		return hold, nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("lockedrepo: locking %q while another call of the transaction waits for a lock: %w", key, gaveUp(ctx))
	}
	hold, newest := s.find(locker, key)
	if hold != nil {
		return hold, nil
	}
	take := func(ctx context.Context) (err error) {
		hold, err = acquire(ctx, locker, key, timeout)
		return err
	}
	var err error
	if newest == nil {
		err = take(ctx)
	} else {
		// So the locker sees all that the transaction holds, and refuses an
		// order that could deadlock.
		err = underHold(ctx, newest, take)
	}
	if err != nil {
		return nil, err
	}
	var a *etcdlock.Attempt
	if !unfenced {
		if a, err = attempt(ctx, hold, timeout); err != nil {
			return nil, join(err, release(ctx, hold))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = append(s.held, scopeHold{locker, key, hold, a})
	return hold, nil
}

// gaveUp describes a wait that ended with its context.
func gaveUp(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if !errors.Is(cause, err) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: %w", etcdlock.ErrTimeout, err)
	}
	return err
}

// find returns the hold on key, and the newest hold of the locker on any key.
func (s *scope) find(locker *etcdlock.Locker, key string) (hold, newest *etcdlock.Lock) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.held {
		if h.locker != locker {
			continue
		}
		newest = h.lock
		if h.key == key {
			hold = h.lock
		}
	}
	return hold, newest
}

// retire has every lock taken anew by whoever tries again.
func (s *scope) retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.held {
		h.lock.Retire()
	}
}

// lost returns why one of the locks is not held any more, or nil.
func (s *scope) lost() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.held {
		if ctx := h.lock.Context(); ctx.Err() != nil {
			return fmt.Errorf("lockedrepo: rolling back: %w", context.Cause(ctx))
		}
	}
	return nil
}

// close runs tx and gives back all locks afterwards, newest first, even when
// tx panics.
func (s *scope) close(ctx context.Context, tx func() error) (err error) {
	defer func() {
		s.end(errEnded)
		s.turn <- struct{}{} // what is being taken was cancelled, or is here now
		var failed []error
		for _, h := range slices.Backward(s.held) {
			if h.attempt != nil {
				h.attempt.Close()
			}
			failed = append(failed, release(ctx, h.lock))
		}
		err = join(err, errors.Join(failed...))
	}()
	return tx()
}
