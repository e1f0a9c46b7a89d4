package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/drivers/internal/jdbc"
	"github.com/holdfast-go/holdfast/drivers/internal/spring"
)

func mustParse(t *testing.T, text string, env ...string) Config {
	t.Helper()
	c, err := parse([]byte(text), spring.NewEnviron(env))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c
}

// wantProblems checks that exactly the given mistakes are reported.
func wantProblems(t *testing.T, text string, env []string, want ...string) {
	t.Helper()
	_, err := parse([]byte(text), spring.NewEnviron(env))
	var all *Error
	if !errors.As(err, &all) || !errors.Is(err, ErrInvalid) {
		t.Fatalf("got %v, want the mistakes %q", err, want)
	}
	var got []string
	for _, p := range all.Problems {
		got = append(got, p.Error())
	}
	ok := len(got) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = strings.Contains(got[i], want[i])
	}
	if !ok {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestParse_WindowsPaths(t *testing.T) {
	t.Parallel()
	const want = `D:\app\etcd\ca\new.crt`
	for name, written := range map[string]string{
		"Plain":         `D:\app\etcd\ca\new.crt`,
		"Single":        `'D:\app\etcd\ca\new.crt'`,
		"Double":        `"D:\app\etcd\ca\new.crt"`,
		"DoubleComment": `"D:\app\etcd\ca\new.crt"  # the authority`,
		"DoubleEscaped": `"D:\\app\\etcd\\ca\\new.crt"`,
		"Placeholder":   `${CA_DIR:D:\app\etcd\ca}\new.crt`,
	} {
		for format, text := range map[string]string{
			"Spring": "leopold:\n  etcd:\n    endpoint: https://m1:2379\n    cert: %s\n",
			"Dotted": "leopold.etcd.endpoint: https://m1:2379\nleopold.etcd.cert: %s\n",
			"Native": "etcd:\n  endpoints: https://m1:2379\n  ca: %s\n",
		} {
			if name == "Placeholder" && format == "Native" {
				continue
			}
			for _, newline := range []string{"\n", "\r\n"} {
				c := mustParse(t, strings.ReplaceAll(fmt.Sprintf(text, written), "\n", newline))
				if c.Etcd.CA != want {
					t.Errorf("%s, %s: %q", name, format, c.Etcd.CA)
				}
			}
		}
	}
	// Where the meaning is not certain, the error says what to do.
	wantProblems(t, "etcd: {endpoints: 'https://m1:2379', ca: \"D:\\etcd\\x\"}", nil, "line 1: a backslash in double quotes begins an escape")
	wantProblems(t, "etcd: {endpoints: 'https://m1:2379', ca: \"D:\\app\\new\"}", nil, "line 1: etcd.ca: holds a control character")
}

func TestParse_Native(t *testing.T) {
	t.Parallel()
	t.Run("EnvironmentOverrides", func(t *testing.T) {
		t.Parallel()
		c := mustParse(t, "etcd:\n  endpoints: [http://a:1]\n  dialTimeout: wrong\n",
			"HOLDFAST_ETCD_ENDPOINTS=https://b:2379, https://c:2379", "HOLDFAST_ETCD_KEEP_ALIVE_TIME=2s",
			"HOLDFAST_SQL_DSN=sqlite:x.db", "HOLDFAST_SQL_MAX_OPEN_CONNS=3", "HOLDFAST_MONGO_URI=mongodb://h/cat",
			"HOLDFAST_ETCD_DIAL_TIMEOUT=7s", "HOLDFAST_ETCD_CA=")
		want := Config{
			Etcd:  EtcdConfig{Endpoints: []string{"https://b:2379", "https://c:2379"}, KeepAliveTime: 2 * time.Second, DialTimeout: 7 * time.Second},
			SQL:   SQLConfig{DSN: "sqlite:x.db", MaxOpenConns: 3},
			Mongo: MongoConfig{URI: "mongodb://h/cat", Database: "cat"},
		}
		if !reflect.DeepEqual(c, want) {
			t.Errorf("got %v", c)
		}
	})
	t.Run("EveryFieldHasAVariable", func(t *testing.T) {
		t.Parallel()
		for _, f := range allFields() {
			text := "1s"
			if strings.HasSuffix(f.name, "Conns") {
				text = "1"
			}
			if f.name == "sql.readOnly" {
				text = "true"
			}
			var c Config
			if err := f.set(&c, value{text: text}); err != nil || reflect.DeepEqual(c, Config{}) {
				t.Errorf("%s sets nothing: %v", f.name, err)
			}
			if !strings.HasPrefix(f.env(), "HOLDFAST_") || strings.ToUpper(f.env()) != f.env() {
				t.Errorf("%s: %s", f.name, f.env())
			}
		}
		// Every exported field but the loggers can be set.
		n := 0
		for _, s := range []any{EtcdConfig{}, SQLConfig{}, MongoConfig{}} {
			for _, f := range reflect.VisibleFields(reflect.TypeOf(s)) {
				if f.Name != "Logger" {
					n++
				}
			}
		}
		if len(allFields()) != n {
			t.Errorf("%d fields in the table, %d in the structs", len(allFields()), n)
		}
	})
	t.Run("AllMistakesAtOnce", func(t *testing.T) {
		t.Parallel()
		wantProblems(t, `
etcd:
  endpoint: https://m1:2379
  endpoints: [https://m1:2379, http://m2:2379, "https://u:p@m3:2379", "m4", "ftp://m5:21"]
  cert: client.crt
  keepAliveTime: 10ms
  dialTimeout: 5
  username: u
sql:
  dialect: oracle
  dsn: [a]
  maxOpenConns: many
  maxIdleConns: -1
  password: 1
  password: 2
mongo:
  uri: mongodb://h/?w=1
redis: {}
`, []string{"HOLDFAST_SQL_CONN_MAX_LIFETIME=soon"},
			"line 3: etcd.endpoint: unknown field; etcd has endpoints, ca, cert",
			"line 7: etcd.dialTimeout: is not a duration with a unit",
			"line 11: sql.dsn: is a list",
			"line 12: sql.maxOpenConns: is not a whole number",
			"line 15: sql.password: is given twice",
			"line 18: redis: unknown field",
			"HOLDFAST_SQL_CONN_MAX_LIFETIME: is not a duration",
			"line 4: etcd.endpoints[2]: holds a user name",
			"line 4: etcd.endpoints[3]: has no port",
			"line 4: etcd.endpoints[4]: is neither http nor https",
			"line 4: etcd.endpoints: mixes http and https",
			"etcd.key: is not set, but etcd.cert is",
			"etcd.password: is not set, but etcd.username is",
			"line 6: etcd.keepAliveTime: is below a second",
			"line 13: sql.maxIdleConns: is negative",
			"line 17: mongo.uri: asks for a write concern other than w=majority",
		)
	})
	t.Run("Mistakes", func(t *testing.T) {
		t.Parallel()
		for text, want := range map[string]string{
			"- a":                         "line 1: is not a mapping",
			"plain text":                  "line 1: is not a mapping",
			"etcd: 1":                     "etcd: is not a mapping",
			"etcd: {endpoints: {a: 1}}":   "etcd.endpoints: is a mapping",
			"etcd: {endpoints: [{a: 1}]}": "etcd.endpoints: is a list of something other",
			"? [a]\n: 1":                  "a name that is not text",
			"etcd: {}\n---\nsql: {}":      "line 3: a second document",
			"etcd: [":                     "a quote or bracket is not closed",
			"etcd: *x":                    "an alias names an anchor that does not exist",
			"etcd: a: b":                  "line 1: a colon where none is allowed",
			"\tetcd: 1":                   "line 1: a value begins with a character",
			"etcd: {ca: x}":               "etcd.endpoints: is not set",
			"sql: {username: x}":          "sql.dsn: is not set",
			"mongo: {database: x}":        "mongo.uri: is not set",
			"server: {port: 1}":           "server: unknown field; the sections are etcd, sql and mongo (a Spring file",
			"etcd: {endpoints: 'http://a:1', proxy: 'socks5://127.0.0.1:1080'}": "etcd.proxy: names a proxy that is not an HTTP proxy",
			"etcd: {endpoints: 'http://a:1', ca: x}":                            "etcd.endpoints: is http, but a CA",
			"etcd: {endpoints: 'http://a:1', dialTimeout: 5ms}":                 "etcd.dialTimeout: is below 100ms",
			"mongo: {uri: 'mongodb://h/?journal=false'}":                        "mongo.uri: asks for writes that are not journaled",
			"mongo: {uri: 'http://h'}":                                          "mongo.uri: not a MongoDB connection string",
			"mongo: {uri: 'mongodb://h', password: x}":                          "mongo.password: is set without a user name",
		} {
			wantProblems(t, text, nil, want)
		}
	})
	t.Run("EmptyIsNoMistake", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{"", "# nothing\n", "---\n", "etcd:\nsql: {}\n", "~"} {
			if c := mustParse(t, text); !reflect.DeepEqual(c, Config{}) {
				t.Errorf("%q gives %v", text, c)
			}
		}
	})
	t.Run("TextStaysAsWritten", func(t *testing.T) {
		t.Parallel()
		c := mustParse(t, "sql: {dsn: 'sqlite:x', password: 0123}\nmongo: {uri: 'mongodb://h', username: yes, password: '${x}'}")
		if c.SQL.Password != "0123" || c.Mongo.Username != "yes" || c.Mongo.Password != "${x}" {
			t.Errorf("%#q %#q %#q", c.SQL.Password, c.Mongo.Username, c.Mongo.Password)
		}
	})
}

// Ensure that the page on JDBC URLs tells what becomes of every parameter.
func TestJDBCParametersAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/jdbc.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "\n## PostgreSQL")
	postgres, rest, _ := strings.Cut(rest, "\n## MySQL and MariaDB")
	mysql, sqlite, ok := strings.Cut(rest, "\n## SQLite")
	if !ok {
		t.Fatal("docs/jdbc.md has not a section for each database")
	}
	for dialect, section := range map[string]string{Postgres: postgres, MySQL: mysql, SQLite: sqlite} {
		n := 0
		for _, p := range jdbc.Params(dialect) {
			n++
			found := false
			for line := range strings.Lines(section) {
				found = found || strings.Contains(line, "`"+p.Name+"`") && strings.Contains(line, "| "+string(p.Kind)+" |")
			}
			if !found {
				t.Errorf("docs/jdbc.md does not say that %s is %s on %s", p.Name, p.Kind, dialect)
			}
		}
		if n == 0 {
			t.Errorf("%s has no parameters", dialect)
		}
	}
}

// Ensure that the documents name every field and its variable.
func TestFieldsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	spring, err := os.ReadFile("../../docs/spring.md")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range allFields() {
		for _, name := range []string{"`" + f.name + "`", "`" + f.env() + "`"} {
			if !strings.Contains(string(page), name) {
				t.Errorf("docs/configuration.md does not name %s", name)
			}
		}
		if !strings.Contains(string(doc), "//\t"+f.env()) {
			t.Errorf("doc.go does not name %s", f.env())
		}
	}
	for _, n := range append(springNames(), starterNames()...) {
		shown := strings.TrimPrefix(n.shown, "spring.datasource.hikari")
		shown = strings.TrimPrefix(shown, "spring.datasource")
		if !strings.Contains(string(spring), shown) {
			t.Errorf("docs/spring.md does not name %s", n.shown)
		}
	}
}

// springNames are the properties of the default datasource, for the documentation.
func springNames() []mapping {
	return []mapping{
		{"spring.datasource.hikari.jdbcurl", "sql.dsn", "spring.datasource.hikari.jdbc-url"},
		{"spring.datasource.url", "sql.dsn", "spring.datasource.url"},
		{"spring.datasource.username", "sql.username", "spring.datasource.username"},
		{"spring.datasource.password", "sql.password", "spring.datasource.password"},
		{"spring.datasource.hikari.maximumpoolsize", "sql.maxOpenConns", "spring.datasource.hikari.maximum-pool-size"},
		{"spring.datasource.hikari.maxlifetime", "sql.connMaxLifetime", "spring.datasource.hikari.max-lifetime"},
		{"spring.datasource.hikari.idletimeout", "sql.connMaxIdleTime", "spring.datasource.hikari.idle-timeout"},
		{"spring.datasource.hikari.connectiontimeout", "sql.dialTimeout", "spring.datasource.hikari.connection-timeout"},
		{"spring.datasource.hikari.schema", "sql.schema", "spring.datasource.hikari.schema"},
		{"spring.datasource.hikari.connectioninitsql", "sql.initSQL", "spring.datasource.hikari.connection-init-sql"},
		{"spring.datasource.hikari.transactionisolation", "sql.isolation", "spring.datasource.hikari.transaction-isolation"},
		{"spring.datasource.hikari.readonly", "sql.readOnly", "spring.datasource.hikari.read-only"},
	}
}
