package memrepo

import (
	"fmt"
	"sync"

	"github.com/holdfast-go/holdfast/repo"
)

// transaction is what a context of InTx carries.
type transaction struct {
	mu   sync.Mutex
	over bool
	// spoiled is the first failure; nil while all goes well.
	spoiled error
	// tables are the copies that it works on, by repository.
	tables map[any]shadow
}

// shadow is a copy of a table, whatever its type.
type shadow interface {
	// again copies the copy, for a savepoint.
	again() shadow
	// commit makes the copy the table.
	commit()
}

type shadowOf[T any] struct{ of, table *table[T] }

func (s shadowOf[T]) again() shadow { return shadowOf[T]{s.of, s.table.copied()} }

func (s shadowOf[T]) commit() { *s.of = *s.table }

// usable is nil while the transaction takes calls. The caller holds mu.
func (t *transaction) usable() error {
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

func (t *transaction) isOver() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over
}

// end lets no call begin any more and returns why the transaction is spoiled.
func (t *transaction) end() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	return t.spoiled
}

// savepoint returns a function that takes everything back to here, failures
// included; one that does nothing where none is wanted.
func (t *transaction) savepoint(wanted bool) (rollback func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(); err != nil || !wanted {
		return func() {}, err
	}
	saved := make(map[any]shadow, len(t.tables))
	for r, s := range t.tables {
		saved[r] = s.again()
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.tables, t.spoiled = saved, nil
	}, nil
}

// failure is why the transaction is spoiled, nil when it is not.
func (t *transaction) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.spoiled
}
