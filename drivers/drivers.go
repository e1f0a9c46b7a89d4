package drivers

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers/config"
	"github.com/holdfast-go/holdfast/drivers/etcd"
	"github.com/holdfast-go/holdfast/drivers/mongodb"
	"github.com/holdfast-go/holdfast/drivers/mysql"
	"github.com/holdfast-go/holdfast/drivers/postgres"
	"github.com/holdfast-go/holdfast/drivers/sqlite"
)

// The configuration, which package config describes.
type (
	// Config is what [Load] reads, with a section for each kind of connection.
	Config = config.Config
	// EtcdConfig says how to reach an etcd cluster.
	EtcdConfig = config.EtcdConfig
	// SQLConfig says how to reach a SQL database.
	SQLConfig = config.SQLConfig
	// MongoConfig says how to reach a MongoDB deployment.
	MongoConfig = config.MongoConfig
	// LoadOptions changes how [Load] and [Parse] read a configuration.
	LoadOptions = config.LoadOptions
	// ConfigError is all that is wrong with a configuration.
	ConfigError = config.Error
	// FieldError is one mistake in a configuration.
	FieldError = config.FieldError
)

// What etcd's connections tell, which package etcd describes.
type (
	// EndpointError says why one endpoint of etcd cannot be used.
	EndpointError = etcd.EndpointError
	// EndpointHealth is the state of one endpoint.
	EndpointHealth = etcd.EndpointHealth
	// EtcdStorage is what one member of etcd keeps.
	EtcdStorage = etcd.Storage
)

// Names of the SQL dialects and of the naming strategies, and what the etcd client's
// Proxy may be.
const (
	Postgres             = config.Postgres
	MySQL                = config.MySQL
	SQLite               = config.SQLite
	NamingGORM           = config.NamingGORM
	NamingSpring         = config.NamingSpring
	NamingJPA            = config.NamingJPA
	ProxyFromEnvironment = config.ProxyFromEnvironment
)

// Defaults of the fields that a configuration leaves zero.
const (
	DefaultDialTimeout        = config.DefaultDialTimeout
	DefaultKeepAliveTime      = config.DefaultKeepAliveTime
	DefaultKeepAliveTimeout   = config.DefaultKeepAliveTimeout
	DefaultMaxOpenConns       = config.DefaultMaxOpenConns
	DefaultSQLiteMaxOpenConns = config.DefaultSQLiteMaxOpenConns
	DefaultConnMaxLifetime    = config.DefaultConnMaxLifetime
	DefaultConnMaxIdleTime    = config.DefaultConnMaxIdleTime
)

// The errors that a caller decides by: the configuration is wrong; a server was
// reached, and a login or a certificate was refused; a server could not be reached.
// ErrHistory and ErrSpace are warnings of [Check].
var (
	ErrInvalid        = config.ErrInvalid
	ErrAuthentication = config.ErrAuthentication
	ErrUnavailable    = config.ErrUnavailable
	ErrHistory        = etcd.ErrHistory
	ErrSpace          = etcd.ErrSpace
)

// Load reads a configuration from a file and the environment. See [config.Load].
func Load(path string, opts ...*LoadOptions) (Config, error) { return config.Load(path, opts...) }

// Parse is [Load] for a YAML configuration that is in memory. See [config.Parse].
func Parse(data []byte, opts ...*LoadOptions) (Config, error) { return config.Parse(data, opts...) }

// OpenEtcd connects to an etcd cluster. See [etcd.Open].
func OpenEtcd(ctx context.Context, c EtcdConfig) (*clientv3.Client, error) { return etcd.Open(ctx, c) }

// Check asks every endpoint of the client whether it can serve. See [etcd.Check].
func Check(ctx context.Context, cli *clientv3.Client) ([]EndpointHealth, error) {
	return etcd.Check(ctx, cli)
}

// OpenMongo connects to a MongoDB deployment. See [mongodb.Open].
func OpenMongo(ctx context.Context, c MongoConfig) (*mongo.Client, error) {
	return mongodb.Open(ctx, c)
}

// OpenSQL opens a pool of connections to PostgreSQL, MySQL, MariaDB or SQLite,
// set up as the repositories need it, and waits until a first connection works.
//
// On MySQL and MariaDB clientFoundRows and parseTime are always on. On SQLite
// the journal is a write-ahead log, writers wait for each other up to ten
// seconds, transactions take the write lock when they begin, foreign keys are
// enforced and times are kept in UTC; a parameter in the DSN changes each of
// these. An in-memory SQLite database gets a pool of one connection, so a
// statement outside a transaction waits until the transaction ends.
//
// It returns an error that matches [ErrInvalid] when the configuration is
// wrong, the folder of a SQLite file that is not there included, one that
// matches [ErrAuthentication] when the server refuses the login or a certificate
// is refused, and one that matches [ErrUnavailable] when no connection was
// possible within DialTimeout or before ctx ended. All but the first name the
// server. Nothing is left open then. Close the pool by the Close method of its DB().
func OpenSQL(ctx context.Context, c SQLConfig) (*gorm.DB, error) {
	t, err := c.Resolve()
	if err != nil {
		return nil, fmt.Errorf("drivers: open sql: %w", err)
	}
	switch t.Dialect {
	case Postgres:
		return postgres.Open(ctx, c)
	case MySQL:
		return mysql.Open(ctx, c)
	default:
		return sqlite.Open(ctx, c)
	}
}
