package gormrepo

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/fence"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

// txKind says what a transaction is for.
type txKind int

const (
	// txReads writes nothing.
	txReads txKind = iota
	// txWrites runs statements of this package alone, all of whose errors it
	// sees.
	txWrites
	// txCallers runs what a caller does.
	txCallers
)

// begin runs fn in a transaction of its own, which begins with the claims of the
// fence in ctx.
func (r *store) begin(ctx context.Context, kind txKind, fn func(tx *gorm.DB, state *txState) error) error {
	f, fenced := driver.FenceFrom(ctx)
	if !fenced {
		return r.transact(ctx, kind, nil, fn)
	}
	if err := r.awaitConn(ctx); err != nil {
		return err
	}
	return r.fence.Show(ctx, f, kind != txReads, func(s *fence.Showing) error { return r.transact(ctx, kind, s, fn) })
}

// transact makes one attempt at a transaction. s is what it shows, nil without a
// fence.
func (r *store) transact(ctx context.Context, kind txKind, s *fence.Showing, fn func(tx *gorm.DB, state *txState) error) error {
	var c *txconn.Conn
	end, err := txconn.Connecting(ctx, func(ctx context.Context) (err error) {
		c, err = r.open(ctx, kind, s != nil)
		return err
	})
	defer end()
	if c != nil {
		defer c.Close() // unless it was committed; also when fn panics
	}
	if err != nil {
		return err
	}
	tx, state := r.session(ctx, c), &txState{conn: c}
	if s != nil {
		if err := r.fence.Raise(ctx, c, s); err != nil {
			return err
		}
		state.shown.Begin(s)
		if kind != txReads {
			if err := r.checkPlugins(tx, c); err != nil {
				return err
			}
		}
	}
	if err := fn(tx, state); err != nil {
		return err
	}
	op := state.shown.Op()
	err = c.End(ctx, r.fence.Noted(op))
	if err != nil && op != "" && (errors.Is(err, txconn.ErrNoMark) || !errors.Is(err, repo.ErrRolledBack)) {
		return r.fence.Settle(ctx, op, err)
	}
	return err
}

// open begins a transaction. On MySQL one that is fenced, or runs what a caller
// does, must not be taken for committed when the server rolled it back.
func (r *store) open(ctx context.Context, kind txKind, fenced bool) (*txconn.Conn, error) {
	pool, ok := r.database.(*sql.DB)
	if ok && r.dialect.name == mysql && (fenced || kind == txCallers) {
		limit := time.Duration(0)
		if fenced {
			limit = r.fence.Limit
		}
		c, err := r.server.BeginMySQL(ctx, pool, limit)
		if err == nil && !fenced { // else the claims begin it
			err = c.Together(ctx)
		}
		return c, err
	}
	tx := r.session(ctx, r.db.Statement.ConnPool).Begin(txOptions(r.dialect)...)
	if tx.Error != nil {
		return nil, tx.Error
	}
	return txconn.New(ctx, txconn.Unprepared(tx.Statement.ConnPool), r.dialect.name)
}

func txOptions(d dialect) []*sql.TxOptions {
	if d.tx == nil {
		return nil
	}
	return []*sql.TxOptions{d.tx}
}
