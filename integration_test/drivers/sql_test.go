package drivers_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
)

func driversOpenSQL(t *testing.T, c drivers.SQLConfig) *gorm.DB {
	t.Helper()
	db, err := drivers.OpenSQL(check.Bounded(t, 30*time.Second), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pool, err := db.DB()
		if err == nil {
			err = pool.Close()
		}
		if err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestDriversOpenSQL_Postgres(t *testing.T) {
	t.Parallel()
	dsn := servers.RequireEnv(t, "POSTGRES_DSN")
	parsed, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal("POSTGRES_DSN is not a DSN")
	}
	cfg := drivers.SQLConfig{Dialect: drivers.Postgres, DSN: dsn, MaxOpenConns: 3}
	db := driversOpenSQL(t, cfg)
	var one int
	if err := db.Raw("SELECT 1").Scan(&one).Error; err != nil || one != 1 || db.Name() != drivers.Postgres {
		t.Fatalf("%d %v", one, err)
	}
	if pool, err := db.DB(); err != nil || pool.Stats().MaxOpenConnections != 3 {
		t.Errorf("the pool has another size: %v", err)
	}

	t.Run("JDBC", func(t *testing.T) {
		t.Parallel()
		u := url.URL{Host: net.JoinHostPort(parsed.Host, strconv.Itoa(int(parsed.Port))), Path: "/" + parsed.Database}
		db := driversOpenSQL(t, drivers.SQLConfig{
			DSN:      "jdbc:postgresql:" + u.String() + "?ApplicationName=holdfast-test&sslmode=prefer",
			Username: parsed.User, Password: parsed.Password,
		})
		var name string
		if err := db.Raw("SHOW application_name").Scan(&name).Error; err != nil || name != "holdfast-test" {
			t.Errorf("%q %v", name, err)
		}
	})
	t.Run("DatabaseAbsent", func(t *testing.T) {
		t.Parallel()
		addr := net.JoinHostPort(parsed.Host, strconv.Itoa(int(parsed.Port)))
		_, err := drivers.OpenSQL(check.Bounded(t, 30*time.Second), drivers.SQLConfig{
			DSN: "postgres://" + addr + "/" + servers.UniqueName("absent_"), Username: parsed.User, Password: parsed.Password,
		})
		var pgErr *pgconn.PgError
		if !errors.Is(err, drivers.ErrUnavailable) || !errors.As(err, &pgErr) || pgErr.Code != "3D000" {
			t.Error(err)
		}
	})
	t.Run("RoleAbsent", func(t *testing.T) {
		t.Parallel()
		const secret = "s3cr!t~canary"
		_, err := drivers.OpenSQL(check.Bounded(t, 30*time.Second), drivers.SQLConfig{DSN: dsn, Username: servers.UniqueName("nobody_"), Password: secret})
		var pgErr *pgconn.PgError
		if !isAuthenticationError(err) || !errors.As(err, &pgErr) || strings.Contains(err.Error(), secret) {
			t.Error(err)
		}
	})
	t.Run("LogHasNoValues", func(t *testing.T) {
		t.Parallel()
		var log logBuffer
		c := cfg
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		db := driversOpenSQL(t, c)
		if err := db.Exec("SELECT ? FROM "+servers.UniqueName("absent_"), "s3cr!t~canary").Error; err == nil {
			t.Fatal("no error")
		}
		if text := log.String(); !strings.Contains(text, "level=ERROR") || strings.Contains(text, "canary") {
			t.Errorf("log: %s", text)
		}
	})
	t.Run("NoAnswer", func(t *testing.T) {
		t.Parallel()
		_, err := drivers.OpenSQL(check.Bounded(t, 30*time.Second), drivers.SQLConfig{
			DSN: "postgres://u:s3cr!t~canary@" + silentAddr(t) + "/d", DialTimeout: 300 * time.Millisecond,
		})
		if !errors.Is(err, drivers.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "canary") {
			t.Error(err)
		}
	})
}

func TestDriversOpenSQL_MySQL(t *testing.T) {
	t.Parallel()
	dsn := servers.RequireEnv(t, "MYSQL_DSN")
	parsed, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal("MYSQL_DSN is not a DSN")
	}
	db := driversOpenSQL(t, drivers.SQLConfig{DSN: dsn})
	if db.Name() != drivers.MySQL {
		t.Fatal(db.Name())
	}

	t.Run("CountsMatchedRowsAndParsesTimes", func(t *testing.T) {
		type row struct {
			ID int
			N  int
			At time.Time
		}
		table := servers.UniqueName("drivers_")
		rows := db.Table(table)
		if err := rows.AutoMigrate(&row{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Migrator().DropTable(table); err != nil {
				t.Error(err)
			}
		})
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		if err := db.Table(table).Create(&row{ID: 1, N: 1, At: at}).Error; err != nil {
			t.Fatal(err)
		}
		res := db.Table(table).Where("id = 1").Update("n", 1) // changes nothing
		if res.Error != nil || res.RowsAffected != 1 {
			t.Errorf("%d rows, %v", res.RowsAffected, res.Error)
		}
		var got row
		if err := db.Table(table).Take(&got).Error; err != nil || !got.At.Equal(at) {
			t.Errorf("%v %v", got, err)
		}
	})
	t.Run("URLs", func(t *testing.T) {
		t.Parallel()
		if parsed.Net != "tcp" {
			t.Skipf("MYSQL_DSN is not for tcp but for %s, which a URL cannot say", parsed.Net)
		}
		for _, u := range []string{
			"mysql://" + parsed.Addr + "/" + parsed.DBName + "?charset=utf8mb4",
			"jdbc:mysql://" + parsed.Addr + "/" + parsed.DBName + "?serverTimezone=UTC",
			"jdbc:mariadb://" + parsed.Addr + "/" + parsed.DBName,
		} {
			db := driversOpenSQL(t, drivers.SQLConfig{DSN: u, Username: parsed.User, Password: parsed.Passwd})
			var one int
			if err := db.Raw("SELECT 1").Scan(&one).Error; err != nil || one != 1 {
				t.Errorf("%s: %v", u, err)
			}
		}
	})
	t.Run("WrongPassword", func(t *testing.T) {
		t.Parallel()
		const secret = "s3cr!t~canary"
		_, err := drivers.OpenSQL(check.Bounded(t, 30*time.Second), drivers.SQLConfig{DSN: dsn, Username: "nobody", Password: secret})
		var myErr *mysql.MySQLError
		if !isAuthenticationError(err) || !errors.As(err, &myErr) || strings.Contains(err.Error(), secret) {
			t.Error(err)
		}
	})
	t.Run("NoAnswer", func(t *testing.T) {
		t.Parallel()
		_, err := drivers.OpenSQL(check.Bounded(t, 30*time.Second), drivers.SQLConfig{
			DSN: "u:s3cr!t~canary@tcp(" + silentAddr(t) + ")/d", DialTimeout: 300 * time.Millisecond,
		})
		if !errors.Is(err, drivers.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "canary") {
			t.Error(err)
		}
	})
}
