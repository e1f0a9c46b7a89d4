package jdbc

import (
	"strings"
	"testing"
	"time"
)

func TestParse_Zones(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]int{
		"GMT%2B8": 8, "GMT+8": 8, "GMT+08:00": 8, "UTC%2B8": 8, "UTC-3": -3, "UT%2B1": 1, "CTT": 8, "%2B08:00": 8, "+8": 8, "-0500": -5,
		"Asia/Shanghai": 8, "UTC": 0, "GMT": 0, "Z": 0, "Etc/GMT-8": 8, "America/Argentina/Buenos_Aires": -3, "PRC": 8, "JST": 9, "EST": -5, "CET": 1,
	} {
		for _, name := range []string{"serverTimezone", "connectionTimeZone", "servertimezone", "serverTimeZone", "timezone"} {
			got, err := Parse("jdbc:mysql://h/d?" + name + "=" + in)
			if err != nil {
				t.Errorf("%s=%s: %v", name, in, err)
				continue
			}
			if _, seconds := at.In(got.Zone).Zone(); seconds != want*3600 {
				t.Errorf("%s=%s is %v, %d seconds from UTC", name, in, got.Zone, seconds)
			}
		}
	}
	for _, in := range []string{"Mars/Olympus", "GMT%2B25", "%2B8:99", "local time", "../../etc/passwd", "Asia", "GMT%2B", "cst"} {
		if got, err := Parse("jdbc:mysql://h/d?serverTimezone=" + in); err == nil || !strings.Contains(err.Error(), "serverTimezone") {
			t.Errorf("%s: %v %v", in, got.Zone, err)
		}
	}
	for in, want := range map[string]struct {
		zone          *time.Location
		server, force bool
		session       string
	}{
		"":                          {time.Local, false, false, ""},
		"connectionTimeZone=LOCAL":  {time.Local, false, false, ""},
		"connectionTimeZone=SERVER": {nil, true, false, ""},
		"connectionTimeZone=UTC&forceConnectionTimeZoneToSession=true":      {time.UTC, false, true, "time_zone=%27%2B00%3A00%27"},
		"connectionTimeZone=%2B08:00&forceConnectionTimeZoneToSession=true": {nil, false, true, "time_zone=%27%2B08%3A00%27"},
		"connectionTimeZone=UTC&preserveInstants=false":                     {time.Local, false, false, ""},
		"timezone=disable": {time.Local, false, false, ""},
		"connectionTimeZone=Asia/Tokyo&forceConnectionTimeZoneToSession=yes": {nil, false, true, "time_zone=%27Asia%2FTokyo%27"},
	} {
		got, err := Parse("jdbc:mysql://h/d?" + in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if want.zone != nil && got.Zone != want.zone || got.ServerZone != want.server || got.ForceZone != want.force || !strings.Contains(got.DSN, want.session) {
			t.Errorf("%s: %+v", in, got)
		}
	}
	for _, c := range []struct {
		session, system string
		want            int
		ok              bool
	}{
		{"SYSTEM", "UTC", 0, true},
		{"+08:00", "CST", 8, true},
		{"Europe/Paris", "UTC", 1, true},
		{"SYSTEM", "CST", 0, false}, // China, Cuba or the middle of America
		{"SYSTEM", "CEST", 0, false},
	} {
		loc, err := ServerZone(c.session, c.system)
		if (err == nil) != c.ok {
			t.Errorf("%v: %v %v", c, loc, err)
		} else if err == nil {
			if _, seconds := at.In(loc).Zone(); seconds != c.want*3600 {
				t.Errorf("%v: %v", c, loc)
			}
		}
	}
}

func TestParse_Parameters(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"jdbc:mysql://h/d?USESSL=false&USECOMPRESSION=true&allowMultiQueries=TRUE":     "tcp(h:3306)/d?compress=true&multiStatements=true&tls=false",
		"jdbc:mysql://h/d?sslMode=disabled&sessionVariables=sql_mode='A,B',foo=1":      "tcp(h:3306)/d?foo=1&sql_mode=%27A%2CB%27&tls=false",
		"jdbc:mysql://h/d?sslMode=disabled&sessionVariables=@@session.wait_timeout=30": "tcp(h:3306)/d?tls=false&wait_timeout=30",
		"jdbc:mariadb://h/d?useSsl=true&maxAllowedPacket=100":                          "tcp(h:3306)/d?maxAllowedPacket=100&tls=skip-verify",
		"jdbc:mariadb://h/d":                                                                     "tcp(h:3306)/d",
		"jdbc:mysql://u:p%40@h:3307/d?sslMode=disabled":                                          "u:p@@tcp(h:3307)/d?tls=false",
		"jdbc:postgresql://h/d?prepareThreshold=0":                                               "postgres://h/d?default_query_exec_mode=exec",
		"jdbc:postgresql://h/d?preferQueryMode=simple&prepareThreshold=5":                        "postgres://h/d?default_query_exec_mode=simple_protocol",
		"jdbc:postgresql://h/d?sslfactory=org.postgresql.ssl.NonValidatingFactory":               "postgres://h/d?sslmode=require",
		"jdbc:postgresql://h/d?CURRENTSCHEMA=a&socketTimeout=5&loginTimeout=3&tcpKeepAlive=true": "postgres://h/d?connect_timeout=3&search_path=a",
		"jdbc:sqlite:x.db?cache_size=-2000&date_class=text":                                      "sqlite:x.db?_pragma=cache_size%28-2000%29",
	} {
		if got, err := Parse(in); err != nil || got.DSN != want {
			t.Errorf("%s\n got %s %v\nwant %s", in, got.DSN, err, want)
		}
	}
	got, err := Parse("jdbc:mariadb://h/d?createDatabaseIfNotExist=true&initSql=SET%20x=1&transactionIsolation=READ-COMMITTED&cachePrepStmts=true")
	if err != nil || !got.CreateDatabase || len(got.InitSQL) != 2 || strings.Join(got.Ignored, ",") != "cachePrepStmts" {
		t.Errorf("%+v %v", got, err)
	}
	for in, want := range map[string]string{
		"jdbc:mysql://h/d?password=a&s3cret":             "has no value; an & in a value is written %26",
		"jdbc:mysql://h/d?trustCertificateKeyStoreUrl=x": "trustCertificateKeyStoreUrl is not supported: a key store of Java",
		"jdbc:mysql://h/d?a1=1&b1=2":                     "a1 has no counterpart here: leave it out, or give the DSN of the Go driver; the JDBC parameter b1",
		"jdbc:mysql://h/d?useSSL=true&usessl=false":      "usessl is given twice",
		"jdbc:mysql://h/d?sessionVariables=sql_mode":     "sessionVariables is not a list",
		"jdbc:mysql://h/d?useCompression=perhaps":        "useCompression is neither true nor false",
		"jdbc:postgresql://h/d?socketFactory=x":          "socketFactory is not supported",
		"jdbc:postgresql://h/d?sslfactory=com.acme.F":    "sslfactory names a class of Java",
		"jdbc:postgresql://h/d?sslkey=client.pk8":        "reads PEM",
		"jdbc:postgresql://h/d?gssEncMode=require":       "gssEncMode has a value without a counterpart",
		"jdbc:sqlite:x.db?password=s":                    "password is not supported: the Go driver has no encryption",
		"jdbc:sqlite::resource:x.db":                     "out of a Java archive",
		"jdbc:mysql:loadbalance://h1,h2/d":               "loadbalance",
		"jdbc:nosuch:x":                                  "not a JDBC URL",
		"jdbc:sqlserver://h;password=s3cret":             "SQL Server is not supported",
	} {
		if _, err := Parse(in); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
}

// Ensure that no parameter is in two lists, which would make the table depend on
// their order.
func TestParams(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{postgres, mysqlDB, sqlite} {
		for _, p := range Params(dialect) {
			if p.Why == "" || p.Kind == Applied && p.set == nil || p.Kind != Applied && p.set != nil {
				t.Errorf("%s: %+v", dialect, p)
			}
		}
	}
}

func FuzzZone(f *testing.F) {
	for _, s := range []string{"GMT+8", "UTC 8", "CTT", "Asia/Shanghai", "+25:00", "-18:00:01", "../x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		loc, err := Zone(s)
		if err != nil {
			return
		}
		if _, seconds := time.Unix(0, 0).In(loc).Zone(); seconds > 18*3600 || seconds < -18*3600 {
			t.Errorf("%q is %d seconds from UTC", s, seconds)
		}
		if v := SessionZone(loc); strings.ContainsAny(v, "'\\") {
			t.Errorf("%q gives %q to SQL", s, v)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"jdbc:mysql://u:SECRET@h/d?serverTimezone=GMT+8&password=SECRET", "jdbc:postgresql://h/d?ssl=true", "jdbc:sqlite:x?cache_size=1", "jdbc:mysql://h/d?sessionVariables=a='b,c'"} {
		f.Add(s)
	}
	const canary = "s3cr!t~canary"
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ReplaceAll(s, "SECRET", canary)
		if !Is(s) {
			return
		}
		if _, err := Parse(s); err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("the error holds a value: %v", err)
		}
	})
}
