package driver

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/repo/internal/savepoint"
)

// TxState says which transaction a call would become part of.
type TxState int

// The states of a call with a given context.
const (
	// TxNone: the call makes its own transaction where it needs one.
	TxNone TxState = iota
	// TxJoined: the call joins a transaction that InTx opened on the same
	// database.
	TxJoined
	// TxForeign: the call would become part of, or would silently stay outside
	// of, a transaction that InTx of this database did not open.
	TxForeign
)

// TxReporter is a repository that can tell in which transaction a call would
// run. A locked repository asks it, because a lock that is given back before
// the surrounding transaction commits protects nothing.
type TxReporter interface {
	// TxState looks at ctx only; it asks no server.
	TxState(ctx context.Context) TxState
}

// Tx is an open transaction on its way down in a context.
type Tx struct {
	// Store identifies the database: the *sql.DB or *mongo.Client, compared
	// with ==.
	Store any
	// Handle is what the backend needs to join, of its own type.
	Handle any
}

type txKey struct{}

// WithTx returns a context that carries tx. Backends call it in InTx.
func WithTx(ctx context.Context, tx Tx) context.Context {
	return context.WithValue(ctx, txKey{}, tx)
}

// TxFrom returns the transaction that ctx carries.
func TxFrom(ctx context.Context) (Tx, bool) {
	tx, ok := ctx.Value(txKey{}).(Tx)
	return tx, ok
}

// TxSource is a Transactor that can tell whose transactions it would open before
// it opens one. A locked repository asks it before it takes a lock.
type TxSource interface {
	// TxStore identifies the database that InTx opens transactions on, as Tx.Store
	// does. It returns ErrUnsupported when the store turns out to have no
	// transactions, and ErrInTx for a repository that was made on a transaction. It
	// may ask the server.
	TxStore(ctx context.Context) (any, error)
}

// TakeSavepoint reports whether ctx asks for a savepoint, and returns a context
// that does not. Backends call it in InTx.
func TakeSavepoint(ctx context.Context) (context.Context, bool) { return savepoint.Take(ctx) }

type connWaitKey struct{}

// WithConnWait returns a context under which a store waits no longer than d for
// a connection of its pool to begin a transaction with, and then returns
// ErrBusy. The calls themselves are not bounded by it.
func WithConnWait(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, connWaitKey{}, d)
}

// ConnWait returns how long a store may wait for a connection under ctx.
func ConnWait(ctx context.Context) (time.Duration, bool) {
	d, ok := ctx.Value(connWaitKey{}).(time.Duration)
	return d, ok && d > 0
}
