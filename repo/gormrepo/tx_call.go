package gormrepo

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

// read runs fn on the connection that reads under ctx: in the transaction of
// ctx, or, when ctx carries a fence, in one that shows its claims. fn may run
// more than once then.
func (r *store) read(ctx context.Context, fn func(tx *gorm.DB) error) error {
	_, fenced := driver.FenceFrom(ctx)
	switch {
	case !fenced:
		if r.TxState(ctx) == driver.TxNone {
			if err := r.awaitConn(ctx); err != nil {
				return err
			}
		}
		return fn(r.session(ctx, r.pool(ctx)))
	case r.foreign:
		return errForeignFence()
	case r.TxState(ctx) == driver.TxJoined:
		if err := r.join(ctx); err != nil {
			return err
		}
		return fn(r.session(ctx, r.pool(ctx)))
	}
	return r.repeat(ctx, func(*call) error {
		return r.begin(ctx, txReads, func(tx *gorm.DB, _ *txState) error {
			return fn(tx)
		})
	})
}

// checkTx refuses to write where the write would silently stay outside of the
// transaction that ctx carries.
func (r *store) checkTx(ctx context.Context) error {
	if _, ok := driver.TxFrom(ctx); ok && r.TxState(ctx) == driver.TxForeign {
		return fmt.Errorf("%w: the context carries the transaction of another database", repo.ErrInTx)
	}
	return nil
}

// writeOnce runs fn, which writes by one statement and does nothing after it
// that could fail. A transaction around it would only cost round trips, but
// under a fence.
func (r *store) writeOnce(ctx context.Context, fn func(*call) error) error {
	if _, fenced := driver.FenceFrom(ctx); fenced || r.TxState(ctx) != driver.TxNone {
		return r.write(ctx, fn)
	}
	return r.repeat(ctx, func(c *call) error {
		if err := r.awaitConn(ctx); err != nil {
			return err
		}
		c.tx = r.session(ctx, r.plainPool())
		return fn(c)
	})
}

// write runs fn in the transaction of ctx, in the one that the repository was
// made on, or in one of its own. fn may run more than once in its own.
func (r *store) write(ctx context.Context, fn func(*call) error) error {
	if err := r.checkTx(ctx); err != nil {
		return err
	}
	if r.TxState(ctx) == driver.TxNone {
		return r.repeat(ctx, func(c *call) error {
			return r.begin(ctx, txWrites, func(tx *gorm.DB, _ *txState) error {
				c.tx = tx
				return fn(c)
			})
		})
	}
	state := stateIn(ctx)
	if err := state.spoiled(); err != nil {
		return fmt.Errorf("%w, or will be: an earlier call in it failed: %w", repo.ErrRolledBack, err)
	}
	if err := r.join(ctx); err != nil {
		return err
	}
	c := &call{tx: r.session(ctx, txconn.Unprepared(r.pool(ctx))), joined: true}
	if _, fenced := driver.FenceFrom(ctx); fenced {
		if err := r.checkPlugins(c.tx, c.tx.Statement.ConnPool); err != nil {
			return err
		}
	}
	err := fn(c)
	if err != nil && c.wrote {
		state.spoil(err)
	}
	return err
}
