package memrepo

import (
	"context"
	"errors"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// TxState tells in which transaction a call with ctx would run. A transaction
// that is over counts as a foreign one.
func (r *Repository[T]) TxState(ctx context.Context) driver.TxState {
	tx, ok := driver.TxFrom(ctx)
	if !ok || tx.Store == nil {
		return driver.TxNone
	}
	if t, ours := tx.Handle.(*transaction); !ours || tx.Store != any(r.db) || t.isOver() {
		return driver.TxForeign
	}
	return driver.TxJoined
}

// TxStore identifies the DB whose transactions InTx opens.
func (r *Repository[T]) TxStore(context.Context) (any, error) { return r.db, nil }

// transaction is the one that ctx joins, or nil.
func (r *Repository[T]) transaction(ctx context.Context) *transaction {
	tx, _ := driver.TxFrom(ctx)
	t, _ := tx.Handle.(*transaction)
	if tx.Store != any(r.db) {
		return nil
	}
	return t
}

// spoil has the transaction of ctx roll back after an error that would have
// ended it on one of the databases, or that came after a part was written.
func (r *Repository[T]) spoil(ctx context.Context, err error, elements int) {
	tx := r.transaction(ctx)
	if tx == nil || err == nil || tx.isOver() {
		return
	}
	if elements > 1 || errors.Is(err, repo.ErrDuplicateKey) || ctx.Err() != nil {
		tx.spoil(err)
	}
}
