package drivers

import "testing"

func TestSQLConfig_Resolve(t *testing.T) {
	t.Parallel()
	my := func(c SQLConfig) string {
		tg, bad := c.resolve()
		if bad != nil {
			return bad.Error()
		}
		if !tg.my.ClientFoundRows || !tg.my.ParseTime {
			t.Errorf("%v: clientFoundRows %v, parseTime %v", c, tg.my.ClientFoundRows, tg.my.ParseTime)
		}
		return tg.my.User + "|" + tg.my.Passwd + "|" + tg.my.Addr + "|" + tg.my.DBName
	}
	for c, want := range map[SQLConfig]string{
		{DSN: "u:p@tcp(h:1)/d?clientFoundRows=false&parseTime=false"}: "u|p|h:1|d",
		{DSN: "root@tcp(h:1)/d"}:                                      "root||h:1|d",
		{DSN: "u:p@x@tcp(h)/d"}:                                       "u|p@x|h:3306|d",
		{DSN: "mysql://u:p%2F@h/d?timeout=3s"}:                        "u|p/|h:3306|d",
		{DSN: "mariadb://[::1]:3307/d", Username: "v", Password: "q"}: "v|q|[::1]:3307|d",
		{DSN: "jdbc:mysql://h/d", Username: "v", Password: "q@/:"}:    "v|q@/:|h:3306|d",
		{DSN: "/d", Dialect: "mariadb"}:                               "||127.0.0.1:3306|d",
	} {
		if got := my(c); got != want {
			t.Errorf("%v: %s, want %s", c, got, want)
		}
	}
	tg, bad := SQLConfig{DSN: "jdbc:postgresql://h1:1,h2:2/d?user=x", Username: "v", Password: "q@/:"}.resolve()
	if bad != nil || tg.pg.User != "v" || tg.pg.Password != "q@/:" || tg.pg.Host != "h1" || len(tg.pg.Fallbacks) == 0 {
		t.Errorf("%v %v", tg.pg, bad)
	}
	for dsn, want := range map[string]string{
		"sqlite:x.db": SQLite, "sqlite:///abs/x.db": SQLite, "file:x.db": SQLite, "host=h dbname=d": Postgres,
		"postgresql://h/d": Postgres, "@unix(/run/mysqld.sock)/d": MySQL,
	} {
		if tg, bad := (SQLConfig{DSN: dsn}).resolve(); bad != nil || tg.dialect != want {
			t.Errorf("%s: %s %v", dsn, tg.dialect, bad)
		}
	}
}
