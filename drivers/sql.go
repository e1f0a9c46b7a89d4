package drivers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/stdlib"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"
)

// OpenSQL opens a pool of connections to PostgreSQL, MySQL, MariaDB or SQLite,
// set up as the repositories need it, and waits until a first connection works.
//
// On MySQL and MariaDB clientFoundRows and parseTime are always on. On SQLite
// the journal is a write-ahead log, writers wait for each other up to ten
// seconds, transactions take the write lock when they begin, foreign keys are
// enforced and times are kept in UTC; a parameter in the DSN changes each of
// these. An in-memory SQLite database gets a pool of one connection, so a
// statement outside a transaction waits until the transaction ends.
//
// It returns an error that matches [ErrInvalid] when the configuration is
// wrong, the folder of a SQLite file that is not there included, one that
// matches [ErrAuthentication] when the server refuses the login or a certificate
// is refused, and one that matches [ErrUnavailable] when no connection was
// possible within DialTimeout or before ctx ended. All but the first name the
// server. Nothing is left open then. Close the pool by the Close method of its DB().
func OpenSQL(ctx context.Context, c SQLConfig) (*gorm.DB, error) {
	var p problems
	t := c.validate(&p)
	if err := p.err(); err != nil {
		return nil, fmt.Errorf("drivers: open sql: %w", err)
	}
	limit := orDefault(c.DialTimeout, DefaultDialTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v: %w", limit, context.DeadlineExceeded))
	defer cancel()

	if err := t.prepareMySQL(ctx); err != nil {
		return nil, t.failed(err)
	}
	pool, dialector, err := t.pool()
	if err != nil {
		return nil, t.failed(err)
	}
	if err := ping(ctx, pool); err != nil {
		return nil, t.failed(errors.Join(err, pool.Close()))
	}
	db, err := gorm.Open(dialector, &gorm.Config{
		Logger:               gormLogger(c.Logger),
		DisableAutomaticPing: true, // done above, where it has a limit
		NamingStrategy:       namer(c.Naming, t.dialect),
	})
	if err != nil {
		return nil, t.failed(errors.Join(err, pool.Close()))
	}
	c.size(pool, t)
	return db, nil
}

// pool makes the pool and the GORM dialect on top of it. It does no I/O.
func (t sqlTarget) pool() (*sql.DB, gorm.Dialector, error) {
	switch t.dialect {
	case Postgres:
		pool := sql.OpenDB(withInit(stdlib.GetConnector(*t.pg), t.init))
		return pool, postgres.New(postgres.Config{Conn: pool}), nil
	case MySQL:
		connector, err := mysql.NewConnector(t.my)
		if err != nil {
			return nil, nil, err
		}
		pool := sql.OpenDB(withInit(connector, t.init))
		return pool, gormmysql.New(gormmysql.Config{Conn: pool}), nil
	default:
		pool, err := sql.Open("sqlite", t.lite)
		if err != nil {
			return nil, nil, err
		}
		if len(t.init) > 0 {
			pool = sql.OpenDB(withInit(dsnConnector{pool.Driver(), t.lite}, t.init)) // the first has no connection yet
		}
		if t.memory {
			pool.SetMaxOpenConns(1) // before the ping: a second connection is a second database
		}
		return pool, gormsqlite.New(gormsqlite.Config{Conn: pool, DriverName: "sqlite"}), nil
	}
}

func (c SQLConfig) size(pool *sql.DB, t sqlTarget) {
	size, life, idle := DefaultMaxOpenConns, DefaultConnMaxLifetime, DefaultConnMaxIdleTime
	if t.dialect == SQLite {
		size = DefaultSQLiteMaxOpenConns
	}
	size = orDefault(c.MaxOpenConns, size)
	life, idle = orDefault(c.ConnMaxLifetime, life), orDefault(c.ConnMaxIdleTime, idle)
	idleSize := min(orDefault(c.MaxIdleConns, size), size)
	if t.memory {
		// The database ends with its connection.
		size, idleSize, life, idle = 1, 1, 0, 0
	}
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(idleSize)
	pool.SetConnMaxLifetime(life)
	pool.SetConnMaxIdleTime(idle)
}

// ping opens the first connection. SQLite refuses the switch to WAL without
// waiting when several processes make it at the same time, as pods that start
// together do, so that is tried again.
func ping(ctx context.Context, pool *sql.DB) error {
	const pause = 10 * time.Millisecond
	for {
		err := pool.PingContext(ctx)
		if err == nil {
			return nil
		}
		var busy *sqlite.Error
		if !errors.As(err, &busy) || busy.Code()&0xff != sqlitelib.SQLITE_BUSY {
			if cause := context.Cause(ctx); cause != nil {
				return fmt.Errorf("%w: %w", cause, err)
			}
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}

func (t sqlTarget) failed(err error) error {
	kind := openError(err)
	if errors.Is(err, ErrInvalid) {
		kind = ErrInvalid
	}
	if folder := t.missingFolder(); folder != "" {
		kind, err = ErrInvalid, fmt.Errorf("the folder %s does not exist: %w", folder, err)
	}
	return fmt.Errorf("drivers: open sql: %s: %w: %w", t.where, kind, scrub(err, t.secrets...))
}

// gormLogger keeps the values of statements out of the log: they are the users'
// data.
func gormLogger(l *slog.Logger) logger.Interface {
	if l == nil {
		return logger.Discard
	}
	return logger.NewSlogLogger(l, logger.Config{
		SlowThreshold:             200 * time.Millisecond,
		IgnoreRecordNotFoundError: true,
		ParameterizedQueries:      true,
		LogLevel:                  logger.Warn,
	})
}
