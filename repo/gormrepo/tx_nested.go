package gormrepo

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

// errPanicked is why a transaction is spoiled in which a function panicked.
var errPanicked = errors.New("a nested transaction panicked")

// nest runs fn in the transaction that ctx carries.
func (r *store) nest(ctx context.Context, savepoint bool, fn func(context.Context) error) error {
	state := stateIn(ctx)
	if savepoint {
		return r.nestSaved(ctx, state, fn)
	}
	err := errPanicked
	defer func() {
		if err != nil {
			state.spoil(fmt.Errorf("a nested transaction failed: %w", err))
		}
	}()
	if ended := driver.Ended(ctx); ended != nil {
		err = fmt.Errorf("gormrepo: transaction: %w", ended)
		return err
	}
	err = fn(ctx)
	return err
}

// nestSaved runs fn behind a savepoint, and goes back to it when fn fails.
func (r *store) nestSaved(ctx context.Context, state *txState, fn func(context.Context) error) (err error) {
	pool, mark := r.pool(ctx), state.mark()
	if _, err := pool.ExecContext(ctx, "SAVEPOINT "+mark.savepoint); err != nil {
		return fmt.Errorf("gormrepo: transaction: savepoint: %w", err)
	}
	panicked := true
	defer func() {
		if !panicked && err == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), txconn.RestoreLimit)
		defer cancel()
		for _, text := range []string{"ROLLBACK TO SAVEPOINT ", "RELEASE SAVEPOINT "} {
			if _, undone := pool.ExecContext(ctx, text+mark.savepoint); undone != nil {
				state.spoil(fmt.Errorf("rolling back to a savepoint: %w", undone))
				return
			}
		}
		state.reset(mark)
	}()
	err = fn(ctx)
	panicked = false
	if err == nil {
		if err = state.spoiled(); err != nil {
			// What failed halfway inside is undone with the rest of it.
			return fmt.Errorf("gormrepo: transaction: %w: a call in it had failed: %w", repo.ErrRolledBack, err)
		}
		if _, err = pool.ExecContext(ctx, "RELEASE SAVEPOINT "+mark.savepoint); err != nil {
			return fmt.Errorf("gormrepo: transaction: savepoint: %w", err)
		}
	}
	return err
}
