package memrepo

import (
	"context"
	"fmt"
	"slices"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// toRead returns the table that a call with ctx reads, locked. With a fence it
// locks as for writing, because showing a claim stores it.
func (r *Repository[T]) toRead(ctx context.Context) (t *table[T], unlock func(), err error) {
	tx, err := r.joined(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	_, fenced := driver.FenceFrom(ctx)
	// The claims of another database's transaction are of the locks of others.
	if tx != nil || fenced && r.TxState(ctx) == driver.TxNone {
		return r.toWrite(ctx)
	}
	r.db.mu.RLock()
	return r.table, r.db.mu.RUnlock, nil
}

// toWrite returns the table that a call with ctx writes, locked, after it has
// shown the claims. When one is refused it stores none of them and leaves the
// table unlocked.
func (r *Repository[T]) toWrite(ctx context.Context) (t *table[T], unlock func(), err error) {
	tx, err := r.joined(ctx, true)
	if err != nil {
		return nil, nil, err
	}
	if tx != nil {
		t, unlock, err = r.shadowIn(tx)
	} else {
		t, unlock, err = r.alone(ctx)
	}
	if err != nil {
		return nil, nil, err
	}
	if err := r.show(ctx, t); err != nil {
		unlock()
		return nil, nil, err
	}
	return t, unlock, nil
}

// joined is the transaction that a call with ctx is part of, nil for none. One
// that writes would silently stay outside of another database's.
func (r *Repository[T]) joined(ctx context.Context, writes bool) (*transaction, error) {
	if tx, ok := driver.TxFrom(ctx); !ok || tx.Store == nil {
		return nil, nil
	}
	tx := r.transaction(ctx)
	if tx == nil && writes {
		return nil, fmt.Errorf("%w: the context carries the transaction of another database", repo.ErrInTx)
	}
	return tx, nil
}

// alone locks the table for a call without a transaction.
func (r *Repository[T]) alone(ctx context.Context) (*table[T], func(), error) {
	if err := r.db.begin(ctx); err != nil {
		return nil, nil, err
	}
	r.db.mu.Lock()
	return r.table, func() {
		r.db.mu.Unlock()
		r.db.end()
	}, nil
}

// shadowIn locks the copy of the table that the transaction works on.
func (r *Repository[T]) shadowIn(tx *transaction) (*table[T], func(), error) {
	tx.mu.Lock()
	if err := tx.usable(); err != nil {
		tx.mu.Unlock()
		return nil, nil, err
	}
	s, ok := tx.tables[r.table].(shadowOf[T])
	if !ok {
		r.db.mu.RLock()
		s = shadowOf[T]{r.table, r.table.copied()}
		r.db.mu.RUnlock()
		tx.tables[r.table] = s
	}
	return s.table, tx.mu.Unlock, nil
}

// show draws the claims under the lock, so that of two calls under one hold the
// later one has the later claims.
func (r *Repository[T]) show(ctx context.Context, t *table[T]) error {
	f, fenced := driver.FenceFrom(ctx)
	if !fenced {
		return nil
	}
	claims := f.Claims()
	keys := driver.GuardKeys(f, claims)
	if t.guard != "" && len(keys) > 0 && !slices.Contains(keys, t.guard) {
		return &repo.WrongKeyError{Resource: r.ent.Type.String(), Registered: t.guard, Presented: keys}
	}
	if err := t.claim(claims); err != nil {
		return err
	}
	if t.guard == "" && len(keys) > 0 {
		t.guard = keys[0]
	}
	return nil
}
