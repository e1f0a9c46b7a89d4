package mongorepo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/fence"
)

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
// Under a fence every try first shows its claims. InTx
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
			if err := driver.Ended(ctx); err != nil {
				return wrap(ctx, "transaction", err) // which spoils the one around it
			}
			return fn(ctx)
		})
	case driver.TxForeign:
		return wrap(ctx, "transaction", repo.ErrInTx)
	}
	if err := driver.Ended(ctx); err != nil {
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
	if err := t.Usable(); err != nil {
		return wrap(ctx, "transaction", err)
	}
	finished := false
	defer func() {
		if !finished {
			t.Spoil(errors.New("the function of a nested transaction panicked"))
		}
	}()
	err := fn(ctx)
	finished = true
	if err != nil {
		t.Spoil(err)
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
	t := &command.Transaction{Session: session}
	defer func() { t.End(); t.Rollback() }() // unless it is committed; fn may have panicked
	_, err = session.WithTransaction(ctx, func(ctx context.Context) (any, error) {
		t.Rollback() // what the last try left
		t = &command.Transaction{Session: session}
		return nil, r.try(ctx, t, fn)
	}, fence.FirmTransaction())
	if err == nil && abortedByHand(session) {
		err = fmt.Errorf("%w: its session was used to abort it", repo.ErrRolledBack)
	}
	if err != nil {
		err = r.settleCommit(ctx, t, err)
	}
	if err == nil {
		t.Commit()
	}
	return err
}

// try calls fn in one transaction, which takes no command any more afterwards.
func (r *Repository[T]) try(ctx context.Context, t *command.Transaction, fn func(ctx context.Context) error) error {
	defer t.End()
	ctx = driver.WithTx(ctx, driver.Tx{Store: r.client(), Handle: t})
	if err := r.enter(ctx); err != nil {
		return err
	}
	if err := fn(ctx); err != nil {
		return &fnError{err}
	}
	t.End()
	if err := t.Failure(); err != nil {
		return fmt.Errorf("%w: %w", repo.ErrRolledBack, err)
	}
	if err := driver.Ended(ctx); err != nil {
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

// settleCommit finds out whether a commit whose answer was lost has happened, by the
// claims that were written in it.
func (r *Repository[T]) settleCommit(ctx context.Context, t *command.Transaction, lost error) error {
	labeled, ok := errors.AsType[mongo.LabeledError](lost)
	if !ok || !labeled.HasErrorLabel(command.UnknownCommit) || !t.HasNotes() {
		return lost
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(command.Outside(ctx)), askTimeout)
	defer cancel()
	return r.fence.AskCommit(ctx, t, lost)
}
