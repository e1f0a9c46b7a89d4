package mongorepo

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
)

// transaction is one try of InTx, on its way down in a context.
type transaction struct {
	session *mongo.Session

	// command is held by the command that runs: a session takes one at a time,
	// and the transaction ends between two of them.
	command sync.Mutex

	mu   sync.Mutex
	over bool
	// spoiled is the first failure; nil while all goes well.
	spoiled error
	// undo puts entities back that were written in it.
	undo []func()
	// raised are the claims that were shown to the documents of their locks.
	raised map[raisedKey]claim
}

// run sends a command in the transaction.
func (t *transaction) run(send func() error) error {
	t.command.Lock()
	defer t.command.Unlock()
	if err := t.usable(); err != nil {
		return err
	}
	err := send()
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		t.spoil(err)
	}
	return err
}

// usable is nil while the transaction takes commands.
func (t *transaction) usable() error {
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

// spoil has the transaction roll back in the end. The first reason stays.
func (t *transaction) spoil(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.spoiled == nil {
		t.spoiled = err
	}
}

// failure is why the transaction is spoiled, nil when it is not.
func (t *transaction) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.spoiled
}

// end waits for the command that runs and lets no other begin.
func (t *transaction) end() {
	t.command.Lock()
	defer t.command.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

func (t *transaction) isOver() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over
}

func (t *transaction) onRollback(undo func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.undo = append(t.undo, undo)
}

// rollback puts the entities back.
func (t *transaction) rollback() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, undo := range slices.Backward(t.undo) {
		undo()
	}
	t.undo = nil
}

// commit keeps the entities as they are.
func (t *transaction) commit() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.undo = nil
}

// shown is the claim that was shown to the document of a lock.
func (t *transaction) shown(at raisedKey) (claim, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.raised[at]
	return c, ok
}

func (t *transaction) show(at raisedKey, c claim) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.raised == nil {
		t.raised = map[raisedKey]claim{}
	}
	t.raised[at] = c
}

// fenced tells whether it has shown any claim.
func (t *transaction) fenced() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.raised) > 0
}
