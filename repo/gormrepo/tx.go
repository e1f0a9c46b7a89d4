package gormrepo

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
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
func (r *Repository[T]) TxState(ctx context.Context) repo.TxState {
	if r.foreign {
		return repo.TxForeign
	}
	tx, ok := repo.TxFrom(ctx)
	if !ok {
		return repo.TxNone
	}
	if _, ours := tx.Handle.(*gorm.DB); !ours || tx.Store != r.store {
		return repo.TxForeign
	}
	return repo.TxJoined
}

// InTx calls fn with a context that carries a transaction; see
// repo.Transactor. It runs at READ COMMITTED on PostgreSQL and MySQL. There are
// no savepoints: when a method that writes fails inside fn after it has
// written a part, the transaction can only be rolled back, and InTx returns the
// method's error even when fn did not. When the commit fails it is unknown
// whether it happened. Entities keep the keys, times and versions that they got
// from saves which were rolled back.
func (r *Repository[T]) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if fn == nil {
		return fmt.Errorf("gormrepo: transaction: %w: nil function", repo.ErrInvalid)
	}
	if err := done(ctx); err != nil {
		return fmt.Errorf("gormrepo: transaction: %w", err)
	}
	switch r.TxState(ctx) {
	case repo.TxForeign:
		return fmt.Errorf("gormrepo: transaction: %w", repo.ErrInTx)
	case repo.TxJoined:
		return fn(ctx)
	case repo.TxNone:
	}
	var failure error
	err := r.begin(ctx, func(tx *gorm.DB) error {
		mark := &spoiled{}
		handle := tx.Set(spoiledKey, mark).Session(&gorm.Session{})
		failure = fn(repo.WithTx(ctx, repo.Tx{Store: r.store, Handle: handle}))
		if failure != nil {
			return failure
		}
		if err := mark.get(); err != nil {
			return fmt.Errorf("rolled back, because a write had failed halfway: %w", err)
		}
		return nil
	})
	if failure != nil {
		return failure // the caller's own, untouched
	}
	return r.failed(ctx, "transaction", err)
}

// spoiled is set when a call failed after it had written a part.
type spoiled struct {
	mu  sync.Mutex
	err error
}

const spoiledKey = "holdfast:spoiled"

func (s *spoiled) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

func (s *spoiled) get() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// begin runs fn in a transaction of its own.
func (r *Repository[T]) begin(ctx context.Context, fn func(tx *gorm.DB) error) error {
	tx := r.session(ctx, r.db.Statement.ConnPool).Begin(txOptions(r.dialect)...)
	if tx.Error != nil {
		return tx.Error
	}
	finished := false
	defer func() {
		if !finished { // fn failed or panicked
			tx.Rollback()
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	finished = true
	return tx.Commit().Error
}

func txOptions(d dialect) []*sql.TxOptions {
	if d.tx == nil {
		return nil
	}
	return []*sql.TxOptions{d.tx}
}

// session is a fresh handle for one call on the given connection. It is made
// from the repository's own handle, because the one in a context may come from
// a repository with another naming strategy.
func (r *Repository[T]) session(ctx context.Context, pool gorm.ConnPool) *gorm.DB {
	tx := r.db.Session(&gorm.Session{NewDB: true, Context: ctx, SkipDefaultTransaction: true})
	tx.Statement.ConnPool = pool
	return tx
}

// unprepared is the connection below a cache of prepared statements: each
// number of rows or ids makes another text, and a cache would keep them all.
func unprepared(pool gorm.ConnPool) gorm.ConnPool {
	switch p := pool.(type) {
	case *gorm.PreparedStmtDB:
		return p.ConnPool
	case *gorm.PreparedStmtTX:
		return p.Tx
	default:
		return pool
	}
}

// pool is the connection that a call with ctx uses.
func (r *Repository[T]) pool(ctx context.Context) gorm.ConnPool {
	if r.TxState(ctx) == repo.TxJoined {
		tx, _ := repo.TxFrom(ctx)
		if handle, ok := tx.Handle.(*gorm.DB); ok {
			return handle.Statement.ConnPool
		}
	}
	return r.db.Statement.ConnPool
}

// reader is the handle for reading.
func (r *Repository[T]) reader(ctx context.Context) *gorm.DB { return r.session(ctx, r.pool(ctx)) }

// listReader is the handle for statements whose text depends on the length of a
// list.
func (r *Repository[T]) listReader(ctx context.Context) *gorm.DB {
	return r.session(ctx, unprepared(r.pool(ctx)))
}

// call is one call that writes.
type call struct {
	tx *gorm.DB
	// joined tells that tx goes on after the call.
	joined bool
	// wrote is set after each statement that changed something.
	wrote bool
	// raced tells that a unique index refused an upsert, which PostgreSQL does
	// also when the row of the very same key comes in at the same moment and
	// has another unique value too.
	raced bool
}

// checkTx refuses to write where the write would silently stay outside of the
// transaction that ctx carries.
func (r *Repository[T]) checkTx(ctx context.Context) error {
	if _, ok := repo.TxFrom(ctx); ok && r.TxState(ctx) == repo.TxForeign {
		return fmt.Errorf("%w: the context carries the transaction of another database", repo.ErrInTx)
	}
	return nil
}

// writeOnce runs fn, which writes by one statement and does nothing after it
// that could fail. A transaction around it would only cost round trips.
func (r *Repository[T]) writeOnce(ctx context.Context, fn func(*call) error) error {
	if r.TxState(ctx) != repo.TxNone {
		return r.write(ctx, fn)
	}
	return r.repeat(ctx, func(c *call) error {
		c.tx = r.session(ctx, unprepared(r.db.Statement.ConnPool))
		return fn(c)
	})
}

// write runs fn in the transaction of ctx, in the one that the repository was
// made on, or in one of its own. fn may run more than once in its own.
func (r *Repository[T]) write(ctx context.Context, fn func(*call) error) error {
	if err := r.checkTx(ctx); err != nil {
		return err
	}
	if r.TxState(ctx) == repo.TxNone {
		return r.repeat(ctx, func(c *call) error {
			return r.begin(ctx, func(tx *gorm.DB) error {
				c.tx = r.session(ctx, unprepared(tx.Statement.ConnPool))
				return fn(c)
			})
		})
	}
	mark := markIn(ctx)
	if err := mark.get(); err != nil {
		return fmt.Errorf("a write failed halfway before in this transaction: %w", err)
	}
	c := &call{tx: r.session(ctx, unprepared(r.pool(ctx))), joined: true}
	err := fn(c)
	if err != nil && (c.wrote || isDeadlock(err)) {
		// MySQL has rolled back all of it then, and would commit each further
		// statement by itself.
		mark.set(err)
	}
	return err
}

// markIn is the mark of the transaction in ctx, or one that nobody looks at.
func markIn(ctx context.Context) *spoiled {
	if tx, ok := repo.TxFrom(ctx); ok {
		if handle, ok := tx.Handle.(*gorm.DB); ok {
			if mark, ok := handle.Get(spoiledKey); ok {
				if mark, ok := mark.(*spoiled); ok {
					return mark
				}
			}
		}
	}
	return &spoiled{}
}
