package txconn

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
)

// Conn is the connection of one transaction. Everything that runs in the
// transaction goes through it: statements of this package, of GORM, of hooks and
// of callers who asked for DB.
//
// It refuses statements once the transaction is over, or may be: a goroutine
// that goes on writing would write outside of it. It remembers errors after which
// the database may have rolled back by itself, so that an error which a caller
// ignores does not become a commit of the rest. And it counts statements, which
// shows when a plugin of GORM sends one elsewhere.
//
// One statement runs at a time. GORM takes it for a transaction that somebody
// else commits.
type Conn struct {
	Passages
	session session
	dialect string

	mu sync.Mutex
	// over is why no statement runs any more: the transaction has ended.
	over bool
	// ended is the error after which the transaction may not be open any more.
	ended error
	// suspect is the context of the last statement, and doubt tells that one
	// failed: SQLite rolls back by itself when it is interrupted.
	suspect context.Context //nolint:containedctx // is looked at before the next statement
	doubt   bool
	// aborted is the error after which PostgreSQL refuses everything until a
	// savepoint is gone back to.
	aborted error
}

// session is what runs the statements of a transaction and ends it.
type session interface {
	gorm.ConnPool
	// commit commits if the query written finds the operation of the transaction,
	// or if it is empty. After an error the transaction has to be rolled back.
	commit(written string) error
	rollback() error
	// together runs steps; see Step.
	together(ctx context.Context, steps ...Step) error
}

var (
	_ gorm.TxCommitter = (*Conn)(nil)
	_ gorm.Tx          = (*Conn)(nil)
)

// errOver is the error of a statement that comes after its transaction.
var errOver = fmt.Errorf("%w: the transaction has ended", repo.ErrInTx)

// Together runs steps one after the other before anything else runs in the transaction, in
// as few round trips as the server allows; see Step.
func (c *Conn) Together(ctx context.Context, steps ...Step) error {
	return c.session.together(ctx, steps...)
}

// ExecContext runs a statement.
func (c *Conn) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(ctx, text); err != nil {
		return nil, err
	}
	res, err := c.session.ExecContext(ctx, text, args...)
	c.note(ctx, err)
	return res, err
}

// QueryContext runs a statement that returns rows.
func (c *Conn) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(ctx, text); err != nil {
		return nil, err
	}
	rows, err := c.session.QueryContext(ctx, text, args...) //nolint:sqlclosecheck // the caller closes them
	c.note(ctx, err)
	return rows, err
}

// QueryRowContext runs a statement that returns a row. A statement that is
// refused returns the error of a context that has ended: sql.Row has no other.
func (c *Conn) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(ctx, text); err != nil {
		refused, cancel := context.WithCancelCause(ctx)
		cancel(err)
		return c.session.QueryRowContext(refused, text, args...)
	}
	row := c.session.QueryRowContext(ctx, text, args...)
	c.note(ctx, row.Err())
	return row
}

// PrepareContext refuses: what a prepared statement does cannot be seen here.
func (*Conn) PrepareContext(context.Context, string) (*sql.Stmt, error) {
	return nil, fmt.Errorf("%w: prepared statements in a transaction of this package", repo.ErrUnsupported)
}

// StmtContext makes conn a gorm.Tx, so that a GORM session with PrepareStmt
// stays in the transaction. It is not reached, because PrepareContext fails.
func (*Conn) StmtContext(context.Context, *sql.Stmt) *sql.Stmt { return nil }

// Commit refuses: the transaction ends with InTx.
func (*Conn) Commit() error {
	return fmt.Errorf("%w: only the InTx that opened the transaction commits it", repo.ErrInTx)
}

// Rollback lets the transaction be rolled back when InTx ends.
func (c *Conn) Rollback() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spoil(errors.New("a function inside of the transaction rolled it back"))
	return nil
}

// admit tells whether a statement may run. c.mu is held.
func (c *Conn) admit(ctx context.Context, text string) error {
	switch {
	case c.over:
		return errOver
	case c.ended != nil:
		return c.rolledBack()
	}
	if err := driver.Ended(ctx); err != nil {
		return err // it would not be sent
	}
	if endsTransaction(text, c.dialect) {
		return fmt.Errorf("%w: %.20q would end a transaction that ends with InTx", repo.ErrInvalid, text)
	}
	if err := c.verify(ctx); err != nil {
		return err
	}
	c.passed()
	return nil
}

// note looks at the result of a statement. c.mu is held.
func (c *Conn) note(ctx context.Context, err error) {
	c.suspect = ctx
	if err == nil {
		c.aborted = nil
		return
	}
	c.doubt = true
	if c.dialect == sqltext.Postgres && c.aborted == nil && dberr.State(err) != "" {
		c.aborted = err
	}
	if dberr.MayEndTx(err, c.dialect) {
		c.spoil(err)
	}
}

func (c *Conn) spoil(err error) {
	if c.ended == nil {
		c.ended = err
	}
}

// verify asks SQLite whether the transaction is still open, when it may have
// rolled back: it does so when a write is interrupted, and where a table or a
// trigger says ROLLBACK. A second BEGIN is an error inside of a transaction.
func (c *Conn) verify(ctx context.Context) error {
	if c.dialect != sqltext.SQLite || !c.doubt && (c.suspect == nil || c.suspect.Err() == nil) {
		return nil
	}
	c.doubt, c.suspect = false, nil
	// Its own context: that of the caller may have ended, which says nothing.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), RestoreLimit)
	defer cancel()
	_, err := c.session.ExecContext(ctx, "BEGIN")
	switch {
	case err == nil:
		_, _ = c.session.ExecContext(ctx, "ROLLBACK")
		c.spoil(errors.New("SQLite rolled the transaction back by itself"))
	case dberr.SQLite(err)&0xff == 1: // SQLITE_ERROR: there is a transaction
		return nil
	default:
		c.spoil(err)
	}
	return c.rolledBack()
}

func (c *Conn) rolledBack() error {
	return fmt.Errorf("%w, or may be: an earlier statement in it failed: %w", repo.ErrRolledBack, c.ended)
}

// Failure is why the transaction cannot be committed, or nil.
func (c *Conn) Failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// End commits, if the query written finds its operation or is empty. With an error it was not committed, or the answer
// was lost. A statement that runs is waited for, and none comes later.
func (c *Conn) End(ctx context.Context, written string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		_ = c.verify(ctx)
	}
	c.over = true
	if c.ended == nil && c.aborted != nil {
		c.ended = c.aborted
	}
	if c.ended != nil {
		_ = c.session.rollback()
		return fmt.Errorf("%w: %w", repo.ErrRolledBack, c.ended)
	}
	err := c.session.commit(written)
	if err != nil {
		_ = c.session.rollback()
	}
	return err
}

// Close rolls back what has not ended.
func (c *Conn) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.over = true
		_ = c.session.rollback()
	}
}

// RestoreLimit bounds how long a connection is worth being given back.
const RestoreLimit = 5 * time.Second
