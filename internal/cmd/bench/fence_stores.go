package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/internal/devserver"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// record is what is saved.
type record struct {
	ID   int64 `gorm:"primaryKey;autoIncrement:false" bson:"_id"`
	N    int64
	Text string
}

// store is an empty database that saves are measured on.
type store struct {
	about string // its version, and what it does before it acknowledges
	trips *atomic.Int64
	// unit is what trips counts.
	unit string
	// repository returns one whose records no other way of saving has written
	// to, where that would make a difference.
	repository func() (repo.Repository[record], error)
	close      func(ctx context.Context) error
	db         *gorm.DB // nil for MongoDB
	mongo      *mongo.Database
	schema     string // of PostgreSQL
	// key guards the records.
	key string
}

// standIn names a kind of store.
const standIn = "MongoDB's stand-in"

// storeKind is a database that there may be.
type storeKind struct {
	name string
	// variable names the environment's address of it, if it has one.
	variable string
	// transactions tells that it has them, and that several rows are saved in
	// one step.
	transactions bool
	// trips tells that there is something to count; a save under a fence has so
	// many more of them, at most.
	trips bool
	more  float64
	open  func(ctx context.Context, dir string) (*store, error)
}

func (k storeKind) missing() bool { return k.variable != "" && os.Getenv(k.variable) == "" }

func storeKinds() []storeKind {
	return []storeKind{
		{name: "SQLite", transactions: true, open: openSQLite},
		{name: "PostgreSQL", variable: postgresVariable, transactions: true, trips: true, open: openPostgres},
		{name: "MySQL or MariaDB", variable: mysqlVariable, transactions: true, trips: true, more: 1, open: openMySQL},
		{name: standIn, trips: true, open: openStandIn},
	}
}

// withLocker calls f with a Locker and a folder for databases, for as long as f runs.
func (b *bench) withLocker(ctx context.Context, what string, f func(l *etcdlock.Locker, dir string) error) (err error) {
	dir, err := os.MkdirTemp(b.dir, "holdfast-bench-"+what+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m, err := newOurs(b.servers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeMember(ctx, m)) }()
	return f(m.locker, dir)
}

// onEach calls f for each kind of store and names the one that failed.
func onEach(kinds []storeKind, f func(k storeKind) error) error {
	for _, k := range kinds {
		if err := f(k); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return nil
}

func openSQLite(ctx context.Context, dir string) (*store, error) {
	db, err := drivers.OpenSQL(ctx, drivers.SQLConfig{Dialect: drivers.SQLite, DSN: filepath.Join(dir, "fence.db")})
	if err != nil {
		return nil, err
	}
	return sqlStore(ctx, db, nil, "SELECT 'SQLite ' || sqlite_version() || ', write-ahead log, synchronous = full'", "")
}

// openPostgres works in a schema of its own.
func openPostgres(ctx context.Context, _ string) (*store, error) {
	schema, counted := "holdfast_"+strings.ReplaceAll(uniqueName("bench"), "-", "_"), &turns{}
	pool, err := postgresPool(schema, counted)
	if err != nil {
		return nil, err
	}
	if _, err := pool.ExecContext(ctx, "CREATE SCHEMA "+schema); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	s, err := pooled(ctx, pool, postgres.New(postgres.Config{Conn: pool}), counted,
		"SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1) || ', synchronous_commit = ' || current_setting('synchronous_commit') || ', fsync = ' || current_setting('fsync')",
		"DROP SCHEMA "+schema+" CASCADE")
	if err != nil {
		return nil, err
	}
	s.schema = schema
	return s, nil
}

// postgresPool connects to a schema. Like openMySQL it dials by itself, and what
// opens the rest does it as the package drivers does.
func postgresPool(schema string, counted *turns) (*sql.DB, error) {
	u, err := url.Parse(os.Getenv(postgresVariable))
	if err != nil || u.Scheme == "" {
		return nil, errors.New(postgresVariable + " is no URL") // the parser's error would quote it
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	cfg, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, errors.New(postgresVariable + " is no address of a PostgreSQL")
	}
	cfg.DialFunc = counted.dial
	return stdlib.OpenDB(*cfg), nil
}

// openMySQL works in a database of its own.
func openMySQL(ctx context.Context, _ string) (*store, error) {
	cfg, err := mysqldriver.ParseDSN(os.Getenv(mysqlVariable))
	if err != nil {
		return nil, errors.New(mysqlVariable + " is no address of a MySQL or MariaDB")
	}
	counted := &turns{}
	cfg.ClientFoundRows, cfg.ParseTime, cfg.Logger = true, true, &mysqldriver.NopLogger{}
	cfg.DialFunc = counted.dial
	database := "holdfast_" + strings.ReplaceAll(uniqueName("bench"), "-", "_")
	if err := createDatabase(ctx, cfg, database); err != nil {
		return nil, err
	}
	cfg.DBName = database
	connector, err := mysqldriver.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(connector)
	return pooled(ctx, pool, mysql.New(mysql.Config{Conn: pool}), counted,
		"SELECT CONCAT(IF(LOCATE('MariaDB', VERSION()) > 0, 'MariaDB ', 'MySQL '), SUBSTRING_INDEX(VERSION(), '-', 1), ', innodb_flush_log_at_trx_commit = ', @@innodb_flush_log_at_trx_commit)",
		"DROP DATABASE "+database)
}

// createDatabase makes the database, and completes what cfg says of its server.
func createDatabase(ctx context.Context, cfg *mysqldriver.Config, name string) (err error) {
	connector, err := mysqldriver.NewConnector(cfg)
	if err != nil {
		return err
	}
	pool := sql.OpenDB(connector)
	defer func() { err = errors.Join(err, pool.Close()) }()
	var version string
	if err := pool.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return err
	}
	// As the package drivers does: MariaDB needs no round trip to prepare a statement.
	cfg.InterpolateParams = strings.Contains(version, "MariaDB")
	_, err = pool.ExecContext(ctx, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
	return err
}

// openGORM gives the pool the size that the package drivers gives it.
func openGORM(pool *sql.DB, dialector gorm.Dialector) (*gorm.DB, error) {
	pool.SetMaxOpenConns(drivers.DefaultMaxOpenConns)
	pool.SetMaxIdleConns(drivers.DefaultMaxOpenConns)
	return gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
}

func pooled(ctx context.Context, pool *sql.DB, dialector gorm.Dialector, counted *turns, about, drop string) (*store, error) {
	db, err := openGORM(pool, dialector)
	if err != nil {
		_, dropped := pool.ExecContext(context.WithoutCancel(ctx), drop)
		return nil, errors.Join(err, dropped, pool.Close())
	}
	return sqlStore(ctx, db, &counted.n, about, drop)
}

// sqlStore makes the tables, and a store that ends by running drop. about is a
// query.
func sqlStore(ctx context.Context, db *gorm.DB, trips *atomic.Int64, about, drop string) (*store, error) {
	s := &store{trips: trips, unit: "round trips", db: db, key: uniqueName("fence")}
	s.close = func(ctx context.Context) error {
		pool, err := db.DB()
		if err != nil {
			return err
		}
		if drop != "" {
			_, err = pool.ExecContext(ctx, drop)
		}
		return errors.Join(err, pool.Close())
	}
	s.repository = func() (repo.Repository[record], error) { return gormrepo.New[record](db, nil) }
	here := db.WithContext(ctx)
	if err := errors.Join(here.AutoMigrate(&record{}), gormrepo.MigrateFence(ctx, db), here.Raw(about).Scan(&s.about).Error); err != nil {
		return nil, errors.Join(err, closeStore(ctx, s))
	}
	return s, nil
}

// openStandIn starts one for this run.
func openStandIn(ctx context.Context, dir string) (*store, error) {
	srv, err := devserver.StartMongo(ctx, dir, nil)
	if err != nil {
		return nil, err
	}
	var commands atomic.Int64
	cli, err := mongo.Connect(options.Client().ApplyURI(srv.MongoURI()).SetWriteConcern(writeconcern.Majority()).SetMonitor(&event.CommandMonitor{
		Started: func(context.Context, *event.CommandStartedEvent) { commands.Add(1) },
	}))
	if err != nil {
		return nil, errors.Join(err, srv.Close())
	}
	db := cli.Database("bench")
	return &store{
		about: "FerretDB on SQLite without fsync, which runs one command at a time and has no index for ids that are numbers, so that it looks at every document of a collection: MongoDB's ratios are others, the number of commands is the same",
		mongo: db, trips: &commands, unit: "commands", key: uniqueName("fence"),
		repository: func() (repo.Repository[record], error) {
			return mongorepo.New[record](db.Collection(uniqueName("fence")), nil)
		},
		close: func(ctx context.Context) error { return errors.Join(cli.Disconnect(ctx), srv.Close()) },
	}, nil
}

// closeStore works when the run was interrupted, too.
func closeStore(ctx context.Context, s *store) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := s.close(ctx); err != nil {
		return fmt.Errorf("removing what was measured on: %w", err)
	}
	return nil
}
