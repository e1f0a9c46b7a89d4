package gormrepo

import (
	"context"
	"database/sql"
	"fmt"

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
// whether it happened, unless the transaction showed the claims of a fence: those
// of ctx come first, before fn is called. Entities keep the keys, times and versions that they got
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
	err := r.begin(ctx, true, func(tx *gorm.DB, state *txState) error {
		handle := tx.Set(txStateKey, state).Session(&gorm.Session{})
		failure = fn(repo.WithTx(ctx, repo.Tx{Store: r.store, Handle: handle}))
		if failure != nil {
			return failure
		}
		if err := state.spoiled(); err != nil {
			return fmt.Errorf("rolled back, because a call had failed halfway: %w", err)
		}
		return nil
	})
	if failure != nil {
		return failure // the caller's own, untouched
	}
	return r.failed(ctx, "transaction", err)
}

// begin runs fn in a transaction of its own, which begins with the claims of the
// fence in ctx.
func (r *Repository[T]) begin(ctx context.Context, writes bool, fn func(tx *gorm.DB, state *txState) error) error {
	f, fenced := repo.FenceFrom(ctx)
	if !fenced {
		return r.transact(ctx, nil, fn)
	}
	return r.show(ctx, f, writes, func(s showing) error { return r.transact(ctx, &s, fn) })
}

// transact makes one attempt at a transaction. s is what it shows, nil without a
// fence.
func (r *Repository[T]) transact(ctx context.Context, s *showing, fn func(tx *gorm.DB, state *txState) error) error {
	tx := r.open(ctx, s != nil)
	if tx.Error != nil {
		return tx.Error
	}
	finished := false
	defer func() {
		if !finished { // something failed or panicked
			tx.Rollback()
		}
	}()
	state := &txState{}
	if s != nil {
		if err := r.fence.raise(ctx, unprepared(tx.Statement.ConnPool), *s, false); err != nil {
			return err
		}
		state.shown(*s)
		if s.guard.key != "" {
			state.sawGuard(s.resource) // the claim of its key said so
		}
	}
	if err := fn(tx, state); err != nil {
		return err
	}
	finished = true
	err := tx.Commit().Error
	if op := state.operation(); err != nil && op != "" {
		return r.settle(ctx, op, err)
	}
	return err
}

// open begins a transaction, one with limits when it is fenced.
func (r *Repository[T]) open(ctx context.Context, fenced bool) *gorm.DB {
	tx := r.session(ctx, r.db.Statement.ConnPool)
	pool, ok := r.store.(*sql.DB)
	if !fenced || !ok || r.dialect.name != mysql || r.fence.limit == 0 {
		return tx.Begin(txOptions(r.dialect)...)
	}
	limited, err := beginLimited(ctx, pool, r.fence.limit)
	if err != nil {
		_ = tx.AddError(err)
		return tx
	}
	tx.Statement.ConnPool = limited
	return tx
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

// read runs fn on the connection that reads under ctx: in the transaction of
// ctx, or, when ctx carries a fence, in one that shows its claims. fn may run
// more than once then.
func (r *Repository[T]) read(ctx context.Context, fn func(tx *gorm.DB) error) error {
	_, fenced := repo.FenceFrom(ctx)
	switch {
	case !fenced:
		return fn(r.session(ctx, r.pool(ctx)))
	case r.foreign:
		return errForeignFence()
	case r.TxState(ctx) == repo.TxJoined:
		if err := r.join(ctx); err != nil {
			return err
		}
		return fn(r.session(ctx, r.pool(ctx)))
	}
	return r.repeat(ctx, func(*call) error {
		return r.begin(ctx, false, func(tx *gorm.DB, _ *txState) error {
			return fn(r.session(ctx, tx.Statement.ConnPool))
		})
	})
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
	// once tells that the only statement is the transaction.
	once bool
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
// that could fail. A transaction around it would only cost round trips, but
// under a fence.
func (r *Repository[T]) writeOnce(ctx context.Context, fn func(*call) error) error {
	if _, fenced := repo.FenceFrom(ctx); fenced || r.TxState(ctx) != repo.TxNone {
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
			return r.begin(ctx, true, func(tx *gorm.DB, _ *txState) error {
				c.tx = r.session(ctx, unprepared(tx.Statement.ConnPool))
				return fn(c)
			})
		})
	}
	state := stateIn(ctx)
	if err := state.spoiled(); err != nil {
		return fmt.Errorf("a call failed halfway before in this transaction: %w", err)
	}
	if err := r.join(ctx); err != nil {
		return err
	}
	c := &call{tx: r.session(ctx, unprepared(r.pool(ctx))), joined: true}
	err := fn(c)
	if err != nil && (c.wrote || isDeadlock(err)) {
		// MySQL has rolled back all of it then, and would commit each further
		// statement by itself.
		state.spoil(err)
	}
	return err
}
