package repo

import (
	"context"
	"time"
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

type savepointKey struct{}

// WithSavepoint returns a context under which the next nested InTx sets a
// savepoint. When its function fails, what it wrote is rolled back to there, and
// the transaction can go on. A store without savepoints returns ErrUnsupported
// and does not call the function. An outermost InTx ignores it.
func WithSavepoint(ctx context.Context) context.Context {
	return context.WithValue(ctx, savepointKey{}, true)
}

// TakeSavepoint reports whether ctx asks for a savepoint, and returns a context
// that does not. Backends call it in InTx.
func TakeSavepoint(ctx context.Context) (context.Context, bool) {
	if asked, _ := ctx.Value(savepointKey{}).(bool); !asked {
		return ctx, false
	}
	return context.WithValue(ctx, savepointKey{}, false), true
}

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
