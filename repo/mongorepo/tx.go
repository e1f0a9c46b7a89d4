package mongorepo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
)

// transaction is what a context of InTx carries.
type transaction struct {
	session *mongo.Session
	// undo puts entities back that were written in it. fn runs in one
	// goroutine at a time, as a session demands.
	undo []func()
	// raised are the claims that were shown to the documents of their locks in
	// this try.
	raised map[raisedKey]claim
}

func (t *transaction) rollback() {
	for _, undo := range slices.Backward(t.undo) {
		undo()
	}
	t.undo = nil
}

// transaction is the one that ctx joins, or nil.
func (r *Repository[T]) transaction(ctx context.Context) *transaction {
	tx, ok := repo.TxFrom(ctx)
	if !ok || r.TxState(ctx) != repo.TxJoined {
		return nil
	}
	t, _ := tx.Handle.(*transaction)
	return t
}

// enter shows the claims of a call that reads what no fence of a document
// protects. Only a transaction protects it.
func (r *Repository[T]) enter(ctx context.Context) error {
	if r.transaction(ctx) == nil {
		return nil
	}
	_, err := r.claims(ctx)
	return err
}

// onRollback has the key and the version of a saved entity put back when the
// transaction that ctx carries does not commit: fn runs again then, and must
// not find the version of a write that never was.
func onRollback(ctx context.Context, undo func()) {
	if tx, ok := repo.TxFrom(ctx); ok {
		if t, ok := tx.Handle.(*transaction); ok {
			t.undo = append(t.undo, undo)
		}
	}
}

// TxState tells what a call with ctx would become part of. Any session of the
// user counts as a foreign transaction: from outside it cannot be seen whether
// it has one.
func (r *Repository[T]) TxState(ctx context.Context) repo.TxState {
	session := mongo.SessionFromContext(ctx)
	tx, ok := repo.TxFrom(ctx)
	if !ok {
		if session != nil {
			return repo.TxForeign
		}
		return repo.TxNone
	}
	t, ours := tx.Handle.(*transaction)
	if ours && tx.Store == any(r.client()) && t.session == session {
		return repo.TxJoined
	}
	return repo.TxForeign
}

// InTx calls fn in a transaction of the collection's client; see
// repo.Transactor. fn may run several times: when the server reports a conflict
// with another transaction, InTx rolls back, puts the keys and versions of the
// entities that were saved back to what they were, and calls fn again. fn
// should read what it changes inside the transaction, must return the errors it
// gets, and must use its context from one goroutine at a time. Under a fence the
// first thing that every try does is to show its claims. It returns
// ErrUnsupported when the server is neither a replica set nor sharded.
func (r *Repository[T]) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if fn == nil {
		return wrap(ctx, "transaction", fmt.Errorf("%w: nil function", repo.ErrInvalid))
	}
	if err := done(ctx); err != nil {
		return wrap(ctx, "transaction", err)
	}
	switch r.TxState(ctx) {
	case repo.TxJoined:
		return fn(ctx)
	case repo.TxForeign:
		return wrap(ctx, "transaction", repo.ErrInTx)
	}
	if err := r.tx.check(ctx, r.client()); err != nil {
		return wrap(ctx, "transaction", err)
	}
	session, err := r.client().StartSession()
	if err != nil {
		return wrap(ctx, "transaction", err)
	}
	// The session must go back even when the caller's context is done.
	defer session.EndSession(context.WithoutCancel(ctx))
	t := &transaction{session: session}
	committed := false
	defer func() {
		if !committed { // fn may have panicked
			t.rollback()
		}
	}()
	_, err = session.WithTransaction(ctx, func(ctx context.Context) (any, error) {
		t.rollback() // what the last try left
		t.raised = nil
		ctx = repo.WithTx(ctx, repo.Tx{Store: r.client(), Handle: t})
		if err := r.enter(ctx); err != nil {
			return nil, err
		}
		if err := fn(ctx); err != nil {
			return nil, &fnError{err}
		}
		return nil, nil
	})
	if err != nil {
		err = r.settleTx(ctx, t, err)
	}
	committed = err == nil
	if own, ok := errors.AsType[*fnError](err); ok {
		return own.err
	}
	return wrap(ctx, "transaction", err)
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
