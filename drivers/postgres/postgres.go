package postgres

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers/config"
	"github.com/holdfast-go/holdfast/drivers/internal/sqlopen"
)

// Open is drivers.OpenSQL for PostgreSQL. A configuration for another database is an
// error that matches [config.ErrInvalid].
func Open(ctx context.Context, c config.SQLConfig) (*gorm.DB, error) {
	return sqlopen.Open(ctx, c, sqlopen.Dialect{Name: config.Postgres, Pool: pool, Refused: refused})
}

func pool(t config.SQLTarget) (*sql.DB, gorm.Dialector, error) {
	db := sql.OpenDB(sqlopen.WithInit(stdlib.GetConnector(*t.Postgres), t.InitSQL))
	return db, postgres.New(postgres.Config{Conn: db}), nil
}

// refused knows the class of invalid authorization, and no right to connect.
func refused(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (strings.HasPrefix(pg.Code, "28") || pg.Code == "42501")
}
