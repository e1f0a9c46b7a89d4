package mongorepo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
)

// enter shows the claims of a call that reads what no fence of a document
// protects. Only a transaction protects it; outside of one the call is only
// refused when its key does not guard the collection.
func (r *Repository[T]) enter(ctx context.Context) error {
	_, err := r.fence.Claims(ctx)
	return err
}

// transaction is the one of a repository and a context; see [command.TransactionOf].
func (r *Repository[T]) transaction(ctx context.Context) *command.Transaction {
	if r.TxState(ctx) != driver.TxJoined {
		return nil
	}
	t, _ := command.TransactionOf(ctx, r.client(), true)
	return t
}

// onRollback has the key and the version of a saved entity put back when the
// transaction that ctx carries does not commit: fn runs again then, and must
// not find the version of a write that never was.
func (r *Repository[T]) onRollback(ctx context.Context, undo func()) {
	if t := r.transaction(ctx); t != nil {
		t.OnRollback(undo)
	}
}

// spoil has the transaction that ctx carries roll back, because a call in it
// failed after it had written a part.
func (r *Repository[T]) spoil(ctx context.Context, err error) {
	if t := r.transaction(ctx); t != nil {
		t.Spoil(err)
	}
}

// TxState tells what a call with ctx would become part of. Any session of the
// user counts as a foreign transaction: from outside it cannot be seen whether
// it has one. So does a transaction that is over.
func (r *Repository[T]) TxState(ctx context.Context) driver.TxState {
	session := mongo.SessionFromContext(ctx)
	tx, ok := driver.TxFrom(ctx)
	if !ok || tx.Store == nil {
		if session != nil {
			return driver.TxForeign
		}
		return driver.TxNone
	}
	t, ours := tx.Handle.(*command.Transaction)
	if ours && tx.Store == any(r.client()) && t.Session == session && !t.IsOver() {
		return driver.TxJoined
	}
	return driver.TxForeign
}
