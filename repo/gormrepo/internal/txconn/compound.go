package txconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"
)

// Around makes of one statement, which stands between begin and end, a compound statement
// of MariaDB that is a transaction by itself. It has the limits of BeginMySQL, and the
// steps run before the statement and after it. After an error the transaction may be open;
// see Single.Close.
func Around(limit time.Duration, before, after []Step) (begin, end string) {
	before = append([]Step{{Text: mysqlBegin(limit)}, {Text: "SAVEPOINT " + mysqlMark}}, before...)
	after = append(after, Step{Text: "RELEASE SAVEPOINT " + mysqlMark}, Step{Text: mysqlEnd})
	return compoundBegins + joined(before), "; " + joined(after) + "END"
}

// AroundBegins is how such a statement begins.
const AroundBegins = compoundBegins + mysqlBegins

// undoMySQL rolls back what a compound statement has left open, and restores the settings
// of its connection. Without an answer the connection is closed, which rolls back.
func undoMySQL(ctx context.Context, conn *sql.Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), RestoreLimit)
	defer cancel()
	for _, text := range []string{"ROLLBACK", mysqlEnd} {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			discard(conn)
			return err
		}
	}
	return conn.Close()
}

// discard closes a connection instead of giving it back to its pool.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = conn.Close()
}
