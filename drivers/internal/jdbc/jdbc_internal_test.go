package jdbc

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"jdbc:postgresql://db:5433/shop":                                              "postgres://db:5433/shop",
		"jdbc:postgresql:shop":                                                        "postgres://localhost/shop",
		"jdbc:postgresql:///shop":                                                     "postgres://localhost/shop",
		"jdbc:postgresql://h1:1,h2:2/shop?targetServerType=primary":                   "postgres://h1:1,h2:2/shop?target_session_attrs=primary",
		"jdbc:postgresql://[::1]:5432/shop":                                           "postgres://[::1]:5432/shop",
		"jdbc:postgresql://h/d?user=u&password=p%40s&ssl=true":                        "postgres://h/d?password=p%40s&sslmode=verify-full&user=u",
		"jdbc:postgresql://h/d?sslmode=require&ssl=true&reWriteBatchedInserts=true":   "postgres://h/d?sslmode=require",
		"jdbc:postgresql://h/d?currentSchema=a,b&ApplicationName=x&connectTimeout=10": "postgres://h/d?application_name=x&connect_timeout=10&search_path=a%2Cb",
		"JDBC:mysql://db/shop":                                                        "tcp(db:3306)/shop?tls=preferred",
		"jdbc:mariadb://db:3307/shop?user=u&password=p%26":                            "u:p&@tcp(db:3307)/shop",
		"jdbc:mysql://h/d?useSSL=false&characterEncoding=UTF-8&serverTimezone=Asia/Shanghai&rewriteBatchedStatements=true": "tcp(h:3306)/d?tls=false",
		"jdbc:mysql://h/d?serverTimezone=LOCAL&connectTimeout=3000&socketTimeout=0":                                        "tcp(h:3306)/d?timeout=3000ms&tls=preferred",
		"jdbc:mysql://h/d?sslMode=VERIFY_CA":                                         "tcp(h:3306)/d?tls=true",
		"jdbc:mariadb://h/d?sslMode=trust":                                           "tcp(h:3306)/d?tls=skip-verify",
		"jdbc:mysql://h/d?useSSL=true":                                               "tcp(h:3306)/d?tls=preferred",
		"jdbc:mysql://h/d?useSSL=true&requireSSL=true&verifyServerCertificate=false": "tcp(h:3306)/d?tls=skip-verify",
		"jdbc:mysql://h/d?useSSL=true&verifyServerCertificate=true":                  "tcp(h:3306)/d?tls=true",
		"jdbc:sqlite:shop.db":                                                        "sqlite:shop.db",
		"jdbc:sqlite:/var/lib/shop.db?busy_timeout=5000&foreign_keys=true":           "sqlite:/var/lib/shop.db?_busy_timeout=5000&_foreign_keys=true",
		`jdbc:sqlite:D:\data\shop.db`:                                                `sqlite:D:\data\shop.db`,
		"jdbc:sqlite::memory:":                                                       "file::memory:",
		"jdbc:sqlite:file:x.db?mode=ro":                                              "file:x.db?mode=ro",
	} {
		got, err := Parse(in)
		if err != nil || got.DSN != want {
			t.Errorf("%s\n got %s %v\nwant %s", in, got.DSN, err, want)
		}
	}
	for in, want := range map[string]string{
		"jdbc:":                                     "not a JDBC URL",
		"jdbc:h2:mem:x":                             "not a JDBC URL",
		"jdbc:mysql:replication://h1,h2/d":          "name the one that takes writes",
		"jdbc:mysql://h1,h2/d":                      "several hosts",
		"jdbc:mysql://h/d?sslMode=SOMEHOW":          "sslMode",
		"jdbc:mysql://h/d?noSuchThing=1":            "noSuchThing has no counterpart",
		"jdbc:mysql://h/d?se!cret=1":                "(not a name) has no counterpart",
		"jdbc:mysql://h/d?socketTimeout=5s":         "socketTimeout is not a number of milliseconds",
		"jdbc:mysql://h/d?characterEncoding=latin1": "not UTF-8",
		"jdbc:postgresql://u:p@h/d":                 "holds no user before its host",
		"jdbc:postgresql://h/d?connectTimeout=5s":   "not a number of seconds",
		"jdbc:postgresql://h/d?targetServerType=x":  "targetServerType",
		"jdbc:postgresql://h/d?a=%zz":               "percent-encoded",
		"jdbc:sqlite:x.db?a=1":                      "a has no counterpart",
	} {
		if _, err := Parse(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
}
