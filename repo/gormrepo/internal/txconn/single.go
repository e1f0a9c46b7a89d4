package txconn

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// Single is a connection for one statement that is a transaction by itself. It takes
// no other one.
type Single struct {
	gorm.ConnPool
	Passages
	// conn is nil where the pool is none of database/sql.
	conn *sql.Conn
	// begins is how the statement begins, and params how many parameters it may have.
	begins string
	params int
	// err is the error of the statement, before GORM may have translated it.
	err error
}

// NewSingle takes a connection from pool. database/sql would send the statement again
// on another one when a driver says that the first was bad, and it must not be sent
// twice. Close gives the connection back.
func NewSingle(ctx context.Context, pool gorm.ConnPool, begins string, params int) (*Single, error) {
	s := &Single{ConnPool: pool, begins: begins, params: params}
	db, ok := pool.(*sql.DB)
	if !ok {
		return s, nil
	}
	var conn *sql.Conn
	end, err := Connecting(ctx, func(ctx context.Context) (err error) {
		conn, err = db.Conn(ctx)
		return err
	})
	end() // the context is for getting it
	if err != nil {
		if conn != nil {
			_ = conn.Close()
		}
		return nil, err
	}
	s.ConnPool, s.conn = conn, conn
	return s, nil
}

// Close gives the connection back. After a failure a compound statement is rolled back
// before: its parts are no transaction of the server's own.
func (s *Single) Close(ctx context.Context, failed bool) {
	switch {
	case s.conn == nil:
	case failed && s.Ran() && s.begins == AroundBegins:
		_ = undoMySQL(ctx, s.conn)
	default:
		_ = s.conn.Close()
	}
}

// Err is the error of the statement, as the driver had it.
func (s *Single) Err() error { return s.err }

// ExecContext runs a statement that returns nothing.
func (s *Single) ExecContext(ctx context.Context, text string, args ...any) (res sql.Result, err error) {
	if err = s.admit(text, args); err == nil {
		res, err = s.ConnPool.ExecContext(ctx, text, args...)
	}
	s.err = err
	return res, err
}

// QueryContext runs a statement that returns rows.
func (s *Single) QueryContext(ctx context.Context, text string, args ...any) (rows *sql.Rows, err error) {
	if err = s.admit(text, args); err == nil {
		rows, err = s.ConnPool.QueryContext(ctx, text, args...)
	}
	s.err = err
	return rows, err
}

func (s *Single) admit(text string, args []any) error {
	if s.Ran() || !strings.HasPrefix(text, s.begins) {
		return fmt.Errorf("%w: %.20q on the connection of another statement", repo.ErrUnsupported, text)
	}
	if len(args) > s.params {
		return dberr.TooMany(fmt.Errorf("%d parameters of rows and claims", len(args)))
	}
	s.passed()
	return nil
}

// PrepareContext refuses: what a prepared statement does cannot be seen here.
func (*Single) PrepareContext(context.Context, string) (*sql.Stmt, error) {
	return nil, fmt.Errorf("%w: prepared statements on a connection for one statement", repo.ErrUnsupported)
}

// QueryRowContext refuses, by the error of a context that has ended: sql.Row has no
// other.
func (s *Single) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	refused, cancel := context.WithCancelCause(ctx)
	cancel(errors.New("gormrepo: one row on a connection for one statement"))
	return s.ConnPool.QueryRowContext(refused, text, args...)
}

// Commit and Rollback make GORM and its plugins take it for a transaction, which
// plugins for replicas leave where it is.
func (*Single) Commit() error { return errSingle() }

// Rollback is not reached either.
func (*Single) Rollback() error { return errSingle() }

func errSingle() error {
	return fmt.Errorf("%w: a statement that is a transaction by itself", repo.ErrInTx)
}
