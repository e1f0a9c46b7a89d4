package gormrepo

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"

	"gorm.io/gorm"
)

// limitedTx is a transaction of MySQL or MariaDB with the limits of a fence.
// They are settings of the session, so the connection is given back to the pool
// only when they are as they were.
type limitedTx struct {
	gorm.ConnPool
	conn   *sql.Conn
	ctx    context.Context //nolint:containedctx // Commit has no argument for it
	commit string
}

func beginLimited(ctx context.Context, pool *sql.DB, limit time.Duration) (*limitedTx, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	begin, commit := mysqlLimits(limit)
	t := &limitedTx{ConnPool: conn, conn: conn, ctx: ctx, commit: commit}
	if _, err := conn.ExecContext(ctx, begin); err != nil {
		t.discard()
		return nil, err
	}
	return t, nil
}

// Commit commits and puts the settings back.
func (t *limitedTx) Commit() error {
	if _, err := t.conn.ExecContext(t.ctx, t.commit); err != nil {
		t.discard()
		return err
	}
	return t.conn.Close()
}

// restoreLimit bounds how long a connection is worth being given back.
const restoreLimit = 5 * time.Second

// Rollback rolls back and puts the settings back.
func (t *limitedTx) Rollback() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), restoreLimit)
	defer cancel()
	for _, s := range []string{"ROLLBACK", t.commit} {
		if _, err := t.conn.ExecContext(ctx, s); err != nil {
			t.discard()
			return err
		}
	}
	return t.conn.Close()
}

// discard closes the connection, which rolls back.
func (t *limitedTx) discard() {
	_ = t.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = t.conn.Close()
}
