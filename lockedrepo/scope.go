package lockedrepo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/internal/fencing"
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

	// hooks run around the commit.
	hooks commitHooks

	mu   sync.Mutex
	held []*scopeHold
}

// scopeHold is a lock of keys that the transaction did not hold before.
type scopeHold struct {
	locker *etcdlock.Locker // two of them may know one key
	keys   []string
	lock   *hold
	// shown are the keys whose claims the store is shown, and drawer draws them; nil
	// while there are none.
	shown  []string
	drawer *drawer
}

// errEnded is for calls that come after their transaction.
var errEnded = fmt.Errorf("%w: the transaction of this context has ended", repo.ErrInTx)

func newScope() *scope {
	s := &scope{turn: make(chan struct{}, 1)}
	s.ended, s.end = context.WithCancelCause(context.Background())
	return s
}

// scopeFrom returns the scope of the transaction that ctx carries. The
// transaction of a plain repository has none: nothing would keep a lock until
// its commit.
func scopeFrom(ctx context.Context, doing string) (*scope, error) {
	s, ok := ctx.Value(scopeKey{}).(*scope)
	if !ok {
		return nil, fmt.Errorf("lockedrepo: %s: %w: the transaction was not opened by InTx of a locked repository", doing, repo.ErrInTx)
	}
	return s, nil
}

func inScope(ctx context.Context) bool {
	_, ok := ctx.Value(scopeKey{}).(*scope)
	return ok
}

// run runs work with the locks of x, which the transaction takes unless it has
// them, and keeps. The context of work ends when one of the locks is lost.
func (s *scope) run(ctx context.Context, doing string, x exclusion, work func(context.Context) error) error {
	h, err := s.lock(ctx, doing, x)
	if err != nil {
		return err
	}
	err = underHold(ctx, h, work)
	if errors.Is(err, repo.ErrFenced) {
		s.retire()
	}
	return x.refusal(ctx, err)
}

// lock returns the newest hold of the transaction, which then has all that x
// needs. It waits no longer than the timeout, ctx and the transaction.
func (s *scope) lock(ctx context.Context, doing string, x exclusion) (*hold, error) {
	ctx, cancel := context.WithTimeout(ctx, x.timeout)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(s.ended, func() { stop(errEnded) })()
	if s.ended.Err() != nil {
		return nil, fmt.Errorf("lockedrepo: %s: %w", doing, errEnded)
	}
	if newest, missing := s.has(x); missing == nil && newest.hasOthers(x.also) {
		return newest, nil
	}
	if !s.await(ctx) {
		return nil, fmt.Errorf("lockedrepo: %s: locking %q while another call of the transaction waits for a lock: %w", doing, x.keys, gaveUp(ctx))
	}
	defer func() { <-s.turn }()
	newest, missing := s.has(x)
	if len(missing) > 0 || !newest.hasOthers(x.also) {
		var err error
		if newest, err = s.take(ctx, doing, x, newest, missing); err != nil {
			return nil, err
		}
	}
	return newest, s.show(ctx, doing, x)
}

// await takes the turn, unless ctx ends while another call has it. A free turn is taken
// under a context that has ended too, so that the error does not speak of another call.
func (s *scope) await(ctx context.Context) bool {
	select {
	case s.turn <- struct{}{}:
		return true
	default:
	}
	select {
	case s.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// has returns the newest hold of the locker, and those of x's keys that no hold
// has: none, but not nil, when only claims of x are not shown yet.
func (s *scope) has(x exclusion) (newest *hold, missing []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys, shown []string
	for _, h := range s.held {
		if h.locker == x.locker {
			newest = h.lock
			keys, shown = append(keys, h.keys...), append(shown, h.shown...)
		}
	}
	for _, key := range x.keys {
		if !slices.Contains(keys, key) {
			missing = append(missing, key)
		}
	}
	if missing == nil && slices.ContainsFunc(x.fenced, func(key string) bool { return !slices.Contains(shown, key) }) {
		missing = []string{}
	}
	return newest, missing
}

// take locks the keys that are missing by one call, under all that is held, so
// that the locker sees it. Where only locks of Options.Also are missing, it has the keys
// again. The hold has those of Options.Also that the newest one has.
func (s *scope) take(ctx context.Context, doing string, x exclusion, newest *hold, missing []string) (taken *hold, err error) {
	if len(missing) > 0 {
		x.keys = missing
	}
	lock := func(ctx context.Context) (err error) {
		taken, err = acquire(s.carrying(ctx), doing, x)
		return err
	}
	if newest == nil {
		err = lock(ctx)
	} else {
		for _, o := range newest.others {
			x.also = append(slices.Clone(x.also), o.Also)
		}
		x.also = sortedAlso(x.also)
		err = underHold(ctx, newest, lock)
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = append(s.held, &scopeHold{locker: x.locker, keys: missing, lock: taken})
	return taken, nil
}

// carrying returns a context that holds the locks of Options.Also that the transaction has.
func (s *scope) carrying(ctx context.Context) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return carrying(ctx, lo.FlatMap(s.held, func(h *scopeHold, _ int) []otherHold { return h.lock.others }))
}

// show has the claims of x's keys shown from now on.
func (s *scope) show(ctx context.Context, doing string, x exclusion) error {
	for _, h := range s.held { // which grows by calls that have the turn only
		shown := slices.DeleteFunc(slices.Clone(x.fenced), func(key string) bool { return h.locker != x.locker || !slices.Contains(h.keys, key) })
		if len(shown) == 0 {
			continue
		}
		d := h.drawer
		if d == nil {
			var err error
			if d, err = attempt(ctx, doing, h.lock, x.timeout); err != nil {
				return err
			}
		}
		s.mu.Lock()
		h.drawer, h.shown = d, append(h.shown, shown...)
		s.mu.Unlock()
	}
	return nil
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

// retire has every lock taken again, with another token, by the next try.
func (s *scope) retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.held {
		fencing.OfLock(h.lock.lock).Retire()
	}
}

// lost returns why one of the locks is not held any more, or nil.
func (s *scope) lost() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.held {
		if err := h.lock.lost(); err != nil {
			return fmt.Errorf("lockedrepo: transaction: rolling back: %w", err)
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
			if h.drawer != nil {
				h.drawer.close()
			}
			failed = append(failed, release(ctx, h.lock))
		}
		err = join(err, errors.Join(failed...))
	}()
	return tx()
}
