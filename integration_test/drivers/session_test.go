package drivers_test

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
)

// springPostgres loads a Spring file with the given settings below hikari, and
// opens its datasource.
func springPostgres(t *testing.T, params, hikari string) *gorm.DB {
	t.Helper()
	parsed, err := pgx.ParseConfig(servers.RequireEnv(t, "POSTGRES_DSN"))
	if err != nil {
		t.Fatal("POSTGRES_DSN is not a DSN")
	}
	conf, err := drivers.Parse(fmt.Appendf(nil, "spring.datasource:\n  url: jdbc:postgresql://%s/%s?sslmode=prefer&%s\n  username: %q\n  password: %q\n  hikari: {%s}\n",
		net.JoinHostPort(parsed.Host, strconv.Itoa(int(parsed.Port))), parsed.Database, params, parsed.User, parsed.Password, hikari))
	if err != nil {
		t.Fatal(err)
	}
	return driversOpenSQL(t, conf.SQL)
}

// schemaOf gives the schema that a DSN of postgresSchema works in.
func schemaOf(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("search_path")
}

func query(t *testing.T, db *gorm.DB, sql string) string {
	t.Helper()
	var v string
	if err := db.Raw(sql).Scan(&v).Error; err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// Ensure that the settings of a pool reach every connection of it.
func TestDriversSession_Postgres(t *testing.T) {
	t.Parallel()
	schema := schemaOf(t, sqldb.PostgresSchema(t))
	db := springPostgres(t, "prepareThreshold=0", "schema: "+schema+", connection-init-sql: 'SET lock_timeout = 1234', transaction-isolation: TRANSACTION_SERIALIZABLE, read-only: true, maximum-pool-size: 3")
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // each on a connection of its own
		conn, err := pool.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		for setting, want := range map[string]string{
			"search_path": schema, "lock_timeout": "1234ms", "default_transaction_isolation": "serializable", "default_transaction_read_only": "on",
		} {
			var got string
			if err := conn.QueryRowContext(t.Context(), "SHOW "+setting).Scan(&got); err != nil || got != want {
				t.Errorf("%s is %s, want %s: %v", setting, got, want, err)
			}
		}
	}
	odd := driversOpenSQL(t, drivers.SQLConfig{DSN: servers.RequireEnv(t, "POSTGRES_DSN"), Dialect: drivers.Postgres, Schema: `Odd"Name`})
	if got := query(t, odd, "SHOW search_path"); got != `"Odd""Name"` {
		t.Errorf("search_path is %s", got)
	}
}

func TestDriversSession_MySQL(t *testing.T) {
	t.Parallel()
	dsn := sqldb.MySQLDatabase(t)
	parsed, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal("MYSQL_DSN is not a DSN")
	}
	c := drivers.SQLConfig{
		DSN:      "jdbc:mariadb://" + parsed.Addr + "/" + parsed.DBName + "?sessionVariables=sql_mode='ANSI,NO_ZERO_DATE',group_concat_max_len=4321&useCompression=true&initSql=SET%20wait_timeout%3D777",
		Username: parsed.User, Password: parsed.Passwd, Isolation: "TRANSACTION_READ_COMMITTED", ReadOnly: true, InitSQL: "SELECT 1",
	}
	db := driversOpenSQL(t, c)
	for variable, want := range map[string]string{
		"group_concat_max_len": "4321", "wait_timeout": "777", "tx_isolation": "READ-COMMITTED", "tx_read_only": "1",
	} {
		if got := query(t, db, "SELECT @@session."+variable); got != want {
			t.Errorf("%s is %s, want %s", variable, got, want)
		}
	}
	if got := query(t, db, "SELECT @@session.sql_mode"); !strings.Contains(got, "ANSI") || !strings.Contains(got, "NO_ZERO_DATE") {
		t.Errorf("sql_mode is %s", got)
	}

	// The database is made when the URL asks for it, and not otherwise.
	name := servers.UniqueName("made_")
	admin := driversOpenSQL(t, drivers.SQLConfig{Dialect: drivers.MySQL, DSN: dsn})
	t.Cleanup(func() {
		if err := admin.Exec("DROP DATABASE IF EXISTS " + name).Error; err != nil {
			t.Error(err)
		}
	})
	c = drivers.SQLConfig{DSN: "jdbc:mysql://" + parsed.Addr + "/" + name, Username: parsed.User, Password: parsed.Passwd}
	if _, err := drivers.OpenSQL(check.Bounded(t, 30*time.Second), c); err == nil {
		t.Error("a database that is not there was opened")
	}
	c.DSN += "?createDatabaseIfNotExist=true"
	for range 2 {
		if got := query(t, driversOpenSQL(t, c), "SELECT DATABASE()"); got != name {
			t.Errorf("in database %s, want %s", got, name)
		}
	}

	// What cannot be run is an error at the start.
	c = drivers.SQLConfig{DSN: dsn, Dialect: drivers.MySQL, InitSQL: "no such statement"}
	if _, err := drivers.OpenSQL(check.Bounded(t, 30*time.Second), c); err == nil || !strings.Contains(err.Error(), "set up a new connection") {
		t.Error(err)
	}
}
