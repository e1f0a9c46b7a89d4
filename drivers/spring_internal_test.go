package drivers

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

const springEtcd = "leopold.etcd.endpoint: https://m1:2379\n"

func TestParse_SpringStarter(t *testing.T) {
	t.Parallel()
	want := EtcdConfig{Endpoints: []string{"https://m1:2379", "https://m2:2379"}, CA: "ca", Cert: "c", Key: "k"}
	for name, text := range map[string]string{
		"Nested":      "leopold:\n  etcd:\n    endpoint: https://m1:2379,https://m2:2379\n    cert: ca\n    keyCert: c\n    keyFile: k\n",
		"Dotted":      "leopold.etcd.endpoint: https://m1:2379, https://m2:2379\nleopold.etcd.cert: ca\nleopold.etcd.keyCert: c\nleopold.etcd.keyFile: k\n",
		"Mixed":       "acme.cloud:\n  etcd.endpoint: https://m1:2379,https://m2:2379\n  etcd: {cert: ca, key-cert: c, key-file: k}\n",
		"Underscores": "LEOPOLD:\n  ETCD:\n    ENDPOINT: https://m1:2379,https://m2:2379\n    CERT: ca\n    KEY_CERT: c\n    KEY_FILE: k\n",
		"List":        "x.etcd:\n  endpoint:\n  - https://m1:2379\n  - https://m2:2379\n  cert: ca\n  keycert: c\n  keyfile: k\n",
		"Anchors":     "base: &b {cert: ca, keyCert: c}\nx:\n  etcd:\n    <<: *b\n    endpoint: https://m1:2379,https://m2:2379\n    keyFile: &k k\n",
		"MergeList":   "a: &a {cert: ca}\nb: &b {cert: no, keyCert: c}\nx:\n  etcd:\n    <<: [*a, *b]\n    endpoint: https://m1:2379,https://m2:2379\n    keyFile: k\n",
	} {
		if c := mustParse(t, text); !reflect.DeepEqual(c, Config{Etcd: want}) {
			t.Errorf("%s: %v", name, c)
		}
	}
	wantProblems(t, "a.etcd.endpoint: http://h:1\nb.etcd.endpoint: http://h:2\n", nil, "line 2: b.etcd.endpoint: etcd is configured under more than one prefix")
	wantProblems(t, "leopold:\n  etcd:\n    endpoint: https://m1\n    cert: ca\n    keyCert: c\n", nil,
		"line 3: leopold.etcd.endpoint[0]: has no port", "leopold.etcd.keyFile: is not set, but leopold.etcd.keyCert is")
	wantProblems(t, "leopold:\n  etcd:\n    cert: ca\n", nil, "leopold.etcd.endpoint: is not set")
	wantProblems(t, "x:\n  etcd:\n    endpoint: http://h:1\n    endpoint: http://h:2\n", nil, "line 4: x.etcd.endpoint: is given twice")
}

func TestParse_SpringEnvironment(t *testing.T) {
	t.Parallel()
	text := springEtcd + "leopold.etcd.keyCert: a\nleopold.etcd.keyFile: b\nspring.datasource: {url: 'jdbc:mysql://h/d', username: u, password: '${PW}'}\n"
	c := mustParse(t, text, "LEOPOLD_ETCD_ENDPOINT=https://e:2379", "LEOPOLD_ETCD_KEY_CERT=c", "LEOPOLD_ETCD_KEYFILE=k",
		"SPRING_DATASOURCE_PASSWORD=p", "SPRING_DATASOURCE_USERNAME=v", "HOLDFAST_SQL_USERNAME=w")
	if c.Etcd.Endpoints[0] != "https://e:2379" || c.Etcd.Cert != "c" || c.Etcd.Key != "k" || c.SQL.Username != "w" || c.SQL.Password != "p" {
		t.Errorf("%v %q", c, c.SQL.Password)
	}
	// What the environment replaces may be wrong.
	c = mustParse(t, text, "HOLDFAST_SQL_PASSWORD=q")
	if c.SQL.Password != "q" {
		t.Errorf("%q", c.SQL.Password)
	}
	wantProblems(t, text, nil, "line 4: spring.datasource.password: has a placeholder without a value and without a default: PW")
	wantProblems(t, springEtcd+"spring.datasource: {url: 'jdbc:h2:mem:x'}", nil, "line 2: spring.datasource.url: not a JDBC URL for PostgreSQL")
	if c := mustParse(t, springEtcd+"spring.datasource: {url: 'jdbc:h2:mem:x'}", "HOLDFAST_SQL_DSN=sqlite:x.db"); c.SQL.DSN != "sqlite:x.db" {
		t.Errorf("%v", c)
	}
}

func TestParse_SpringPlaceholders(t *testing.T) {
	t.Parallel()
	env := []string{"HOST=h1", "MY_REGION=eu", "EU_HOST=h2"}
	for written, want := range map[string]string{
		"${HOST}":                  "h1",
		"${HOST:x}-${NONE:y}":      "h1-y",
		"${NONE:${HOST}}":          "h1",
		"${NONE:${NONE2:deep}}":    "deep",
		"${NONE:}":                 "",
		"${NONE:a:b}":              "a:b",
		"${my.region}":             "eu",
		"${my-region}":             "eu",
		"${ref.a}":                 "h1!",
		"${refA:unused}":           "h1!",
		"${${WHICH:EU}_HOST}":      "h2",
		"${unclosed":               "${unclosed",
		"$HOST {HOST} $${HOST}":    "$HOST {HOST} $h1",
		"${NONE:{\"a\"}}":          "{\"a\"}",
		"${ NONE : spaced }":       " spaced ",
		"${NONE:${NONE:x}-${HOST}": "${NONE:x-h1",
	} {
		text := springEtcd + "ref.a: ${HOST}!\nref-a: ${HOST}!\nleopold.etcd.serverName: '" + written + "'\n"
		if got := mustParse(t, text, env...).Etcd.ServerName; got != want {
			t.Errorf("%s gives %q, want %q", written, got, want)
		}
	}
	for written, want := range map[string]string{
		"${NONE}":        "without a default: NONE",
		"${a b!}":        "without a default",
		"${loop.a}":      "leads back to itself: loop.a",
		"${NONE:${LOS}}": "without a default: LOS",
		"${bomb.9}":      "too many placeholders",
	} {
		var b strings.Builder
		b.WriteString(springEtcd + "loop.a: ${loop.b}\nloop.b: ${loop.a}\nbomb.0: x\nleopold.etcd.serverName: '" + written + "'\n")
		for i := range 9 {
			fmt.Fprintf(&b, "bomb.%d: %s\n", i+1, strings.Repeat(fmt.Sprintf("${bomb.%d}", i), 10))
		}
		text := b.String()
		wantProblems(t, text, env, "leopold.etcd.serverName: has ")
		wantProblems(t, text, env, want)
	}
	// One that is not used does not matter.
	mustParse(t, springEtcd+"other: ${NONE}\n")
	wantProblems(t, springEtcd+"leopold.etcd.password: ENC(abc)\nleopold.etcd.username: u", nil,
		"leopold.etcd.password: is encrypted for Java by Jasypt (ENC); give the plain value in the environment variable HOLDFAST_ETCD_PASSWORD")
}

func TestParse_SpringProfiles(t *testing.T) {
	t.Parallel()
	text := `
spring.profiles.group.live: prod, eu
leopold.etcd.endpoint: http://base:1
---
spring.config.activate.on-profile: prod
leopold.etcd.endpoint: http://prod:1
---
spring:
  config.activate.on-profile: "!prod & (dev | test)"
leopold:
  etcd:
    endpoint: http://dev:1
---
spring.profiles: old
leopold.etcd.endpoint: http://old:1
---
spring.config.activate.on-profile: [a, b]
leopold.etcd.endpoint: http://ab:1
---
spring.config.activate.on-profile: default
leopold.etcd.username: someone
leopold.etcd.password: x
`
	for active, want := range map[string]string{
		"": "base", "prod": "prod", "dev": "dev", "test": "dev", "dev,prod": "prod", "old": "old", "live": "prod", "a": "ab", "x, b": "ab",
	} {
		c := mustParse(t, text, "SPRING_PROFILES_ACTIVE="+active)
		if c.Etcd.Endpoints[0] != "http://"+want+":1" || (c.Etcd.Username != "") != (active == "") {
			t.Errorf("%q: %v", active, c)
		}
	}
	if c := mustParse(t, "spring.profiles.active: dev\n"+text); c.Etcd.Endpoints[0] != "http://dev:1" {
		t.Errorf("%v", c)
	}
	if c := mustParse(t, "spring.profiles.active: dev\n"+text, "SPRING_PROFILES_ACTIVE=old"); c.Etcd.Endpoints[0] != "http://old:1" {
		t.Errorf("%v", c)
	}
	for _, expr := range []string{"(a", "a &", "| b", "!", "a b", "()"} {
		wantProblems(t, springEtcd+"---\nspring.config.activate.on-profile: '"+expr+"'\n", nil, "is not a profile expression")
	}
}

func TestParse_SpringDatabases(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `
spring:
  datasource:
    url: jdbc:postgresql://db/shop
    username: u
    password: p@ss/word
    hikari: {maximum-pool-size: 7, max-lifetime: 60000, idle-timeout: PT2M}
  data.mongodb: {host: m, port: 27018, database: cat, username: mu, password: "m:p@", authentication-database: admin}
`)
	want := Config{
		SQL:   SQLConfig{DSN: "jdbc:postgresql://db/shop", Username: "u", Password: "p@ss/word", MaxOpenConns: 7, ConnMaxLifetime: time.Minute, ConnMaxIdleTime: 2 * time.Minute},
		Mongo: MongoConfig{URI: "mongodb://m:27018/?authSource=admin", Database: "cat", Username: "mu", Password: "m:p@"},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %v\nwant %v", c, want)
	}
	c = mustParse(t, "spring.mongodb.uri: mongodb://h/cat?replicaSet=rs\nspring.datasource.username: alone\n")
	if want := (Config{Mongo: MongoConfig{URI: "mongodb://h/cat?replicaSet=rs", Database: "cat"}}); !reflect.DeepEqual(c, want) {
		t.Errorf("%v", c)
	}
	c = mustParse(t, "spring.data.mongodb: {uri: 'mongodb://h/cat', database: other, username: ignored, password: x}\n")
	if want := (MongoConfig{URI: "mongodb://h/cat", Database: "other"}); c.Mongo != want {
		t.Errorf("%v", c)
	}
	wantProblems(t, "spring.data.mongodb: {host: 'a@b'}", nil, "spring.data.mongodb.host: is not a host name")
	wantProblems(t, "spring.data.mongodb: {host: a, port: x}", nil, "spring.data.mongodb.port: is not a port number")
	wantProblems(t, "spring.datasource: {url: 'jdbc:postgresql://h/d', hikari: {maximumPoolSize: lots}}", nil, "spring.datasource.hikari.maximumPoolSize: is not a whole number")
}
