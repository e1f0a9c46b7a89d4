package gormrepo

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// InTx calls fn with a context that carries a transaction; see
// repo.Transactor. It runs at READ COMMITTED on PostgreSQL and MySQL.
//
// It commits only what it can show to be whole. When a call in fn failed after it
// had written a part, when a nested InTx failed, or when the database may have
// rolled the transaction back by itself, InTx rolls back and returns
// repo.ErrRolledBack with the cause, also when fn handled that error and returned
// nil. Writes after such an error are refused with repo.ErrRolledBack, and those of
// goroutines that outlive fn with repo.ErrInTx. A nested InTx under repo.WithSavepoint undoes only
// its own part.
//
// When the answer to the commit is lost it is unknown whether it happened, unless
// the transaction showed the claims of a fence, which those of ctx are before fn
// is called. Entities keep the keys, times and versions that they got from saves
// which were rolled back.
func (r *store) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if fn == nil {
		return fmt.Errorf("gormrepo: transaction: %w: nil function", repo.ErrInvalid)
	}
	ctx, savepoint := driver.TakeSavepoint(ctx)
	switch r.TxState(ctx) {
	case driver.TxForeign:
		return fmt.Errorf("gormrepo: transaction: %w", repo.ErrInTx)
	case driver.TxJoined:
		return r.nest(ctx, savepoint, fn)
	case driver.TxNone:
	}
	if err := driver.Ended(ctx); err != nil {
		return fmt.Errorf("gormrepo: transaction: %w", err)
	}
	var failure error
	err := r.begin(ctx, txCallers, func(tx *gorm.DB, state *txState) error {
		handle := tx.Set(txStateKey, state).Session(&gorm.Session{})
		failure = fn(driver.WithTx(ctx, driver.Tx{Store: r.database, Handle: handle}))
		if failure != nil {
			return failure
		}
		if err := state.spoiled(); err != nil {
			return fmt.Errorf("%w: a call in it had failed: %w", repo.ErrRolledBack, err)
		}
		return nil
	})
	if failure != nil {
		return failure // the caller's own, untouched
	}
	return r.failed(ctx, "transaction", err)
}

// DB returns the handle of the transaction that InTx put into ctx, for bulk
// statements, joins and projections, and whether there is one. Its statements
// are part of the transaction: they are undone with it, and what fn of InTx does
// with the handle after it returned is refused. The lock of a locked InTx
// protects them as far as they stay within the tables whose repositories it was
// given. Hooks and conditions of this package are not applied.
func DB(ctx context.Context) (*gorm.DB, bool) {
	tx, ok := driver.TxFrom(ctx)
	if !ok {
		return nil, false
	}
	handle, ok := tx.Handle.(*gorm.DB)
	if !ok {
		return nil, false
	}
	return handle.WithContext(ctx), true
}
