package drivers

import (
	"log/slog"
	"time"
)

// Defaults of the fields that a configuration leaves zero.
const (
	// DefaultDialTimeout bounds every Open function: five seconds.
	DefaultDialTimeout = 5 * time.Second
	// DefaultKeepAliveTime and DefaultKeepAliveTimeout add up to six seconds,
	// so that a dead connection to etcd is given up before a lock with the
	// default time to live of ten seconds runs out.
	DefaultKeepAliveTime    = 3 * time.Second
	DefaultKeepAliveTimeout = 3 * time.Second
	// DefaultMaxOpenConns is the pool size for PostgreSQL and MySQL, the same
	// as HikariCP's. DefaultSQLiteMaxOpenConns is the one for SQLite, which has
	// one writer at a time and gains nothing from more.
	DefaultMaxOpenConns       = 10
	DefaultSQLiteMaxOpenConns = 4
	// DefaultConnMaxLifetime and DefaultConnMaxIdleTime let a pool follow a
	// failover or a changed DNS entry within half an hour.
	DefaultConnMaxLifetime = 30 * time.Minute
	DefaultConnMaxIdleTime = 10 * time.Minute
)

// Names of the SQL dialects. MariaDB is "mysql".
const (
	Postgres = "postgres"
	MySQL    = "mysql"
	SQLite   = "sqlite"
)

// Names of the naming strategies for [SQLConfig.Naming].
const (
	NamingGORM   = "gorm"
	NamingSpring = "spring"
	NamingJPA    = "jpa"
)

// ProxyFromEnvironment as [EtcdConfig.Proxy] makes the etcd client use the
// proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name.
const ProxyFromEnvironment = "environment"

// Config is what [Load] reads. A section that is left empty is not configured,
// and opening it is an error. It holds passwords: printing it, logging it with
// slog and marshalling it to JSON mask them.
type Config struct {
	Etcd  EtcdConfig  // for [OpenEtcd]
	SQL   SQLConfig   // for [OpenSQL]
	Mongo MongoConfig // for [OpenMongo]
}

// EtcdConfig says how to reach an etcd cluster.
type EtcdConfig struct {
	// Endpoints are the client URLs of the members, such as
	// https://m1:2379. All are https or all are http. Without a scheme they
	// are https when CA or Cert is set, else http.
	Endpoints []string
	// CA is the path of a PEM file with the authorities that sign the servers'
	// certificates. Empty means the authorities of the system.
	CA string
	// Cert and Key are the paths of the client's certificate and private key
	// in PEM. Both or none are set.
	Cert string
	Key  string
	// ServerName is the name that the servers' certificates must carry, where
	// it is not the host of the endpoint.
	ServerName string
	// Username and Password log in to an etcd with authentication.
	Username string
	Password string
	// DialTimeout bounds OpenEtcd as a whole. Zero means DefaultDialTimeout.
	DialTimeout time.Duration
	// KeepAliveTime is how long a connection may be silent before it is probed,
	// and KeepAliveTimeout how long the answer may take before the connection
	// is given up. Keep the sum below the time to live of the locks. Zero means
	// DefaultKeepAliveTime and DefaultKeepAliveTimeout; the least is a second.
	KeepAliveTime    time.Duration
	KeepAliveTimeout time.Duration
	// Proxy is empty (no proxy, whatever the environment says),
	// ProxyFromEnvironment, or the URL of an HTTP proxy that supports CONNECT.
	Proxy string
	// Logger gets the members at Info and unreachable endpoints at Warn. Nil
	// means silence. It cannot be set in a file.
	Logger *slog.Logger
}

// SQLConfig says how to reach a SQL database.
type SQLConfig struct {
	// Dialect is Postgres, MySQL or SQLite. It may be left empty when DSN is a
	// URL, which tells by itself.
	Dialect string
	// DSN is a URL (postgres://, mysql://, mariadb://, sqlite:, file:), a JDBC
	// URL of one of the four databases, or what the Go driver of the dialect
	// takes; for SQLite that is a path or :memory:.
	DSN string
	// Username and Password replace those of the DSN where set. A password
	// given here needs no percent-encoding.
	Username string
	Password string
	// MaxOpenConns and MaxIdleConns size the pool. Zero means
	// DefaultMaxOpenConns (DefaultSQLiteMaxOpenConns on SQLite) and as many idle
	// ones as open ones.
	MaxOpenConns int
	MaxIdleConns int
	// ConnMaxLifetime and ConnMaxIdleTime retire connections. Zero means
	// DefaultConnMaxLifetime and DefaultConnMaxIdleTime.
	ConnMaxLifetime time.Duration
	ConnMaxIdleTime time.Duration
	// DialTimeout bounds OpenSQL, and later each new connection of the pool.
	// Zero means DefaultDialTimeout.
	DialTimeout time.Duration
	// Schema is the search path on PostgreSQL, in place of that of the DSN. The
	// other dialects have none.
	Schema string
	// InitSQL is a statement that runs on each new connection.
	InitSQL string
	// Isolation is the level of transactions that name none: "read committed" and
	// the like, in any of Java's spellings. Empty means the server's.
	Isolation string
	// ReadOnly makes each session refuse writes.
	ReadOnly bool
	// Naming says how tables and columns are called whose names no tag tells:
	// empty or NamingGORM as GORM does (order_items), NamingSpring as Spring Boot
	// and Hibernate do (order_item), NamingJPA after the type and field, as
	// Hibernate does without Spring (OrderItem).
	Naming string
	// Logger gets failed statements at Error and those over 200 ms at Warn,
	// both without their values. Nil means silence. It cannot be set in a file.
	Logger *slog.Logger
}

// MongoConfig says how to reach a MongoDB deployment.
type MongoConfig struct {
	// URI is a connection string, mongodb:// or mongodb+srv://.
	URI string
	// Database is the database to use. Load fills it from the path of the URI
	// where it is not given.
	Database string
	// Username and Password replace those of the URI where set. A password
	// given here needs no percent-encoding.
	Username string
	Password string
	// DialTimeout bounds OpenMongo, and later the search for a server and each
	// new connection. Zero means DefaultDialTimeout.
	DialTimeout time.Duration
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
