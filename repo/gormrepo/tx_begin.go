package gormrepo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
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
func (r *Repository[T]) begin(ctx context.Context, kind txKind, fn func(tx *gorm.DB, state *txState) error) error {
	f, fenced := driver.FenceFrom(ctx)
	if !fenced {
		return r.transact(ctx, kind, nil, fn)
	}
	return r.show(ctx, f, kind != txReads, func(s showing) error { return r.transact(ctx, kind, &s, fn) })
}

// transact makes one attempt at a transaction. s is what it shows, nil without a
// fence.
func (r *Repository[T]) transact(ctx context.Context, kind txKind, s *showing, fn func(tx *gorm.DB, state *txState) error) error {
	var c *conn
	end, err := connecting(ctx, func(ctx context.Context) (err error) {
		c, err = r.open(ctx, kind, s != nil)
		return err
	})
	defer end()
	if c != nil {
		defer c.rollback() // unless it was committed; also when fn panics
	}
	if err != nil {
		return err
	}
	tx, state := r.session(ctx, c), &txState{conn: c}
	if s != nil {
		if err := r.fence.raise(ctx, c, *s, false); err != nil {
			return err
		}
		state.shown(*s)
		if s.guard.key != "" {
			state.sawGuard(s.resource) // the claim of its key said so
		}
		if kind != txReads {
			if err := r.checkPlugins(tx, c); err != nil {
				return err
			}
		}
	}
	if err := fn(tx, state); err != nil {
		return err
	}
	op := state.operation()
	err = c.commit(ctx, r.fence.writtenSQL(op))
	if err != nil && op != "" && (errors.Is(err, errNoMark) || !errors.Is(err, repo.ErrRolledBack)) {
		return r.settle(ctx, op, err)
	}
	return err
}

// open begins a transaction. On MySQL one that is fenced, or runs what a caller
// does, must not be taken for committed when the server rolled it back.
func (r *Repository[T]) open(ctx context.Context, kind txKind, fenced bool) (*conn, error) {
	pool, ok := r.store.(*sql.DB)
	if ok && r.dialect.name == mysql && (fenced || kind == txCallers) {
		limit := time.Duration(0)
		if fenced {
			limit = r.fence.limit
		}
		s, err := r.fence.beginMySQL(ctx, pool, limit)
		if err != nil {
			return nil, err
		}
		return newConn(s, mysql), nil
	}
	tx := r.session(ctx, r.db.Statement.ConnPool).Begin(txOptions(r.dialect)...)
	if tx.Error != nil {
		return nil, tx.Error
	}
	begun := unprepared(tx.Statement.ConnPool)
	committer, ok := begun.(gorm.TxCommitter)
	if !ok {
		return nil, fmt.Errorf("%w: transactions on a %T", repo.ErrUnsupported, begun)
	}
	return newConn(&sqlSession{ConnPool: begun, tx: committer, ctx: ctx, dialect: r.dialect.name}, r.dialect.name), nil
}

func txOptions(d dialect) []*sql.TxOptions {
	if d.tx == nil {
		return nil
	}
	return []*sql.TxOptions{d.tx}
}
