package sqlite

import (
	"context"
	"database/sql"
	"errors"

	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"github.com/holdfast-go/holdfast/drivers/config"
	"github.com/holdfast-go/holdfast/drivers/internal/sqlopen"
)

// Open is drivers.OpenSQL for SQLite. A configuration for another database is an
// error that matches [config.ErrInvalid].
func Open(ctx context.Context, c config.SQLConfig) (*gorm.DB, error) {
	return sqlopen.Open(ctx, c, sqlopen.Dialect{
		Name: config.SQLite, Pool: pool, Busy: busy,
		Refused: func(error) bool { return false },
	})
}

func pool(t config.SQLTarget) (*sql.DB, gorm.Dialector, error) {
	db, err := sql.Open("sqlite", t.SQLite)
	if err != nil {
		return nil, nil, err
	}
	if len(t.InitSQL) > 0 {
		db = sql.OpenDB(sqlopen.WithInit(sqlopen.DSNConnector{Drv: db.Driver(), DSN: t.SQLite}, t.InitSQL)) // the first has no connection yet
	}
	if t.Memory {
		db.SetMaxOpenConns(1) // before the ping: a second connection is a second database
	}
	return db, gormsqlite.New(gormsqlite.Config{Conn: db, DriverName: "sqlite"}), nil
}

// busy says that another process holds a lock. SQLite refuses the switch to WAL
// without waiting when several processes make it at the same time, as pods that
// start together do.
func busy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlitelib.SQLITE_BUSY
}
