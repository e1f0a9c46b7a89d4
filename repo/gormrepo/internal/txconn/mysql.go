package txconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
)

// mysqlSession is a transaction of MySQL or MariaDB that begins by switching
// autocommit off, and a savepoint. When the server rolls it back by itself, later
// statements begin another one, which has no such savepoint and is not committed
// either: autocommit is switched on again only if the savepoint is still there. Its
// settings are those of the session, so the connection goes back to the pool only
// when they are as they were.
type mysqlSession struct {
	gorm.ConnPool
	conn   *sql.Conn
	ctx    context.Context //nolint:containedctx // commit has no argument for it
	server *Server
	pool   *sql.DB
	// begin are the steps that begin the transaction. They are sent with the first others.
	begin []Step
}

// badConnAttempts is how often database/sql itself tries another connection.
const badConnAttempts = 3

// BeginMySQL makes a transaction, which the first call of Together begins. limit bounds its
// waits for locks and the pauses between its statements; zero sets no limit.
func (s *Server) BeginMySQL(ctx context.Context, pool *sql.DB, limit time.Duration) (*Conn, error) {
	session := &mysqlSession{ctx: ctx, server: s, pool: pool, begin: []Step{{Text: mysqlBegin(limit)}, {Text: "SAVEPOINT " + mysqlMark}}}
	if err := session.connect(ctx); err != nil {
		return nil, err
	}
	return &Conn{session: session, dialect: sqltext.MySQL}, nil
}

func (s *mysqlSession) connect(ctx context.Context) error {
	conn, err := s.pool.Conn(ctx)
	if err == nil {
		s.conn, s.ConnPool = conn, conn
	}
	return err
}

// ErrNoMark is the error of a commit that does not find the savepoint.
var ErrNoMark = errRolledBack()

// commit commits and restores the settings.
func (s *mysqlSession) commit(string) error {
	err := s.server.together(s.ctx, s.conn, Step{Text: "RELEASE SAVEPOINT " + mysqlMark}, Step{Text: mysqlEnd})
	if dberr.MySQL(err) == 1305 { // there is none
		return ErrNoMark
	}
	if err != nil {
		return err
	}
	_ = s.conn.Close()
	return nil
}

// together begins the transaction where that was not done. A connection that was broken in
// the pool has not taken the steps, and is replaced.
func (s *mysqlSession) together(ctx context.Context, steps ...Step) error {
	begin := s.begin
	s.begin = nil
	for n := 1; ; n++ {
		err := s.server.together(ctx, s.conn, append(begin, steps...)...)
		if len(begin) == 0 || !errors.Is(err, driver.ErrBadConn) || n == badConnAttempts {
			return err
		}
		discard(s.conn)
		if err := s.connect(ctx); err != nil {
			return err
		}
	}
}

// rollback rolls back and restores the settings.
func (s *mysqlSession) rollback() error {
	return undoMySQL(s.ctx, s.conn)
}

// mysqlMark is the savepoint at the beginning of a transaction.
const mysqlMark = "holdfast_begin"

// mysqlBegin is the statement that begins a transaction, at READ COMMITTED and
// with limits, and notes the settings that it changes. Beginning by autocommit
// saves a round trip, and ending by it commits: so the settings are restored
// without one. Each server runs its own of the comments.
func mysqlBegin(limit time.Duration) string {
	limits := ""
	if limit > 0 {
		limits = fmt.Sprintf(", wait_timeout = %d, innodb_lock_wait_timeout = %[1]d", int64(max(limit, time.Second).Round(time.Second)/time.Second))
	}
	return mysqlBegins + " = @@SESSION.wait_timeout, @holdfast_lock = @@SESSION.innodb_lock_wait_timeout" +
		" /*M! , @holdfast_isolation = @@SESSION.tx_isolation */ /*!80000 , @holdfast_isolation = @@SESSION.transaction_isolation */" +
		", autocommit = 0" + limits +
		" /*M! , @@SESSION.tx_isolation = 'READ-COMMITTED' */ /*!80000 , @@SESSION.transaction_isolation = 'READ-COMMITTED' */"
}

// mysqlBegins is how it begins.
const mysqlBegins = "SET @holdfast_wait"

// mysqlEnd commits what is open, and restores the settings.
const mysqlEnd = "SET autocommit = 1, wait_timeout = @holdfast_wait, innodb_lock_wait_timeout = @holdfast_lock" +
	" /*M! , @@SESSION.tx_isolation = @holdfast_isolation */ /*!80000 , @@SESSION.transaction_isolation = @holdfast_isolation */"
