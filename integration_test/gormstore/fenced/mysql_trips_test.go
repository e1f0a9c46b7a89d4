package fenced_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strconv"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// A fenced save of MariaDB sends one statement, which is prepared where parameters must not
// be put into the text. A server without compound statements gets its parts one by one.
func TestGormFence_TripsOfMySQL(t *testing.T) {
	t.Parallel()
	with := func(params string) func(t *testing.T, dsn string) *gorm.DB {
		return func(t *testing.T, dsn string) *gorm.DB {
			c, err := mysql.ParseDSN(dsn)
			check.Must(t, err)
			return sqldb.Open(t, drivers.SQLConfig{Dialect: drivers.MySQL, DSN: "root@tcp(" + c.Addr + ")/" + c.DBName + "?" + params, Username: c.User, Password: c.Passwd})
		}
	}
	for name, test := range map[string]struct {
		open           func(t *testing.T, dsn string) *gorm.DB
		sent, prepared int
	}{
		"MariaDB":              {with(""), 1, 0},
		"NoInterpolation":      {with("interpolateParams=false"), 1, 1},
		"RareCharset":          {with("charset=gbk"), 1, 1},
		"NoCompoundStatements": {withoutCompounds, 8, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := test.open(t, sqldb.MySQLDatabase(t))
			pool, err := db.DB()
			check.Must(t, err)
			pool.SetMaxOpenConns(1)
			check.Must(t, gormrepo.MigrateFence(t.Context(), db))
			r, f := limited(t, db), fences.Turn(5, "a", 1, "k")
			for range 2 { // which learn what the server takes, and what is on the table
				check.Must(t, r.Save(f.With(t.Context()), &sqldb.GormCounter{ID: 1}))
			}
			prepared, sent := sessionCounter(t, db, "Com_stmt_prepare"), sessionCounter(t, db, "Questions")
			check.Must(t, r.Save(f.With(t.Context()), &sqldb.GormCounter{ID: 1, N: 2}))
			sent = sessionCounter(t, db, "Questions") - sent - 1
			prepared = sessionCounter(t, db, "Com_stmt_prepare") - prepared
			if sent != test.sent || prepared != test.prepared {
				t.Errorf("%d statements and %d prepared ones, not %d and %d", sent, prepared, test.sent, test.prepared)
			}
			fences.WantRefused(t, r.Save(fences.Turn(4, "a", 1, "k").With(t.Context()), &sqldb.GormCounter{ID: 1, N: 3}), 5, 4)
			e, err := r.FindByID(t.Context(), 1)
			check.Must(t, err)
			if e.N != 2 {
				t.Errorf("got %+v", e)
			}
		})
	}
}

// sessionCounter is one of the session. To read it counts as a question.
func sessionCounter(t *testing.T, db *gorm.DB, of string) int {
	t.Helper()
	var name, value string
	check.Must(t, db.Raw("SHOW SESSION STATUS LIKE '"+of+"'").Row().Scan(&name, &value))
	n, err := strconv.Atoi(value)
	check.Must(t, err)
	return n
}

// withoutCompounds opens a database that answers compound statements as MySQL does.
func withoutCompounds(t *testing.T, dsn string) *gorm.DB {
	t.Helper()
	c, err := mysql.ParseDSN(dsn)
	check.Must(t, err)
	c.ParseTime, c.ClientFoundRows = true, true
	connector, err := mysql.NewConnector(c)
	check.Must(t, err)
	db, err := gorm.Open(gormmysql.New(gormmysql.Config{Conn: sql.OpenDB(plainConnector{connector})}), &gorm.Config{})
	check.Must(t, err)
	t.Cleanup(func() { sqldb.Close(t, db) })
	return db
}

type plainConnector struct{ driver.Connector }

func (c plainConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return plainConn{conn.(mysqlConn)}, nil
}

// mysqlConn is what database/sql uses of a connection of the driver.
type mysqlConn interface {
	driver.Conn
	driver.ExecerContext
	driver.QueryerContext
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type plainConn struct{ mysqlConn }

func (c plainConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if strings.HasPrefix(text, "BEGIN NOT ATOMIC") {
		return nil, &mysql.MySQLError{Number: 1064, SQLState: [5]byte{'4', '2', '0', '0', '0'}, Message: "You have an error in your SQL syntax"}
	}
	return c.mysqlConn.ExecContext(ctx, text, args)
}
