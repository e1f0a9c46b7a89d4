package repo

import (
	"context"

	"github.com/holdfast-go/holdfast/repo/internal/savepoint"
)

// Transactor is a repository whose store has transactions.
type Transactor interface {
	// InTx calls fn with a context that carries a transaction and commits when
	// fn returns nil, else rolls back and returns fn's error. Every repository
	// on the same database joins the transaction when it is called with that
	// context.
	//
	// Called with a context that carries a transaction of the same database
	// already, InTx joins that one, and only the outermost call commits. A nested
	// call that fails spoils the whole transaction: the outermost call rolls back
	// and returns an error that matches ErrRolledBack and the cause, also when its
	// function handled the error of the nested call. [WithSavepoint] limits the
	// rollback to the nested call instead.
	//
	// InTx returns ErrUnsupported when the store turns out to have no
	// transactions, and ErrInTx under a transaction of another database.
	//
	// fn may run more than once where the store asks for it. It must use its
	// context from one goroutine at a time: a transaction has one connection.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// WithSavepoint returns a context under which the next nested InTx sets a
// savepoint. When its function fails, what it wrote is rolled back to there, and
// the transaction can go on. A store without savepoints returns ErrUnsupported
// and does not call the function. An outermost InTx ignores it.
func WithSavepoint(ctx context.Context) context.Context {
	return savepoint.Ask(ctx)
}
