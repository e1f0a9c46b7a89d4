package mongorepo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// transaction is the one of a repository and a context; see [transactionOf].
func (r *Repository[T]) transaction(ctx context.Context) *transaction {
	if r.TxState(ctx) != driver.TxJoined {
		return nil
	}
	t, _ := transactionOf(ctx, r.client(), true)
	return t
}

// enter shows the claims of a call that reads what no fence of a document
// protects. Only a transaction protects it; outside of one the call is only
// refused when its key does not guard the collection.
func (r *Repository[T]) enter(ctx context.Context) error {
	_, err := r.claims(ctx)
	return err
}

// onRollback has the key and the version of a saved entity put back when the
// transaction that ctx carries does not commit: fn runs again then, and must
// not find the version of a write that never was.
func (r *Repository[T]) onRollback(ctx context.Context, undo func()) {
	if t := r.transaction(ctx); t != nil {
		t.onRollback(undo)
	}
}

// spoil has the transaction that ctx carries roll back, because a call in it
// failed after it had written a part.
func (r *Repository[T]) spoil(ctx context.Context, err error) {
	if t := r.transaction(ctx); t != nil {
		t.spoil(err)
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
	t, ours := tx.Handle.(*transaction)
	if ours && tx.Store == any(r.client()) && t.session == session && !t.isOver() {
		return driver.TxJoined
	}
	return driver.TxForeign
}

// InTx calls fn in a transaction of the collection's client, which reads a
// snapshot from the primary and commits with majority and journal, whatever the
// client is set to; see repo.Transactor. fn may run several times: when the
// server reports a conflict with another transaction, InTx rolls back, puts the
// keys and versions of the entities that were saved back to what they were, and
// calls fn again, also when fn handled the error. fn should read what it
// changes inside the transaction.
//
// A command that fails spoils the transaction, because the server aborts it
// then, and so does a list of which a part was written. Later calls are
// refused, and InTx returns repo.ErrRolledBack and the cause when fn returns
// nil. Calls from several goroutines wait for each other. When fn has returned,
// its context takes no call any more: they return repo.ErrInTx.
//
// Under a fence the first thing that every try does is to show its claims. InTx
// returns ErrUnsupported when the server is neither a replica set nor sharded.
// There are no savepoints: a nested InTx under repo.WithSavepoint is
// ErrUnsupported and changes nothing.
func (r *Repository[T]) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if fn == nil {
		return wrap(ctx, "transaction", fmt.Errorf("%w: nil function", repo.ErrInvalid))
	}
	ctx, savepoint := driver.TakeSavepoint(ctx)
	switch r.TxState(ctx) {
	case driver.TxJoined:
		if savepoint {
			return wrap(ctx, "transaction", fmt.Errorf("%w: savepoints", repo.ErrUnsupported))
		}
		return r.nest(ctx, func(ctx context.Context) error {
			if err := done(ctx); err != nil {
				return wrap(ctx, "transaction", err) // which spoils the one around it
			}
			return fn(ctx)
		})
	case driver.TxForeign:
		return wrap(ctx, "transaction", repo.ErrInTx)
	}
	if err := done(ctx); err != nil {
		return wrap(ctx, "transaction", err)
	}
	if err := r.tx.check(ctx, r.client()); err != nil {
		return wrap(ctx, "transaction", err)
	}
	err := r.begin(ctx, fn)
	if own, ok := errors.AsType[*fnError](err); ok {
		return own.err
	}
	return wrap(ctx, "transaction", err)
}

// nest calls fn in the transaction that ctx carries. Its error spoils that, also
// when the function around it handles the error.
func (r *Repository[T]) nest(ctx context.Context, fn func(ctx context.Context) error) error {
	t := r.transaction(ctx)
	if err := t.usable(); err != nil {
		return wrap(ctx, "transaction", err)
	}
	finished := false
	defer func() {
		if !finished {
			t.spoil(errors.New("the function of a nested transaction panicked"))
		}
	}()
	err := fn(ctx)
	finished = true
	if err != nil {
		t.spoil(err)
	}
	return err
}

// begin makes a transaction, and another one for as long as the server asks for
// it.
func (r *Repository[T]) begin(ctx context.Context, fn func(ctx context.Context) error) error {
	session, err := r.client().StartSession()
	if err != nil {
		return err
	}
	// The session must go back even when the caller's context is done.
	defer session.EndSession(context.WithoutCancel(ctx))
	t := &transaction{session: session}
	defer func() { t.end(); t.rollback() }() // unless it is committed; fn may have panicked
	_, err = session.WithTransaction(ctx, func(ctx context.Context) (any, error) {
		t.rollback() // what the last try left
		t = &transaction{session: session}
		return nil, r.try(ctx, t, fn)
	}, firmTransaction())
	if err == nil && abortedByHand(session) {
		err = fmt.Errorf("%w: its session was used to abort it", repo.ErrRolledBack)
	}
	if err != nil {
		err = r.settleTx(ctx, t, err)
	}
	if err == nil {
		t.commit()
	}
	return err
}

// try calls fn in one transaction, which takes no command any more afterwards.
func (r *Repository[T]) try(ctx context.Context, t *transaction, fn func(ctx context.Context) error) error {
	defer t.end()
	ctx = driver.WithTx(ctx, driver.Tx{Store: r.client(), Handle: t})
	if err := r.enter(ctx); err != nil {
		return err
	}
	if err := fn(ctx); err != nil {
		return &fnError{err}
	}
	t.end()
	if err := t.failure(); err != nil {
		return fmt.Errorf("%w: %w", repo.ErrRolledBack, err)
	}
	if err := done(ctx); err != nil {
		return fmt.Errorf("%w: %w", repo.ErrRolledBack, err)
	}
	return nil
}

// abortedByHand tells whether fn took the session out of its context and
// aborted the transaction, which the driver takes for success.
func abortedByHand(session *mongo.Session) bool {
	err := session.AbortTransaction(context.Background()) // asks no server, because it has ended
	return err != nil && strings.Contains(err.Error(), "twice")
}

func (r *Repository[T]) client() *mongo.Client { return r.coll.Database().Client() }

// support remembers that the server has transactions. A server never loses
// them; that it has none is asked again, because a standalone server can become
// a replica set.
type support struct{ known atomic.Bool }

func (s *support) check(ctx context.Context, cli *mongo.Client) error {
	if s.known.Load() {
		return nil
	}
	var hello struct {
		SetName string `bson:"setName"`
		Msg     string `bson:"msg"`
	}
	err := cli.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello)
	if err != nil {
		return fmt.Errorf("asking the server for transactions: %w", err)
	}
	if hello.SetName == "" && hello.Msg != "isdbgrid" {
		return fmt.Errorf("%w: transactions need a replica set or a sharded cluster", repo.ErrUnsupported)
	}
	s.known.Store(true)
	return nil
}
