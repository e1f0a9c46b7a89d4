package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers/config"
	"github.com/holdfast-go/holdfast/drivers/internal/jdbc"
	"github.com/holdfast-go/holdfast/drivers/internal/sqlopen"
)

// Open is drivers.OpenSQL for MySQL and MariaDB. A configuration for another
// database is an error that matches [config.ErrInvalid].
func Open(ctx context.Context, c config.SQLConfig) (*gorm.DB, error) {
	return sqlopen.Open(ctx, c, sqlopen.Dialect{Name: config.MySQL, Pool: pool, Prepare: prepare, Refused: refused})
}

func pool(t config.SQLTarget) (*sql.DB, gorm.Dialector, error) {
	connector, err := mysql.NewConnector(t.MySQL)
	if err != nil {
		return nil, nil, err
	}
	db := sql.OpenDB(sqlopen.WithInit(connector, t.InitSQL))
	return db, gormmysql.New(gormmysql.Config{Conn: db}), nil
}

// refused knows no access to the database, with this password, from this host,
// without a password.
func refused(err error) bool {
	var my *mysql.MySQLError
	return errors.As(err, &my) && slices.Contains([]uint16{1044, 1045, 1130, 1698}, my.Number)
}

// unknownDatabase is MySQL's error number for a database that is not there.
const unknownDatabase = 1049

// prepare asks the server what depends on it: whether parameters may be put into
// the text, and what the JDBC URL left to it, the zone of its sessions and to make
// the database.
func prepare(ctx context.Context, t config.SQLTarget) error {
	cfg := t.MySQL.Clone()
	if t.CreateDatabase {
		cfg.DBName = ""
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return err
	}
	var init []string
	if !t.CreateDatabase { // which they may need
		init = t.InitSQL
	}
	pool := sql.OpenDB(sqlopen.WithInit(connector, init))
	defer pool.Close()
	if t.CreateDatabase && t.MySQL.DBName != "" {
		if err := createDatabase(ctx, t, pool); err != nil {
			return err
		}
	}
	var version, charset, session, system string
	err = pool.QueryRowContext(ctx, "SELECT VERSION(), @@character_set_client, @@session.time_zone, @@system_time_zone").
		Scan(&version, &charset, &session, &system)
	if err != nil {
		return err
	}
	if !t.Interpolation && len(init) == len(t.InitSQL) && interpolates(version, charset) {
		t.MySQL.InterpolateParams = true
	}
	if !t.ServerZone {
		return nil
	}
	if t.MySQL.Loc, err = jdbc.ServerZone(session, system); err != nil {
		return fmt.Errorf("%w: %w", config.ErrInvalid, err)
	}
	return nil
}

// interpolates tells whether the driver puts parameters into the text of a
// statement, as Connector/J does. That saves the round trip of preparing it. Bytes
// that are written so are no text to MySQL, which then refuses them in a JSON column;
// MariaDB takes them. In some Chinese and Japanese character sets a backslash can be
// half of a character, so that quotes could not be told apart.
func interpolates(version, charset string) bool {
	return strings.Contains(version, "MariaDB") && slices.Contains([]string{"utf8mb4", "utf8mb3", "utf8", "latin1", "ascii"}, charset)
}

// createDatabase makes the database only where it is not there, since the right to
// make one may be missing then.
func createDatabase(ctx context.Context, t config.SQLTarget, pool *sql.DB) error {
	name := "`" + strings.ReplaceAll(t.MySQL.DBName, "`", "``") + "`"
	_, err := pool.ExecContext(ctx, "USE "+name)
	var my *mysql.MySQLError
	if !errors.As(err, &my) || my.Number != unknownDatabase {
		return err
	}
	_, err = pool.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS "+name)
	return err
}
