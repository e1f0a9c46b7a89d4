package drivers

import (
	"strings"
	"testing"
	"time"
)

func TestShapes_Values(t *testing.T) {
	t.Parallel()
	one := func(text string) map[string]string { return map[string]string{"application.yml": text} }
	runShapes(t, []shape{
		{name: "EnvironmentWins", doc: bootOrder, env: []string{"SPRING_DATASOURCE_URL=" + pg("b"), "SPRING_PROFILES_ACTIVE=prod"}, files: map[string]string{"application.yml": jdbcURL("a"), "application-prod.yml": jdbcURL("c")}, dsn: pg("b")},
		{name: "EnvironmentAlone", doc: bootOrder, env: []string{"SPRING_DATASOURCE_URL=" + pg("b")}, files: one("server.port: 1\n"), dsn: pg("b")},
		{name: "EnvironmentWithoutADot", doc: bootRelaxed, env: []string{"SPRINGDATASOURCEURL=" + pg("b"), "SPRING_DATA_SOURCE_URL=" + pg("c")}, files: one(jdbcURL("a")), dsn: pg("a")},
		{
			name: "EnvironmentOfHikari", doc: bootRelaxed, env: []string{"SPRING_DATASOURCE_HIKARI_MAXIMUMPOOLSIZE=3", "SPRING_DATASOURCE_HIKARI_CONNECTION_TIMEOUT=2000"}, files: one(jdbcURL("a")),
			dsn: pg("a"), check: func(c Config) bool { return c.SQL.MaxOpenConns == 3 && c.SQL.DialTimeout == 2*time.Second },
		},
		{name: "ApplicationJSON", doc: bootJSON, env: []string{`SPRING_APPLICATION_JSON={"spring":{"datasource":{"url":"` + pg("c") + `"}}}`, "SPRING_DATASOURCE_URL=" + pg("b")}, files: one(jdbcURL("a")), dsn: pg("c")},
		{name: "ApplicationJSONBroken", doc: bootJSON, env: []string{`SPRING_APPLICATION_JSON={"a"`}, files: one(jdbcURL("a")), bad: []string{"SPRING_APPLICATION_JSON: is not a JSON object"}},
		{name: "Placeholder", doc: bootPlace, env: []string{"DB_HOST=h", "DB=a"}, files: one("spring.datasource.url: jdbc:postgresql://${DB_HOST:localhost}/${DB}\n"), dsn: pg("a")},
		{name: "PlaceholderFromAProfile", doc: bootPlace, env: []string{"SPRING_PROFILES_ACTIVE=prod"}, files: map[string]string{"application.yml": "db: a\nspring.datasource.url: jdbc:postgresql://h/${db}\n", "application-prod.yml": "db: b\n"}, dsn: pg("b")},
		{name: "PlaceholderWithout", doc: bootPlace, files: one("spring.datasource.url: jdbc:postgresql://h/${DB}\n"), bad: []string{"application.yml: line 1: spring.datasource.url: has a placeholder without a value and without a default: DB"}},
		{name: "PlaceholderOfJava", doc: "java.lang.System.getProperties", files: one("spring.datasource.url: 'jdbc:sqlite:${user.dir}${file.separator}x.db'\n"), check: func(c Config) bool { return len(c.SQL.DSN) > len("jdbc:sqlite:x.db") }},
		{name: "MavenProfile", doc: bootMaven, files: one("spring:\n  profiles:\n    active: @profiles.active@\n  datasource.url: " + pg("a") + "\n"), bad: []string{"line 3: spring.profiles.active: holds a placeholder that the Maven build fills in (@...@)"}},
		{name: "MavenElsewhere", doc: bootMaven, files: one("spring:\n  application:\n    name: @project.artifactId@\n  datasource.url: " + pg("a") + "\n"), dsn: pg("a")},
		{name: "MavenUsed", doc: bootMaven, files: one("spring.datasource:\n  url: jdbc:mysql://@db.host@/shop\n  username: u\n  password: @db.password@\n"), bad: []string{
			"line 2: spring.datasource.url: holds a placeholder that the Maven build fills in (@...@); give the plain value in the environment variable HOLDFAST_SQL_DSN",
			"line 4: spring.datasource.password: holds a placeholder that the Maven build fills in (@...@); give the plain value in the environment variable HOLDFAST_SQL_PASSWORD",
		}},
		{name: "MavenReplaced", doc: bootMaven, env: []string{"HOLDFAST_SQL_PASSWORD=p"}, files: one(jdbcURL("a") + "spring.datasource.password: @db.password@\n"), dsn: pg("a"), check: func(c Config) bool { return c.SQL.Password == "p" }},
		{name: "PasswordWithAts", doc: bootMaven, files: one(jdbcURL("a") + "spring.datasource.password: 'x@y@z'\n"), dsn: pg("a"), check: func(c Config) bool { return c.SQL.Password == "x@y@z" }},
		{name: "Jasypt", doc: "jasypt-spring-boot, README", files: one(jdbcURL("a") + "spring.datasource.password: ENC(abc)\n"), bad: []string{"line 2: spring.datasource.password: is encrypted for Java by Jasypt (ENC); give the plain value in the environment variable HOLDFAST_SQL_PASSWORD"}},
		{name: "Cipher", doc: "Spring Cloud Config reference, Encryption and Decryption", files: one(jdbcURL("a") + "spring.datasource.password: '{cipher}abc'\n"), bad: []string{"is encrypted for Java by Spring Cloud ({cipher})"}},
		{name: "JasyptInAProfile", doc: "jasypt-spring-boot, README", env: []string{"SPRING_PROFILES_ACTIVE=prod"}, files: map[string]string{"application.yml": jdbcURL("a"), "application-prod.yml": "x: y\nspring:\n  datasource:\n    password: ENC(abc)\n"}, bad: []string{"application-prod.yml: line 4: spring.datasource.password: is encrypted"}},
		{name: "NumberAsPassword", doc: "YAML 1.1, Integer Language-Independent Type", files: one(jdbcURL("a") + "spring.datasource.password: 0123\n"), bad: []string{"line 2: spring.datasource.password: is a number to YAML"}},
		{name: "QuotedNumberAsPassword", doc: "YAML 1.1, Integer Language-Independent Type", files: one(jdbcURL("a") + "spring.datasource.password: '0123'\n"), dsn: pg("a"), check: func(c Config) bool { return c.SQL.Password == "0123" }},
		{name: "PlainNumberAsPassword", doc: "YAML 1.1, Integer Language-Independent Type", files: one(jdbcURL("a") + "spring.datasource.password: 123456\n"), dsn: pg("a"), check: func(c Config) bool { return c.SQL.Password == "123456" }},
		{name: "TruthAsUser", doc: "YAML 1.1, Boolean Language-Independent Type", files: one(jdbcURL("a") + "spring.datasource.username: on\n"), dsn: pg("a"), check: func(c Config) bool { return c.SQL.Username == "true" }},
		{name: "ListByIndex", doc: "Spring Boot reference, Mapping YAML to Properties", files: map[string]string{"application.properties": "leopold.etcd.endpoint[0]=http://a:1\nleopold.etcd.endpoint[1]=http://b:2\n"}, check: func(c Config) bool { return len(c.Etcd.Endpoints) == 2 && c.Etcd.Endpoints[1] == "http://b:2" }},
		{name: "ListInBrackets", doc: "OriginTrackedPropertiesLoader of Spring Boot", files: map[string]string{"application.properties": "leopold.etcd.endpoint[]=http://a:1,http://b:2\n"}, check: func(c Config) bool { return len(c.Etcd.Endpoints) == 2 }},
		{name: "AllMistakesAtOnce", doc: bootOrder, env: []string{"SPRING_PROFILES_ACTIVE=prod"}, files: map[string]string{
			"application.yml":      "spring.datasource.url: jdbc:mysql://h/d?noSuch=1&other=2\nspring.datasource.hikari.maximum-pool-size: many\n",
			"application-prod.yml": "leopold.etcd.endpoint: nonsense\nleopold.etcd.dialTimeout: soon\n",
		}, bad: []string{
			"application-prod.yml: line 2: leopold.etcd.dialTimeout: is not a duration",
			"application.yml: line 2: spring.datasource.hikari.maximum-pool-size: is not a whole number",
			"application-prod.yml: line 1: leopold.etcd.endpoint[0]: has no port",
			"application.yml: line 1: spring.datasource.url: the JDBC parameter noSuch has no counterpart here: leave it out, or give the DSN of the Go driver; the JDBC parameter other has no counterpart",
		}},
	})
}

func TestShapes_Datasources(t *testing.T) {
	t.Parallel()
	one := func(text string) map[string]string { return map[string]string{"application.yml": text} }
	const druid = `
spring:
  datasource:
    type: com.alibaba.druid.pool.DruidDataSource
    druid:
      master:
        url: jdbc:mysql://h/ry?password=s3cr!t~canary
        username: root
        password: p
      slave:
        enabled: %s
        url: jdbc:mysql://h2/ry
        username: other
      max-active: 20
      stat-view-servlet.enabled: true
`
	const two = `
spring.datasource:
  first: {url: 'jdbc:postgresql://h/a', username: u1}
  second: {jdbc-url: 'jdbc:postgresql://h/b', username: u2, maximum-pool-size: 7}
`
	const dynamic = `
spring.datasource.dynamic:
  primary: %s
  hikari.max-pool-size: 9
  datasource:
    master: {url: 'jdbc:postgresql://h/a', username: u1}
    report: {url: 'jdbc:postgresql://h/b', username: u2}
`
	replace := func(text, with string) map[string]string {
		return one(strings.ReplaceAll(text, "%s", with))
	}
	runShapes(t, []shape{
		{name: "Hikari", doc: bootDatasource, files: one("spring.datasource.hikari: {jdbc-url: 'jdbc:postgresql://h/a', username: u}\n"), dsn: pg("a"), check: func(c Config) bool { return c.SQL.Username == "u" }},
		{name: "HikariWins", doc: "DataSourceConfiguration.Hikari of Spring Boot binds spring.datasource.hikari last", files: one(jdbcURL("a") + "spring.datasource.username: x\nspring.datasource.hikari: {jdbc-url: 'jdbc:postgresql://h/b', username: u}\n"), dsn: pg("b"), check: func(c Config) bool { return c.SQL.Username == "u" }},
		{name: "OwnHikari", doc: bootDatasource, files: one("spring.datasource: {jdbc-url: 'jdbc:postgresql://h/a', maximum-pool-size: 3}\n"), dsn: pg("a"), check: func(c Config) bool { return c.SQL.MaxOpenConns == 3 }},
		{name: "DruidAlone", doc: "druid-spring-boot-starter, README", files: one("spring.datasource.druid: {url: 'jdbc:mysql://h/d', username: u, password: p, max-active: 4, max-wait: 3000}\n"), dsn: "jdbc:mysql://h/d", check: func(c Config) bool {
			return c.SQL.Username == "u" && c.SQL.MaxOpenConns == 4 && c.SQL.DialTimeout == 3*time.Second
		}},
		{name: "DruidMaster", doc: "druid-spring-boot-starter, README", files: replace(druid, "false"), dsn: "jdbc:mysql://h/ry?password=s3cr!t~canary", check: func(c Config) bool { return c.SQL.Username == "root" && c.SQL.MaxOpenConns == 20 }},
		{name: "DruidMasterAndSlave", doc: "druid-spring-boot-starter, README", files: replace(druid, "true"), bad: []string{"application.yml line 7: jdbc:mysql://h/ry), slave ("}},
		{name: "DruidChosen", doc: "druid-spring-boot-starter, README", opts: &LoadOptions{Datasource: "slave"}, files: replace(druid, "true"), dsn: "jdbc:mysql://h2/ry", check: func(c Config) bool { return c.SQL.Username == "other" && c.SQL.Password == "" }},
		{name: "DruidChosenByPrefix", doc: "druid-spring-boot-starter, README", env: []string{"HOLDFAST_DATASOURCE=spring.datasource.druid.slave"}, files: replace(druid, "true"), dsn: "jdbc:mysql://h2/ry"},
		{name: "ChosenWrongly", doc: bootDatasource, env: []string{"HOLDFAST_DATASOURCE=third"}, files: one(two), bad: []string{"HOLDFAST_DATASOURCE: names no datasource; the file has first ("}},
		{name: "Two", doc: bootDatasource, files: one(two), bad: []string{"line 3: spring.datasource.first.url: is one of several datasources: first ("}},
		{name: "TwoChosen", doc: bootDatasource, opts: &LoadOptions{Datasource: "second"}, files: one(two), dsn: pg("b"), check: func(c Config) bool { return c.SQL.Username == "u2" && c.SQL.MaxOpenConns == 7 }},
		{name: "TwoReplaced", doc: bootDatasource, env: []string{"HOLDFAST_SQL_DSN=sqlite:x.db"}, files: one(two), dsn: "sqlite:x.db"},
		{name: "MainAndAnother", doc: bootDatasource, files: one(jdbcURL("a") + "spring.datasource.second.url: " + pg("b") + "\n"), bad: []string{"is one of several datasources: spring.datasource ("}},
		{name: "MainAndOwnPrefix", doc: bootDatasource, files: one(jdbcURL("a") + "app.second.url: " + pg("b") + "\n"), dsn: pg("a")},
		{name: "MainAndFlyway", doc: "Spring Boot how-to, Execute Flyway Database Migrations on Startup", files: one(jdbcURL("a") + "spring.flyway.url: " + pg("b") + "\n"), dsn: pg("a")},
		{name: "OwnPrefix", doc: bootDatasource, files: one("spring.application.name: x\napp.datasource.orders: {url: 'jdbc:postgresql://h/a', username: u, configuration.maximum-pool-size: 30}\n"), dsn: pg("a"), check: func(c Config) bool { return c.SQL.Username == "u" && c.SQL.MaxOpenConns == 30 }},
		{name: "TwoOwnPrefixes", doc: bootDatasource, files: one("spring.application.name: x\napp.datasource.orders.url: " + pg("a") + "\napp.datasource.users.jdbc-url: " + pg("b") + "\n"), bad: []string{"orders ("}},
		{name: "Dynamic", doc: "dynamic-datasource, README", files: replace(dynamic, "master"), dsn: pg("a"), check: func(c Config) bool { return c.SQL.Username == "u1" && c.SQL.MaxOpenConns == 9 }},
		{name: "DynamicOtherPrimary", doc: "dynamic-datasource, README", files: replace(dynamic, "report"), dsn: pg("b")},
		{name: "DynamicNoPrimary", doc: "dynamic-datasource, README", files: replace(dynamic, "none"), bad: []string{"is one of several datasources: master ("}},
		{name: "DynamicWins", doc: "dynamic-datasource, README", files: one(jdbcURL("c") + strings.ReplaceAll(dynamic, "%s", "master")), dsn: pg("a")},
		{name: "JNDI", doc: "Spring Boot reference, Connection to a JNDI DataSource", files: one(jdbcURL("a") + "spring.datasource.jndi-name: java:jboss/x\n"), bad: []string{"line 2: spring.datasource.jndi-name: names a datasource of an application server"}},
		{name: "P6Spy", doc: "P6Spy, Integrating", files: one("spring.datasource.url: jdbc:p6spy:mysql://h/d\n"), bad: []string{"line 1: spring.datasource.url: jdbc:p6spy: is P6Spy"}},
		{name: "Replication", doc: "MySQL Connector/J guide, Configuring Source/Replica Replication", files: one("spring.datasource.url: jdbc:mysql:replication://h1,h2/d\n"), bad: []string{"name the one that takes writes"}},
		{name: "Testcontainers", doc: "Testcontainers for Java, JDBC support", files: one("spring.datasource.url: 'jdbc:tc:postgresql:16:///d'\n"), bad: []string{"starts a container by Testcontainers"}},
		{name: "H2", doc: "H2, Database URL Overview", files: one("spring.datasource.url: 'jdbc:h2:mem:x;PASSWORD=s3cr!t~canary'\n"), bad: []string{"H2 is not supported"}},
		{name: "Oracle", doc: "Oracle JDBC guide, Data Sources and URLs", files: one("spring.datasource.url: 'jdbc:oracle:thin:u/s3cr!t~canary@h:1521:x'\n"), bad: []string{"Oracle is not supported"}},
		{name: "SQLServer", doc: "Microsoft JDBC driver, Building the connection URL", files: one("spring.datasource.url: 'jdbc:sqlserver://h;password=s3cr!t~canary'\n"), bad: []string{"SQL Server is not supported"}},
		{name: "NoDatasource", doc: "Spring Boot reference, Embedded Database Support", files: one("spring.datasource.username: sa\n"), dsn: "none"},
	})
}
