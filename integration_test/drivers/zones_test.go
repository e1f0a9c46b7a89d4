package drivers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
)

// springMySQL loads a Spring file whose JDBC URL names a new database with the
// given parameters, and opens it.
func springMySQL(t *testing.T, dsn, params string) *gorm.DB {
	t.Helper()
	parsed, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal("MYSQL_DSN is not a DSN")
	}
	conf, err := drivers.Parse(fmt.Appendf(nil, "spring.datasource:\n  url: jdbc:mariadb://%s/%s?%s\n  username: %q\n  password: %q\n",
		parsed.Addr, parsed.DBName, params, parsed.User, parsed.Passwd))
	if err != nil {
		t.Fatal(err)
	}
	return driversOpenSQL(t, conf.SQL)
}

// Ensure that an Instant and a LocalDateTime that Connector/J wrote come back as the
// same, and that what Go writes is the same to Java. What Java sends is text: of an
// Instant the clock time in the zone of the connection, of a LocalDateTime the one
// that it is.
func TestDriversZones_RoundTrip(t *testing.T) {
	t.Parallel()
	dsn := sqldb.MySQLDatabase(t)
	java := driversOpenSQL(t, drivers.SQLConfig{Dialect: drivers.MySQL, DSN: dsn}) // sends text, so its zone does not matter
	if err := java.Exec("CREATE TABLE events (id INT PRIMARY KEY, an_instant DATETIME(6), a_local DATETIME(6))").Error; err != nil {
		t.Fatal(err)
	}
	type event struct {
		ID        int
		AnInstant time.Time
		ALocal    time.Time
	}
	const clock = "2006-01-02 15:04:05.000000"
	shanghai, newYork := zone(t, "Asia/Shanghai"), zone(t, "America/New_York")
	id := 0
	for _, c := range []struct {
		params string
		zone   *time.Location
	}{
		{"serverTimezone=GMT%2B8", shanghai},
		{"serverTimezone=GMT+8", shanghai},
		{"serverTimezone=UTC%2B8", shanghai},
		{"serverTimezone=CTT", shanghai},
		{"serverTimeZone=%2B08:00", shanghai},
		{"serverTimezone=Asia/Shanghai", shanghai},
		{"connectionTimeZone=America/New_York", newYork},
		{"connectionTimeZone=UTC", time.UTC},
		{"connectionTimeZone=%2B08:00&forceConnectionTimeZoneToSession=true", shanghai},
		{"connectionTimeZone=LOCAL", time.Local},
		{"", time.Local},
		{"connectionTimeZone=SERVER&sessionVariables=time_zone='%2B08:00'", shanghai},
	} {
		db := springMySQL(t, dsn, c.params)
		for _, instant := range []time.Time{
			time.Date(2026, 1, 15, 23, 30, 0, 123456000, time.UTC),
			time.Date(2026, 7, 1, 4, 0, 0, 0, time.UTC), // summer
		} {
			local := "2026-03-08 02:30:00.000000" // a clock time that New York skipped
			if c.zone == newYork {
				local = "2026-03-09 02:30:00.000000"
			}
			id++
			if err := java.Exec("INSERT INTO events VALUES (?, ?, ?)", id, instant.In(c.zone).Format(clock), local).Error; err != nil {
				t.Fatal(err)
			}
			var e event
			if err := db.First(&e, id).Error; err != nil {
				t.Fatal(err)
			}
			if !e.AnInstant.Equal(instant) || e.ALocal.Format(clock) != local {
				t.Errorf("%s: Java's %v and %s come as %v and %v", c.params, instant, local, e.AnInstant, e.ALocal)
			}
			id++
			if err := db.Create(&event{id, instant, e.ALocal}).Error; err != nil {
				t.Fatal(err)
			}
			var stored struct{ AnInstant, ALocal string }
			if err := java.Raw("SELECT CAST(an_instant AS CHAR) an_instant, CAST(a_local AS CHAR) a_local FROM events WHERE id = ?", id).Scan(&stored).Error; err != nil {
				t.Fatal(err)
			}
			back, err := time.ParseInLocation(clock, stored.AnInstant, c.zone)
			if err != nil || !back.Equal(instant) || stored.ALocal != local {
				t.Errorf("%s: Go's %v and %s come to Java as %v and %s: %v", c.params, instant, local, back, stored.ALocal, err)
			}
		}
	}
}

// Ensure that forceConnectionTimeZoneToSession reaches the server, so that
// TIMESTAMP columns hold the instant itself.
func TestDriversZones_Session(t *testing.T) {
	t.Parallel()
	dsn := sqldb.MySQLDatabase(t)
	for params, want := range map[string]string{
		"connectionTimeZone=%2B08:00&forceConnectionTimeZoneToSession=true": "+08:00",
		"connectionTimeZone=GMT-3&forceConnectionTimeZoneToSession=true":    "-03:00",
		"timezone=UTC":                        "+00:00",
		"connectionTimeZone=%2B08:00":         "SYSTEM",
		"sessionVariables=time_zone='-05:00'": "-05:00",
	} {
		var got string
		if err := springMySQL(t, dsn, params).Raw("SELECT @@session.time_zone").Scan(&got).Error; err != nil || got != want {
			t.Errorf("%s: time_zone is %s, want %s: %v", params, got, want, err)
		}
	}
	db := springMySQL(t, dsn, "connectionTimeZone=%2B08:00&forceConnectionTimeZoneToSession=true")
	if err := db.Exec("CREATE TABLE stamps (id INT PRIMARY KEY, at TIMESTAMP(6) NULL)").Error; err != nil {
		t.Fatal(err)
	}
	instant := time.Date(2026, 1, 15, 23, 30, 0, 0, time.UTC)
	if err := db.Exec("INSERT INTO stamps VALUES (1, ?)", instant).Error; err != nil {
		t.Fatal(err)
	}
	var seconds int64
	if err := db.Raw("SELECT CAST(UNIX_TIMESTAMP(at) AS SIGNED) FROM stamps").Scan(&seconds).Error; err != nil || seconds != instant.Unix() {
		t.Errorf("the server has %d, want %d: %v", seconds, instant.Unix(), err)
	}
}

// Ensure that the zone of a server that can mean several is an error, as in Java.
func TestDriversZones_ServerUnclear(t *testing.T) {
	t.Parallel()
	parsed, err := mysql.ParseDSN(servers.RequireEnv(t, "MYSQL_DSN"))
	if err != nil {
		t.Fatal("MYSQL_DSN is not a DSN")
	}
	// MariaDB takes no such name for a session, so the text alone is checked here,
	// and the rest in drivers/internal/jdbc.
	c := drivers.SQLConfig{DSN: "jdbc:mysql://" + parsed.Addr + "/?connectionTimeZone=Mars/Olympus", Username: parsed.User, Password: parsed.Passwd}
	_, err = drivers.OpenSQL(check.Bounded(t, 30*time.Second), c)
	if err == nil || !strings.Contains(err.Error(), "connectionTimeZone") {
		t.Error(err)
	}
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Skipf("this system has no time zone database: %v", err)
	}
	return loc
}
