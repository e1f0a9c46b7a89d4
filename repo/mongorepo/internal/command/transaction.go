package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// Transaction is one try of InTx, on its way down in a context.
type Transaction struct {
	Session *mongo.Session

	// command is held by the command that runs: a session takes one at a time,
	// and the transaction ends between two of them.
	command sync.Mutex

	mu   sync.Mutex
	over bool
	// spoiled is the first failure; nil while all goes well.
	spoiled error
	// undo puts entities back that were written in it.
	undo  []func()
	notes map[any]any
}

type outsideKey struct{}

// Outside takes the transaction out of ctx.
func Outside(ctx context.Context) context.Context {
	return context.WithValue(mongo.NewSessionContext(ctx, nil), outsideKey{}, true)
}

// TransactionOf is the transaction of cli that a command with ctx joins, nil
// for none. A session of the user counts for none. Reads stay outside of the
// transaction of another store; a write would do so without a word.
func TransactionOf(ctx context.Context, cli *mongo.Client, writes bool) (*Transaction, error) {
	tx, ok := driver.TxFrom(ctx)
	if !ok || tx.Store == nil || ctx.Value(outsideKey{}) != nil {
		return nil, nil
	}
	t, ours := tx.Handle.(*Transaction)
	session := mongo.SessionFromContext(ctx)
	switch {
	case !ours && session == nil && !writes:
		return nil, nil
	case !ours || tx.Store != any(cli):
		return nil, fmt.Errorf("%w: the context carries the transaction of another database", repo.ErrInTx)
	case t.Session != session:
		return nil, fmt.Errorf("%w: the context carries another session than its transaction's", repo.ErrInTx)
	}
	return t, nil
}

// InAnotherStores tells whether ctx carries the transaction of a store that is
// no MongoDB.
func InAnotherStores(ctx context.Context) bool {
	tx, ok := driver.TxFrom(ctx)
	_, ours := tx.Handle.(*Transaction)
	return ok && tx.Store != nil && !ours
}

// run sends a command in the transaction.
func (t *Transaction) run(send func() error) error {
	t.command.Lock()
	defer t.command.Unlock()
	if err := t.Usable(); err != nil {
		return err
	}
	err := send()
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		t.Spoil(err)
	}
	return err
}

// Usable is nil while the transaction takes commands.
func (t *Transaction) Usable() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.over:
		return fmt.Errorf("%w: the transaction is over", repo.ErrInTx)
	case t.spoiled != nil:
		return fmt.Errorf("%w: a call in it failed before: %w", repo.ErrRolledBack, t.spoiled)
	}
	return nil
}

// Spoil has the transaction roll back in the end. The first reason stays.
func (t *Transaction) Spoil(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.spoiled == nil {
		t.spoiled = err
	}
}

// Failure is why the transaction is spoiled, nil when it is not.
func (t *Transaction) Failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.spoiled
}

// End waits for the command that runs and lets no other begin.
func (t *Transaction) End() {
	t.command.Lock()
	defer t.command.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

// IsOver tells whether it takes no command any more.
func (t *Transaction) IsOver() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over
}

// OnRollback has undo called unless the transaction commits.
func (t *Transaction) OnRollback(undo func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.undo = append(t.undo, undo)
}

// Rollback puts the entities back.
func (t *Transaction) Rollback() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, undo := range slices.Backward(t.undo) {
		undo()
	}
	t.undo = nil
}

// Commit keeps the entities as they are.
func (t *Transaction) Commit() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.undo = nil
}

// Note is what was set under the key in this transaction.
func (t *Transaction) Note(key any) (any, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, ok := t.notes[key]
	return v, ok
}

// SetNote keeps a value under a key for as long as the transaction lasts.
func (t *Transaction) SetNote(key, v any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.notes == nil {
		t.notes = map[any]any{}
	}
	t.notes[key] = v
}

// HasNotes tells whether any note was set.
func (t *Transaction) HasNotes() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.notes) > 0
}
