package memrepo

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// InTx calls fn in a transaction of the repository's DB; see repo.Transactor.
// It is the only one that writes, from its beginning to its end, so fn runs
// once and never meets a conflict. Others read what was committed before it.
// fn must not write with another context than its own: that would wait for the
// transaction that it is part of.
//
// As on databases, a call that fails in it spoils it: one that breaks a unique
// constraint, and a list of which an element was refused. Later calls return
// repo.ErrRolledBack then, and so does InTx when fn returns nil. A nested InTx
// that fails does the same, but under repo.WithSavepoint, which takes back what
// the nested one has done. When fn has returned, its context takes no call any
// more: they return repo.ErrInTx. Entities keep the keys, times and versions
// that they got from saves which were rolled back.
func (r *Repository[T]) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if fn == nil {
		return wrap("transaction", fmt.Errorf("%w: nil function", repo.ErrInvalid))
	}
	ctx, savepoint := driver.TakeSavepoint(ctx)
	switch r.TxState(ctx) {
	case driver.TxForeign:
		return wrap("transaction", repo.ErrInTx)
	case driver.TxJoined:
		return r.nest(ctx, savepoint, func(ctx context.Context) error {
			if err := driver.Ended(ctx); err != nil {
				return wrap("transaction", err) // which spoils the one around it
			}
			return fn(ctx)
		})
	case driver.TxNone:
	}
	if err := driver.Ended(ctx); err != nil {
		return wrap("transaction", err)
	}
	err := r.begin(ctx, fn)
	if own, ok := errors.AsType[*fnError](err); ok {
		return own.err
	}
	return wrap("transaction", err)
}

// nest calls fn in the transaction that ctx carries.
func (r *Repository[T]) nest(ctx context.Context, savepoint bool, fn func(ctx context.Context) error) error {
	t := r.transaction(ctx)
	rollback, err := t.savepoint(savepoint)
	if err != nil {
		return wrap("transaction", err)
	}
	failed := func(err error) {
		if savepoint {
			rollback()
		} else {
			t.spoil(err)
		}
	}
	finished := false
	defer func() {
		if !finished {
			failed(errors.New("the function of a nested transaction panicked"))
		}
	}()
	err = fn(ctx)
	finished = true
	if err == nil && savepoint { // what is spoiled cannot be kept
		if cause := t.failure(); cause != nil {
			err = wrap("transaction", fmt.Errorf("%w: %w", repo.ErrRolledBack, cause))
		}
	}
	if err != nil {
		failed(err)
	}
	return err
}

func (r *Repository[T]) begin(ctx context.Context, fn func(ctx context.Context) error) error {
	if err := r.db.begin(ctx); err != nil {
		return err
	}
	defer r.db.end()
	t := &transaction{tables: map[any]shadow{}}
	defer func() { _ = t.end() }() // fn may panic
	ctx = driver.WithTx(ctx, driver.Tx{Store: r.db, Handle: t})
	if _, fenced := driver.FenceFrom(ctx); fenced {
		_, unlock, err := r.toRead(ctx)
		if err != nil {
			return err
		}
		unlock()
	}
	if err := fn(ctx); err != nil {
		return &fnError{err}
	}
	err := t.end()
	if err == nil {
		err = driver.Ended(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", repo.ErrRolledBack, err)
	}
	r.db.mu.Lock()
	defer r.db.mu.Unlock()
	for _, s := range t.tables {
		s.commit()
	}
	return nil
}
