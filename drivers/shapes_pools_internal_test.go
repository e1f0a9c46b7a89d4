package drivers

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestShapes_Pools(t *testing.T) {
	t.Parallel()
	one := func(text string) map[string]string {
		return map[string]string{"application.yml": "spring.datasource.url: jdbc:postgresql://h/a\n" + text}
	}
	mysql := func(text string) map[string]string {
		return map[string]string{"application.yml": "spring.datasource.url: jdbc:mysql://h/a?useSSL=false\n" + text}
	}
	const hikari = "HikariCP, README: Configuration"
	runShapes(t, []shape{
		{name: "Hikari", doc: hikari, files: one(`spring.datasource.hikari:
  schema: shop
  connection-init-sql: SET ROLE app
  transaction-isolation: TRANSACTION_REPEATABLE_READ
  read-only: true
  maximum-pool-size: 7
  minimum-idle: 2
  max-lifetime: 60000
  idle-timeout: PT2M
  connection-timeout: 4s
  pool-name: x
  leak-detection-threshold: 1000
`), dsn: pg("a"), check: func(c Config) bool {
			s := c.SQL
			return s.Schema == "shop" && s.InitSQL == "SET ROLE app" && s.Isolation == "TRANSACTION_REPEATABLE_READ" && s.ReadOnly && s.MaxOpenConns == 7 &&
				s.ConnMaxLifetime == time.Minute && s.ConnMaxIdleTime == 2*time.Minute && s.DialTimeout == 4*time.Second
		}},
		{name: "HikariForever", doc: hikari, files: one("spring.datasource.hikari: {max-lifetime: 0, idle-timeout: 0}\n"), dsn: pg("a"), check: func(c Config) bool {
			return c.SQL.ConnMaxLifetime > 10000*time.Hour && c.SQL.ConnMaxIdleTime > 10000*time.Hour
		}},
		{name: "HikariIsolationByNumber", doc: "java.sql.Connection, Constant Field Values", files: one("spring.datasource.hikari.transaction-isolation: 2\n"), dsn: pg("a"), check: func(c Config) bool { return c.SQL.Isolation == "read committed" }},
		{name: "HikariIsolationUnknown", doc: hikari, files: one("spring.datasource.hikari.transaction-isolation: SNAPSHOT\n"), bad: []string{"application.yml: line 2: spring.datasource.hikari.transaction-isolation: is not an isolation level"}},
		{name: "HikariProperties", doc: hikari, files: mysql("spring.datasource.hikari.data-source-properties: {cachePrepStmts: true, serverTimezone: UTC, useSSL: false}\n"), dsn: "jdbc:mysql://h/a?useSSL=false&cachePrepStmts=true&serverTimezone=UTC"},
		{name: "HikariPropertiesConflict", doc: "MySQL Connector/J guide: properties given apart win; pgjdbc: those of the URL", files: mysql("spring.datasource.hikari.data-source-properties.useSSL: true\n"), bad: []string{"application.yml: line 2: spring.datasource.hikari.data-source-properties.useSSL: gives a parameter of the driver another value"}},
		{name: "HikariUnknownProperty", doc: hikari, files: mysql("spring.datasource.hikari.data-source-properties.noSuch: 1\n"), bad: []string{"the JDBC parameter noSuch has no counterpart"}},
		{name: "HikariDataSourceClass", doc: hikari, files: one("spring.datasource.hikari.data-source-class-name: x\n"), bad: []string{"line 2: spring.datasource.hikari.data-source-class-name: names a class"}},
		{name: "HikariSchemaOnMySQL", doc: "MySQL Connector/J: setSchema does nothing while databaseTerm is CATALOG", files: mysql("spring.datasource.hikari.schema: other\n"), dsn: "jdbc:mysql://h/a?useSSL=false", check: func(c Config) bool { return c.SQL.Schema == "" }},
		{name: "HikariCatalogOnMySQL", doc: hikari, files: mysql("spring.datasource.hikari.catalog: other\n"), dsn: "jdbc:mysql://h/other?useSSL=false"},
		{name: "ScriptIsNoSchema", doc: "Spring Boot 2.4 reference, Initialize a Database: spring.datasource.schema is a script", files: one("spring.datasource.schema: classpath:schema.sql\n"), dsn: pg("a"), check: func(c Config) bool { return c.SQL.Schema == "" }},
		{name: "DBCP2", doc: "Commons DBCP, BasicDataSource Configuration Parameters", files: one(`spring.datasource:
  type: org.apache.commons.dbcp2.BasicDataSource
  hikari.maximum-pool-size: 99
  dbcp2: {max-total: 6, max-idle: 3, max-wait-millis: 2000, max-conn-lifetime-millis: 60000, default-schema: s, default-read-only: true, default-transaction-isolation: READ_COMMITTED, connection-init-sqls: SELECT 1}
`), dsn: pg("a"), check: func(c Config) bool {
			s := c.SQL
			return s.MaxOpenConns == 6 && s.MaxIdleConns == 3 && s.DialTimeout == 2*time.Second && s.ConnMaxLifetime == time.Minute && s.Schema == "s" && s.ReadOnly && s.InitSQL == "SELECT 1"
		}},
		{name: "Tomcat", doc: "The Tomcat JDBC Connection Pool, Attributes", files: one("spring.datasource.tomcat: {max-active: 5, max-idle: 4, max-wait: 1000, max-age: 60000, init-s-q-l: SELECT 1, default-transaction-isolation: SERIALIZABLE}\n"), dsn: pg("a"), check: func(c Config) bool {
			s := c.SQL
			return s.MaxOpenConns == 5 && s.MaxIdleConns == 4 && s.DialTimeout == time.Second && s.ConnMaxLifetime == time.Minute && s.InitSQL == "SELECT 1" && s.Isolation == "SERIALIZABLE"
		}},
		{
			name: "Druid", doc: "Druid wiki, DruidDataSource configuration", files: mysql("spring.datasource.druid: {max-active: 5, max-wait: -1, phy-timeout-millis: 60000, connect-properties: {serverTimezone: UTC, druid.stat.mergeSql: true}, filters: stat}\n"),
			dsn: "jdbc:mysql://h/a?useSSL=false&serverTimezone=UTC", check: func(c Config) bool {
				return c.SQL.MaxOpenConns == 5 && c.SQL.DialTimeout == 0 && c.SQL.ConnMaxLifetime == time.Minute
			},
		},
		{name: "DruidDecrypts", doc: "Druid wiki, ConfigFilter", files: mysql("spring.datasource.druid: {password: abc, connection-properties: 'config.decrypt=true;config.decrypt.key=k'}\n"), bad: []string{"line 2: spring.datasource.druid.connection-properties: makes Druid decrypt the password"}},
		{name: "Unlimited", doc: "Commons DBCP, BasicDataSource Configuration Parameters", files: one("spring.datasource.dbcp2.max-total: -1\n"), bad: []string{"line 2: spring.datasource.dbcp2.max-total: is negative"}},
	})
}

func TestShapes_Mongo(t *testing.T) {
	t.Parallel()
	one := func(text string) map[string]string { return map[string]string{"application.yml": text} }
	uri := func(want string) func(Config) bool { return func(c Config) bool { return c.Mongo.URI == want } }
	runShapes(t, []shape{
		{name: "Boot2And3", doc: bootMongo, files: one("spring.data.mongodb.uri: mongodb://h/cat\n"), check: func(c Config) bool { return c.Mongo.URI == "mongodb://h/cat" && c.Mongo.Database == "cat" }},
		{name: "Boot4", doc: "Spring Boot 4 API, MongoProperties", files: one("spring.mongodb.uri: mongodb://h/cat\nspring.data.mongodb.auto-index-creation: false\n"), check: uri("mongodb://h/cat")},
		{name: "BothTheSame", doc: "Spring Boot 4 API, MongoProperties", files: one("spring.mongodb.uri: mongodb://h/cat\nspring.data.mongodb.uri: mongodb://h/cat\n"), check: uri("mongodb://h/cat")},
		{name: "BothDiffer", doc: "Spring Boot 4 API, MongoProperties", files: one("spring.mongodb.uri: mongodb://h/cat\nspring.data.mongodb.uri: mongodb://h/dog\n"), bad: []string{"line 2: spring.data.mongodb.uri: differs from spring.mongodb"}},
		{name: "Parts", doc: bootMongo, files: one("spring.data.mongodb: {host: a, additional-hosts: ['b:1', c], database: cat, username: u, password: p, replica-set-name: rs}\n"), check: uri("mongodb://a:27017,b:1,c:27017/?authSource=cat&replicaSet=rs")},
		{name: "PartsWithoutDatabase", doc: "MongoProperties.getMongoClientDatabase of Spring Boot", files: one("spring.data.mongodb: {host: a, username: u, password: p}\n"), check: func(c Config) bool {
			return c.Mongo.URI == "mongodb://a:27017/?authSource=test" && c.Mongo.Database == "test"
		}},
		{name: "SRV", doc: "Spring Boot 4 API, MongoProperties.setProtocol", files: one("spring.mongodb: {protocol: mongodb+srv, host: h.example.com, database: cat}\n"), check: uri("mongodb+srv://h.example.com/?")},
		{name: "SSL", doc: bootMongo, files: one("spring.data.mongodb: {uri: 'mongodb://h/cat', ssl.enabled: true}\n"), check: uri("mongodb://h/cat?tls=true")},
		{name: "SSLBundle", doc: "Spring Boot reference, SSL", files: one("spring.data.mongodb: {uri: 'mongodb://h/cat?w=majority', ssl.bundle: my-db}\nspring.ssl.bundle.pem.my-db.truststore.certificate: file:/etc/ca.pem\n"), check: uri("mongodb://h/cat?w=majority&tls=true&tlsCAFile=%2Fetc%2Fca.pem")},
		{name: "SSLBundleOfJava", doc: "Spring Boot reference, SSL", files: one("spring.data.mongodb: {uri: 'mongodb://h/cat', ssl.bundle: my-db}\nspring.ssl.bundle.jks.my-db.truststore.location: x.jks\n"), bad: []string{"line 1: spring.data.mongodb.ssl.bundle: names a bundle that is not one of PEM files"}},
		{name: "SSLOff", doc: bootMongo, files: one("spring.data.mongodb: {uri: 'mongodb://h/cat', ssl.enabled: false}\n"), check: uri("mongodb://h/cat")},
		{name: "AutoIndex", doc: "Spring Data MongoDB reference, Index Creation", files: one("spring.data.mongodb: {uri: 'mongodb://h/cat', auto-index-creation: true}\n"), bad: []string{"line 1: spring.data.mongodb.auto-index-creation: makes Java create indexes"}},
		{name: "UUIDStandard", doc: bootMongo, files: one("spring.data.mongodb: {uri: 'mongodb://h/cat', uuid-representation: standard}\n"), check: uri("mongodb://h/cat")},
		{name: "UUIDLegacy", doc: bootMongo, files: one("spring.data.mongodb: {uri: 'mongodb://h/cat', uuid-representation: java-legacy}\n"), bad: []string{"line 1: spring.data.mongodb.uuid-representation: makes Java write UUIDs"}},
		{name: "UUIDLegacyBoot4", doc: "Spring Boot 4 API, MongoProperties.Representation", files: one("spring.mongodb: {uri: 'mongodb://h/cat', representation.uuid: JAVA_LEGACY}\n"), bad: []string{"spring.mongodb.representation.uuid: makes Java"}},
	})
}

// Ensure that what changes nothing is told once, without values, and only to those
// who ask.
func TestLoad_LogsWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := shape{
		files: map[string]string{"application.yml": "spring.datasource.url: jdbc:mysql://h/a?cachePrepStmts=true\nspring.datasource.hikari: {pool-name: s3cr!t~canary, minimum-idle: 3}\n"},
		opts:  &LoadOptions{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))},
	}
	if _, err := s.load(t); err != nil {
		t.Fatal(err)
	}
	text := log.String()
	if strings.Count(text, "\n") != 1 || strings.Contains(text, "canary") || !strings.Contains(text, "level=DEBUG") {
		t.Error(text)
	}
	for _, name := range []string{"pool-name", "minimum-idle", "cachePrepStmts"} {
		if !strings.Contains(text, name) {
			t.Errorf("%s is not told: %s", name, text)
		}
	}
}
