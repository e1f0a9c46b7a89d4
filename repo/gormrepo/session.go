package gormrepo

import (
	"context"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

// storeOf identifies the database behind db, of a transaction too.
func storeOf(db *gorm.DB) any {
	if pool, err := db.DB(); err == nil && pool != nil {
		return pool
	}
	return db.ConnPool
}

func isTx(db *gorm.DB) bool {
	_, ok := db.Statement.ConnPool.(gorm.TxCommitter)
	return ok
}

// TxState says in which transaction a call with ctx would run. It is
// TxForeign when ctx carries a transaction of another database, and always when
// the repository was made on a transaction.
func (r *store) TxState(ctx context.Context) driver.TxState {
	if r.foreign {
		return driver.TxForeign
	}
	tx, ok := driver.TxFrom(ctx)
	if !ok {
		return driver.TxNone
	}
	if _, ours := tx.Handle.(*gorm.DB); !ours || tx.Store != r.database {
		return driver.TxForeign
	}
	return driver.TxJoined
}

// session is a fresh handle for one call on the given connection. It is made
// from the repository's own handle, because the one in a context may come from
// a repository with another naming strategy.
func (r *store) session(ctx context.Context, pool gorm.ConnPool) *gorm.DB {
	opts := &gorm.Session{NewDB: true, Context: ctx, SkipDefaultTransaction: true}
	if c, ok := pool.(txconn.Counter); ok {
		opts.Logger = txconn.Reporter(r.db.Logger, c)
	}
	tx := r.db.Session(opts)
	tx.Statement.ConnPool = pool
	return tx
}

// pool is the connection that a call with ctx uses.
func (r *store) pool(ctx context.Context) gorm.ConnPool {
	if r.TxState(ctx) == driver.TxJoined {
		tx, _ := driver.TxFrom(ctx)
		if handle, ok := tx.Handle.(*gorm.DB); ok {
			return handle.Statement.ConnPool
		}
	}
	return r.db.Statement.ConnPool
}

// plainPool is the connection that a call uses outside of transactions, for statements
// that are not to be prepared.
func (r *store) plainPool() gorm.ConnPool { return txconn.Unprepared(r.db.Statement.ConnPool) }

// awaitConn waits until there is a connection for a statement outside of a transaction.
func (r *store) awaitConn(ctx context.Context) error {
	if r.foreign {
		return nil
	}
	return txconn.Await(ctx, r.database)
}
