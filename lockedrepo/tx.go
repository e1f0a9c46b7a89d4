package lockedrepo

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
)

// InTx takes the lock, opens a transaction and calls fn. Every locked
// repository on the same database that is used with fn's context, reads
// included, joins the transaction and takes the lock of its own key. All these locks are kept
// until the transaction has been committed or rolled back. It commits when fn
// returns nil and no lock was lost, else rolls back.
//
// Keys are taken in the order of their first use. Waiting for a key that sorts before
// one that is held ends with etcdlock.ErrOrder when it is a deadlock, after
// etcdlock.Options.DeadlockTimeout; lock all keys up front with
// [etcdlock.Locker.Lock], see [Repository.Key], where that matters.
//
// It returns ErrUnsupported when the store has no transactions, and ErrInTx
// under a transaction that no locked repository of this database opened. Called
// under one that one did, it joins it. fn may run more than once. It should use
// its context from one goroutine at a time: locks that several of them take are
// kept like others, but a transaction has one connection, and whether that can
// be shared is up to the store.
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
	first := scopeHold{locker: r.locker, key: r.key, lock: hold}
	if !r.unfenced {
		if first.attempt, err = attempt(ctx, hold, r.timeout); err != nil {
			return join(err, release(ctx, hold))
		}
	}
	scope := newScope(first)
	// The scope gives back all locks, this one included, after the transaction.
	return scope.close(ctx, func() error {
		err := underHold(ctx, hold, func(ctx context.Context) error {
			ctx = context.WithValue(ctx, scopeKey{}, scope)
			return transactor.InTx(scope.fence(ctx), func(ctx context.Context) error {
				if err := fn(ctx); err != nil {
					return err
				}
				return scope.lost()
			})
		})
		if errors.Is(err, repo.ErrFenced) {
			scope.retire()
		}
		return r.refusal(ctx, err)
	})
}
