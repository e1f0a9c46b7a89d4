package drivers

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/holdfast-go/holdfast/drivers/internal/jdbc"
)

// plainSchemas is a search path that needs no quotes.
var plainSchemas = regexp.MustCompile(`^[a-z_][a-z0-9_$]*( *, *[a-z_][a-z0-9_$]*)*$`)

// session puts what each new connection is set to into the target: into the
// settings of the driver where it has them, else into statements.
func (c SQLConfig) session(t *sqlTarget) (field string, err error) {
	level, err := isolationLevel(c.Isolation)
	if err != nil {
		return "sql.isolation", err
	}
	if c.Schema != "" && t.dialect != Postgres {
		return "sql.schema", errors.New("is for PostgreSQL; elsewhere the database in the dsn is the schema")
	}
	if err := knownNaming(c.Naming); err != nil {
		return "sql.naming", err
	}
	t.init = append(t.init, t.java.InitSQL...)
	switch t.dialect {
	case Postgres:
		if c.Schema != "" {
			path := c.Schema
			if !plainSchemas.MatchString(path) {
				path = `"` + strings.ReplaceAll(path, `"`, `""`) + `"`
			}
			t.pg.RuntimeParams["search_path"] = path
		}
		if level != "" {
			t.pg.RuntimeParams["default_transaction_isolation"] = level
		}
		if c.ReadOnly {
			t.pg.RuntimeParams["default_transaction_read_only"] = "on"
		}
	case MySQL:
		if t.java.Zone != nil {
			t.my.Loc = t.java.Zone
		}
		if level != "" {
			t.init = append(t.init, "SET SESSION TRANSACTION ISOLATION LEVEL "+strings.ToUpper(level))
		}
		if c.ReadOnly {
			t.init = append(t.init, "SET SESSION TRANSACTION READ ONLY")
		}
	default: // SQLite has the strictest level only
		if c.ReadOnly {
			t.init = append(t.init, "PRAGMA query_only = 1")
		}
	}
	if c.InitSQL != "" {
		t.init = append(t.init, c.InitSQL)
	}
	return "", nil
}

// isolationLevel knows the names of SQL in all of Java's spellings, such as
// TRANSACTION_READ_COMMITTED.
func isolationLevel(s string) (string, error) {
	name := strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(strings.TrimSpace(s)))
	switch strings.TrimPrefix(name, "transaction") {
	case "", "default":
		return "", nil
	case "readuncommitted":
		return "read uncommitted", nil
	case "readcommitted":
		return "read committed", nil
	case "repeatableread":
		return "repeatable read", nil
	case "serializable":
		return "serializable", nil
	}
	return "", errIsolation
}

// initConnector runs statements on each new connection.
type initConnector struct {
	driver.Connector
	stmts []string
}

// Connect implements driver.Connector.
func (c initConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	for _, stmt := range c.stmts {
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, stmt, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("set up a new connection: %w", err), conn.Close())
		}
	}
	return conn, nil
}

// withInit wraps the connector where there is something to run.
func withInit(c driver.Connector, stmts []string) driver.Connector {
	if len(stmts) == 0 {
		return c
	}
	return initConnector{Connector: c, stmts: stmts}
}

// dsnConnector is for a driver that has none itself.
type dsnConnector struct {
	driver driver.Driver
	dsn    string
}

// Connect implements driver.Connector.
func (c dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }

// Driver implements driver.Connector.
func (c dsnConnector) Driver() driver.Driver { return c.driver }

// unknownDatabase is MySQL's error number for a database that is not there.
const unknownDatabase = 1049

// prepareMySQL asks the server what the JDBC URL left to it: the zone of its
// sessions, and to make the database.
func (t sqlTarget) prepareMySQL(ctx context.Context) error {
	if t.dialect != MySQL || !t.java.ServerZone && !t.java.CreateDatabase {
		return nil
	}
	cfg := t.my.Clone()
	if t.java.CreateDatabase {
		cfg.DBName = ""
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return err
	}
	pool := sql.OpenDB(connector)
	defer pool.Close()
	if t.java.CreateDatabase && t.my.DBName != "" {
		if err := t.createDatabase(ctx, pool); err != nil {
			return err
		}
	}
	if !t.java.ServerZone {
		return nil
	}
	var session, system string
	if err := pool.QueryRowContext(ctx, "SELECT @@session.time_zone, @@system_time_zone").Scan(&session, &system); err != nil {
		return err
	}
	if t.my.Loc, err = jdbc.ServerZone(session, system); err != nil {
		return invalid("sql.dsn", err.Error())
	}
	return nil
}

// createDatabase makes the database only where it is not there, since the right to
// make one may be missing then.
func (t sqlTarget) createDatabase(ctx context.Context, pool *sql.DB) error {
	name := "`" + strings.ReplaceAll(t.my.DBName, "`", "``") + "`"
	_, err := pool.ExecContext(ctx, "USE "+name)
	var my *mysql.MySQLError
	if !errors.As(err, &my) || my.Number != unknownDatabase {
		return err
	}
	_, err = pool.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS "+name)
	return err
}
