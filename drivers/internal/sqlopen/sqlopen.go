package sqlopen

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/drivers/config"
	"github.com/holdfast-go/holdfast/drivers/internal/openerr"
)

// Dialect is what differs between the databases.
type Dialect struct {
	Name string // as config.SQLTarget has it
	// Pool makes the pool, without I/O, and the dialect of GORM on top of it. Prepare
	// runs before, and may ask the server; nil means that there is nothing to ask.
	Pool    func(t config.SQLTarget) (*sql.DB, gorm.Dialector, error)
	Prepare func(ctx context.Context, t config.SQLTarget) error
	// Busy says that a first connection must be tried again.
	Busy func(err error) bool
	// Refused knows the errors by which the server refuses a login.
	Refused func(err error) bool
}

// Open opens a pool and waits until a first connection works. After an error
// nothing is left open.
func Open(ctx context.Context, c config.SQLConfig, d Dialect) (*gorm.DB, error) {
	t, err := c.Resolve()
	if err == nil && t.Dialect != d.Name {
		err = fmt.Errorf("%w: the configuration is for %s, not %s", config.ErrInvalid, t.Dialect, d.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("drivers: open sql: %w", err)
	}
	failed := func(err error) error {
		kind := openerr.Kind(err, d.Refused)
		if folder := t.MissingFolder(); folder != "" {
			kind, err = config.ErrInvalid, fmt.Errorf("the folder %s does not exist: %w", folder, err)
		}
		return fmt.Errorf("drivers: open sql: %s: %w: %w", t.Where, kind, t.Scrub(err))
	}
	limit := cmp.Or(c.DialTimeout, config.DefaultDialTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v: %w", limit, context.DeadlineExceeded))
	defer cancel()

	if d.Prepare != nil {
		if err := d.Prepare(ctx, t); err != nil {
			return nil, failed(err)
		}
	}
	pool, dialector, err := d.Pool(t)
	if err != nil {
		return nil, failed(err)
	}
	if err := ping(ctx, pool, d.Busy); err != nil {
		return nil, failed(errors.Join(err, pool.Close()))
	}
	db, err := gorm.Open(dialector, &gorm.Config{
		Logger:               gormLogger(c.Logger),
		DisableAutomaticPing: true, // done above, where it has a limit
		NamingStrategy:       namer(c.Naming, t.Dialect),
	})
	if err != nil {
		return nil, failed(errors.Join(err, pool.Close()))
	}
	size(pool, c, t)
	return db, nil
}

func size(pool *sql.DB, c config.SQLConfig, t config.SQLTarget) {
	size, life, idle := config.DefaultMaxOpenConns, config.DefaultConnMaxLifetime, config.DefaultConnMaxIdleTime
	if t.Dialect == config.SQLite {
		size = config.DefaultSQLiteMaxOpenConns
	}
	size = cmp.Or(c.MaxOpenConns, size)
	life, idle = cmp.Or(c.ConnMaxLifetime, life), cmp.Or(c.ConnMaxIdleTime, idle)
	idleSize := min(cmp.Or(c.MaxIdleConns, size), size)
	if t.Memory {
		// The database ends with its connection.
		size, idleSize, life, idle = 1, 1, 0, 0
	}
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(idleSize)
	pool.SetConnMaxLifetime(life)
	pool.SetConnMaxIdleTime(idle)
}

// ping opens the first connection, again while busy says so.
func ping(ctx context.Context, pool *sql.DB, busy func(error) bool) error {
	const pause = 10 * time.Millisecond
	for {
		err := pool.PingContext(ctx)
		if err == nil {
			return nil
		}
		if busy == nil || !busy(err) {
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
