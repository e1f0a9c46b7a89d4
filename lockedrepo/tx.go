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

// InTx takes the lock, opens a transaction and calls fn. Every locked
// repository on the same database that is written to with fn's context joins
// the transaction and takes the lock of its own key. All these locks are kept
// until the transaction has been committed or rolled back. It commits when fn
// returns nil and no lock was lost, else rolls back.
//
// Keys are taken in the order of the first writes. A key that sorts before one
// that is held is tried once and fails with etcdlock.ErrOrder when it is busy,
// because waiting could be a deadlock; lock all keys up front with
// [etcdlock.Locker.Lock], see [Repository.Key], where that matters.
//
// It returns ErrUnsupported when the store has no transactions, and ErrInTx
// under a transaction that no locked repository of this database opened. Called
// under one that one did, it joins it. fn may run more than once.
func (r *Repository[T]) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if fn == nil {
		return fmt.Errorf("%w: nil function", repo.ErrInvalid)
	}
	transactor, ok := repo.As[repo.Transactor](r.inner)
	if !ok {
		return fmt.Errorf("%w: transactions", repo.ErrUnsupported)
	}
	if r.TxState(ctx) != repo.TxNone {
		return r.locked(ctx, fn)
	}
	hold, err := acquire(ctx, r.locker, r.key, r.timeout)
	if err != nil {
		return err
	}
	scope := newScope(r.locker, r.key, hold)
	// The scope gives back all locks, this one included, after the transaction.
	return scope.close(ctx, func() error {
		return underHold(ctx, hold, func(ctx context.Context) error {
			return transactor.InTx(context.WithValue(ctx, scopeKey{}, scope), func(ctx context.Context) error {
				if err := fn(ctx); err != nil {
					return err
				}
				return scope.lost()
			})
		})
	})
}

type scopeKey struct{}

// scope holds the locks of one transaction until it ends.
type scope struct {
	mu    sync.Mutex
	locks map[scopeLock]*etcdlock.Lock
	order []*etcdlock.Lock
	done  bool
}

// scopeLock tells apart equal keys of different lockers.
type scopeLock struct {
	locker *etcdlock.Locker
	key    string
}

func newScope(locker *etcdlock.Locker, key string, hold *etcdlock.Lock) *scope {
	return &scope{
		locks: map[scopeLock]*etcdlock.Lock{{locker, key}: hold},
		order: []*etcdlock.Lock{hold},
	}
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

// lock returns the hold on key, taking it when the transaction does not have
// it yet.
func (s *scope) lock(ctx context.Context, locker *etcdlock.Locker, key string, timeout time.Duration) (*etcdlock.Lock, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return nil, fmt.Errorf("%w: the transaction of this context has ended", repo.ErrInTx)
	}
	if hold, ok := s.locks[scopeLock{locker, key}]; ok {
		return hold, nil
	}
	// Locking under the newest hold's context lets the locker see all that the
	// transaction holds, and so refuse an order that could deadlock.
	newest := s.order[len(s.order)-1]
	var hold *etcdlock.Lock
	err := underHold(ctx, newest, func(ctx context.Context) error {
		var err error
		hold, err = acquire(ctx, locker, key, timeout)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.locks[scopeLock{locker, key}] = hold
	s.order = append(s.order, hold)
	return hold, nil
}

// lost returns why one of the locks is not held any more, or nil.
func (s *scope) lost() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, hold := range s.order {
		if hold.Context().Err() != nil {
			return fmt.Errorf("lockedrepo: rolling back: %w", context.Cause(hold.Context()))
		}
	}
	return nil
}

// close runs tx and gives back all locks afterwards, newest first, even when
// tx panics.
func (s *scope) close(ctx context.Context, tx func() error) (err error) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.done = true
		var failed []error
		for _, lock := range slices.Backward(s.order) {
			failed = append(failed, release(ctx, lock))
		}
		err = join(err, errors.Join(failed...))
	}()
	return tx()
}
