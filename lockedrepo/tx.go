package lockedrepo

import (
	"context"
	"fmt"
	"slices"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// Lockable is a locked repository of any entity type, for InTx. *Repository is
// one, and what its method For returns.
type Lockable interface {
	lockable() *member
}

func (r *Repository[T]) lockable() *member {
	if r == nil {
		return nil
	}
	return r.whole.member
}

// InTx takes the locks of all the repositories, opens one transaction and calls
// fn. The keys are taken up front, in sorted order, by one call of Lock, so that
// transactions over the same types cannot deadlock, whichever they name first. The
// wait is bounded by ctx and by the smallest LockTimeout. All locks are kept until
// the transaction has been committed or rolled back. It commits when fn returns
// nil and no lock was lost, else rolls back: then nothing was written.
//
// fn uses the repositories with the context that it is given. A repository that
// is not named joins the transaction all the same when it is on the same database,
// and takes the lock of its own key at its first use, a read included; see
// [ReadUnlocked] and [Repository.InTx]. fn may run more than once. It should use
// its context from one goroutine at a time.
//
// Under a transaction of InTx it takes the locks that this one has not got and
// joins it; the outermost call commits. An error of the inner call, a lock that
// could not be taken or was lost included, spoils the outer transaction, which
// then ends with repo.ErrRolledBack; with [repo.WithSavepoint] only what the inner
// call wrote is rolled back. Its locks stay held in either case. Under a hold, see
// [etcdlock.Locker.Do], it takes those that the hold has not got. Where one of
// them sorts before a key that is held the order rule of [etcdlock.Locker.Lock]
// is followed.
//
// Errors before any lock is taken: ErrInvalid for no repository, a nil one, a nil
// fn, and repositories that differ in their Locker or their database;
// ErrUnsupported when a store has no transactions; ErrInTx under a transaction
// that no locked repository of this database opened. They spoil nothing. Those of
// Lock say that nothing was done. Any other error is fn's, or the store's, except ErrRelease: the
// transaction was committed.
func InTx(ctx context.Context, fn func(ctx context.Context) error, repos ...Lockable) error {
	if len(repos) == 0 {
		return fmt.Errorf("lockedrepo: transaction: %w: no repositories", repo.ErrInvalid)
	}
	members := make([]*member, len(repos))
	for i, r := range repos {
		if r != nil {
			members[i] = r.lockable()
		}
		if members[i] == nil {
			return fmt.Errorf("lockedrepo: transaction: %w: repository %d is nil", repo.ErrInvalid, i)
		}
	}
	return inTx(ctx, fn, members...)
}

// InTx takes the lock, opens a transaction and calls fn, as the function [InTx]
// does for several repositories. Every other locked repository on the same
// database that is used with fn's context, reads included, joins the transaction
// and takes the lock of its own key at its first use. All these locks are kept
// until the transaction has been committed or rolled back.
//
// Keys are taken in the order of their first use. A key that sorts before one
// that is held follows the order rule of [etcdlock.Locker.Lock] and can end in
// etcdlock.ErrOrder; name all repositories in one call of the function InTx where
// the types are known.
func (r *Repository[T]) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return inTx(ctx, fn, r.whole.member)
}

const doingTx = "transaction"

func inTx(ctx context.Context, fn func(ctx context.Context) error, members ...*member) error {
	if fn == nil {
		return fmt.Errorf("lockedrepo: transaction: %w: nil function", repo.ErrInvalid)
	}
	x, err := together(ctx, members)
	if err != nil {
		return err
	}
	opener := members[0]
	if i := slices.IndexFunc(members, func(m *member) bool { return m.guards != nil }); i >= 0 {
		opener = members[i] // it can show the claims
	}
	ctx = readsLocked(x.waitBounded(ctx))
	if opener.txState(ctx) != driver.TxNone {
		return nestedTx(ctx, fn, opener, x)
	}
	return outerTx(ctx, fn, members, opener, x)
}

// nestedTx calls fn within the transaction of ctx.
func nestedTx(ctx context.Context, fn func(ctx context.Context) error, opener *member, x exclusion) error {
	scope, err := scopeFrom(ctx, doingTx)
	if err != nil {
		return err
	}
	forget := scope.hooks.mark()
	// The locks are taken inside of the nested call, so that it fails as a whole.
	err = opener.transactor.InTx(ctx, func(ctx context.Context) error {
		return scope.run(ctx, doingTx, x, func(ctx context.Context) error { return scope.call(ctx, fn) })
	})
	if err != nil {
		forget()
	}
	return err
}

// outerTx calls fn within a transaction of its own.
func outerTx(ctx context.Context, fn func(ctx context.Context) error, members []*member, opener *member, x exclusion) error {
	for _, m := range members {
		if err := m.whole(ctx, doingTx); err != nil {
			return err
		}
	}
	ctx, _ = driver.TakeSavepoint(ctx) // there is nothing to go back to
	scope, committed := newScope(), false
	// The scope gives back all locks after the transaction.
	err := scope.close(ctx, func() error {
		err := scope.run(context.WithValue(ctx, scopeKey{}, scope), doingTx, x, func(ctx context.Context) error {
			again := scope.hooks.mark()
			return opener.transactor.InTx(scope.fence(ctx, opener.guards), func(ctx context.Context) error {
				again()
				if len(members) > 1 && slices.ContainsFunc(members, func(m *member) bool { return m.txState(ctx) != driver.TxJoined }) {
					return differentStores()
				}
				return scope.call(ctx, func(ctx context.Context) error {
					if err := fn(ctx); err != nil {
						return err
					}
					return scope.hooks.commits(ctx)
				})
			})
		})
		committed = err == nil
		return err
	})
	if committed {
		scope.hooks.committed(ctx)
	}
	return err
}

// call calls the function of a transaction, and fails when one of its locks was
// lost. Plain repositories that the function uses show nothing: the claims are not
// for their entities.
func (s *scope) call(ctx context.Context, fn func(ctx context.Context) error) error {
	if err := fn(s.fence(ctx, nil)); err != nil {
		return err
	}
	return s.lost()
}

// together is what a transaction over all the repositories keeps others out by,
// or why there cannot be one.
func together(ctx context.Context, members []*member) (exclusion, error) {
	x := members[0].exclusion
	for _, m := range members {
		switch {
		case m.unusable != nil:
			return x, fmt.Errorf("lockedrepo: transaction: %w", m.unusable)
		case m.locker != x.locker:
			return x, fmt.Errorf("lockedrepo: transaction: %w: the repositories have different Lockers", repo.ErrInvalid)
		case m.transactor == nil:
			return x, fmt.Errorf("lockedrepo: transaction: %w: the store of %q has no transactions", repo.ErrUnsupported, m.keys)
		case m.txState(ctx) == driver.TxForeign:
			return x, m.foreign(doingTx)
		}
		x = x.join(m.exclusion)
	}
	if members[0].txState(ctx) != driver.TxNone {
		return x, nil // all of one database
	}
	var first any
	for i, m := range members {
		if m.source == nil {
			continue // it is seen in the transaction
		}
		store, err := m.source.TxStore(ctx)
		switch {
		case err != nil:
			return x, fmt.Errorf("lockedrepo: transaction: %w", err)
		case i > 0 && first != nil && store != first:
			return x, differentStores()
		}
		first = store
	}
	return x, nil
}

func differentStores() error {
	return fmt.Errorf("lockedrepo: transaction: %w: the repositories are on different databases", repo.ErrInvalid)
}
