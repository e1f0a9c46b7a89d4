package gormrepo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// folded is a connection of PostgreSQL for one INSERT of some rows, or the UPDATE of
// one, which it puts behind the claims: one statement and one round trip for both.
type folded struct {
	gorm.ConnPool
	fence fenceTable
	show  showing
	rows  int
	used  bool
	// params is the number of parameters that a statement may have.
	params int
	passages
	// err is the error of the statement, before GORM may have translated it.
	err error
}

// ExecContext runs a statement that returns nothing.
func (p *folded) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	text, args, err := p.fold(text+" RETURNING 1", args)
	if err != nil {
		return nil, err
	}
	res, err := p.ConnPool.ExecContext(ctx, text, args...)
	p.err = err
	return res, err
}

// QueryContext runs a statement that ends with RETURNING.
func (p *folded) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	text, args, err := p.fold(text, args)
	if err != nil {
		return nil, err
	}
	rows, err := p.ConnPool.QueryContext(ctx, text, args...)
	p.err = err
	return rows, err
}

// Commit and Rollback make GORM and its plugins take it for a transaction, which
// plugins for replicas leave where it is.
func (*folded) Commit() error { return errFolded() }

// Rollback is not reached either.
func (*folded) Rollback() error { return errFolded() }

func errFolded() error {
	return fmt.Errorf("%w: a statement that shows claims is a transaction by itself", repo.ErrInTx)
}

func (p *folded) fold(text string, args []any) (string, []any, error) {
	if p.used || !strings.HasPrefix(text, "INSERT ") && !strings.HasPrefix(text, "UPDATE ") {
		return "", nil, fmt.Errorf("gormrepo: %.20q cannot be put behind claims", text)
	}
	p.used = true
	p.ran.Add(1)
	text, more := p.fence.foldedSQL(p.show, text, len(args)+1, p.rows)
	if len(args)+len(more) > p.params {
		p.err = errTooMany(fmt.Errorf("%d parameters of a row, %d of claims", len(args), len(more)))
		return "", nil, p.err
	}
	return text, append(slices.Clip(args), more...), nil
}

// folds tells whether items are saved by one INSERT of PostgreSQL that neither
// looks for a row nor makes a key: when the answer is lost, a key that the
// database gave could not be told.
func (r *Repository[T]) folds(items []*item[T]) bool {
	if r.dialect.name != postgres || r.hasHooks() || r.opts.Associations || r.opts.Revive || len(items) > r.dialect.rows(len(r.columns)) {
		return false
	}
	ctx := context.Background()
	isNew, left, defaulted := items[0].isNew, r.left(ctx, items[0].val, items[0].isNew), r.defaulted(ctx, items[0])
	if isNew && (len(left) > 0 || len(items[0].explicit) > 0) || !isNew && r.version != nil {
		return false
	}
	for _, it := range items[1:] {
		if it.isNew != isNew || !slices.Equal(r.left(ctx, it.val, isNew), left) ||
			isNew && len(it.explicit) > 0 || !isNew && !slices.Equal(r.defaulted(ctx, it), defaulted) {
			return false
		}
	}
	return true
}

// writeFolded runs fn, which saves items by one INSERT and does nothing else, in
// one statement with the claims of f. When the statement fails because of what
// is in a row, it is done again in a transaction, which finds out which row.
func (r *Repository[T]) writeFolded(ctx context.Context, f driver.Fence, items []*item[T], fn func(*call) error) error {
	err := r.repeat(ctx, func(c *call) error {
		return r.show(ctx, f, true, func(s showing) error { return r.fold(ctx, s, c, items, fn) })
	})
	if len(items) > 1 && (r.blamesRow(err) || errors.Is(err, repo.ErrTooMany)) || sqlState(err) == divisionByZero {
		return r.write(ctx, fn)
	}
	return err
}

// resendError says that a statement has not run, and will not: the connection was
// broken before, as it is after a restart of the database.
type resendError struct{ error }

func (e *resendError) Unwrap() error { return e.error }

// oneConn takes a connection for a statement that must not be sent twice:
// database/sql sends it again on another one when a driver says that the first
// was bad.
func (r *Repository[T]) oneConn(ctx context.Context, plain gorm.ConnPool) (on gorm.ConnPool, giveBack func(), err error) {
	db, ok := plain.(*sql.DB)
	if !ok {
		return plain, func() {}, nil
	}
	var conn *sql.Conn
	end, err := connecting(ctx, func(ctx context.Context) (err error) {
		conn, err = db.Conn(ctx)
		return err
	})
	end() // the context is for getting it
	if err != nil {
		if conn != nil {
			_ = conn.Close()
		}
		return nil, nil, err
	}
	return conn, func() { _ = conn.Close() }, nil
}

func (r *Repository[T]) fold(ctx context.Context, s showing, c *call, items []*item[T], fn func(*call) error) error {
	plain := unprepared(r.db.Statement.ConnPool)
	on, giveBack, err := r.oneConn(ctx, plain)
	if err != nil {
		return err
	}
	pool := &folded{ConnPool: on, fence: r.fence, show: s, rows: len(items), params: r.dialect.params}
	c.tx, c.once = r.session(ctx, pool), true
	err = func() error {
		defer giveBack()
		if err := r.checkPlugins(c.tx, pool); err != nil {
			return err
		}
		return fn(c)
	}()
	if err == nil && !pool.used {
		err = errElsewhere(c.tx)
	}
	if err == nil {
		return nil
	}
	cause := pool.err
	if cause == nil {
		cause = single(err)
	}
	switch {
	case errors.Is(cause, repo.ErrTooMany): // it was not sent
		return cause
	case isNullToken(cause):
		return r.fence.failed(s.claims, r.fence.inspect(ctx, plain, s))
	case isMissingFence(cause), isLockTimeout(cause):
		return r.fence.failed(s.claims, cause)
	case !pool.used || isAnswer(cause):
		return err
	}
	// Also when the driver says that nothing was sent: pgx says so of a lost answer
	// in its simple protocol.
	if err := r.settle(ctx, s.op, cause); err != nil {
		if isUnsent(cause) && !errors.Is(err, repo.ErrUnknown) {
			err = &resendError{err}
		}
		return err
	}
	// What the statement would have returned is read.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleSlack)
	defer cancel()
	c.tx = r.session(ctx, plain)
	back := slices.Concat(r.created, r.left(ctx, items[0].val, items[0].isNew), r.defaulted(ctx, items[0]))
	if err := r.readBack(c, items, back); err != nil {
		return &repo.UnknownError{Op: s.op, Err: fmt.Errorf("it was written, but not read back: %w", err)}
	}
	return nil
}
