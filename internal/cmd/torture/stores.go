package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// Record is what everything is kept in. A counter, a register and an account
// use N, a list uses Text.
type Record struct {
	ID   string `bson:"_id" gorm:"primaryKey;size:64"`
	N    int64
	Text string
}

// The stores.
const (
	onPostgres = "postgres"
	onMariaDB  = "mariadb"
	onSQLite   = "sqlite"
	onMongoDB  = "mongodb"
)

// place is a database that is empty at the beginning of a cell.
type place struct {
	Store string
	DSN   string // of SQL stores; the URI of MongoDB
	Name  string // of the schema, database or file
	Host  string // where the server is, empty for a file
}

// through returns the place as it is seen through a proxy.
func (p place) through(addr string) (place, error) {
	switch p.Store {
	case onPostgres, onMongoDB:
		u, err := url.Parse(p.DSN)
		if err != nil {
			return p, err
		}
		u.Host = addr
		p.DSN = u.String()
	case onMariaDB:
		c, err := mysql.ParseDSN(p.DSN)
		if err != nil {
			return p, err
		}
		c.Net, c.Addr = "tcp", addr
		p.DSN = c.FormatDSN()
	}
	p.Host = addr
	return p, nil
}

// store makes places.
type store struct {
	name string
	base string // DSN, URI or folder
}

// stores returns those that can be reached, and why the others cannot.
func stores(dir, mongoURI string) (there []store, missing map[string]string) {
	missing = map[string]string{}
	for _, s := range []struct{ name, variable string }{{onPostgres, "POSTGRES_DSN"}, {onMariaDB, "MYSQL_DSN"}} {
		if dsn := os.Getenv(s.variable); dsn != "" {
			there = append(there, store{s.name, dsn})
		} else {
			missing[s.name] = s.variable + " is not set"
		}
	}
	return append(there, store{onSQLite, dir}, store{onMongoDB, mongoURI}), missing
}

// make creates an empty place with the records of d.
func (s store) make(ctx context.Context, name string, d data) (place, error) {
	p := place{Store: s.name, Name: name}
	switch s.name {
	case onPostgres:
		u, err := url.Parse(s.base)
		if err != nil {
			return p, err
		}
		if err := s.run(ctx, "CREATE SCHEMA "+name); err != nil {
			return p, err
		}
		q := u.Query()
		q.Set("search_path", name)
		q.Set("application_name", name)
		u.RawQuery = q.Encode()
		p.DSN, p.Host = u.String(), u.Host
	case onMariaDB:
		c, err := mysql.ParseDSN(s.base)
		if err != nil {
			return p, err
		}
		if err := s.run(ctx, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"); err != nil {
			return p, err
		}
		c.DBName = name
		p.DSN, p.Host = c.FormatDSN(), c.Addr
	case onSQLite:
		p.DSN = filepath.Join(s.base, name+".db")
	case onMongoDB:
		u, err := url.Parse(s.base)
		if err != nil {
			return p, err
		}
		p.DSN, p.Host = s.base, u.Host
	}
	b, err := openBackend(ctx, p)
	if err != nil {
		return p, err
	}
	defer b.close()
	return p, b.fill(ctx, d)
}

// drop removes a place, which fails while a transaction is open there.
func (s store) drop(ctx context.Context, p place) error {
	switch s.name {
	case onPostgres:
		return s.run(ctx, "DROP SCHEMA "+p.Name+" CASCADE")
	case onMariaDB:
		return s.run(ctx, "DROP DATABASE "+p.Name)
	case onSQLite:
		return os.Remove(p.DSN)
	default:
		b, err := openBackend(ctx, p)
		if err != nil {
			return err
		}
		defer b.close()
		return b.mongo.Drop(ctx)
	}
}

func (s store) run(ctx context.Context, statement string) error {
	db, err := drivers.OpenSQL(ctx, drivers.SQLConfig{Dialect: dialects[s.name], DSN: s.base})
	if err != nil {
		return err
	}
	defer closeSQL(db)
	return db.WithContext(ctx).Exec(statement).Error
}

// dialects are the names that package drivers has for the SQL stores.
var dialects = map[string]string{onPostgres: drivers.Postgres, onMariaDB: drivers.MySQL, onSQLite: drivers.SQLite} //nolint:gochecknoglobals // a table, never written to

// backend is an open connection to a place.
type backend struct {
	place place
	repo  repo.Repository[Record]
	db    *gorm.DB        // nil on MongoDB
	mongo *mongo.Database // nil elsewhere
	cli   *mongo.Client
}

// holdLimit is how long a transaction of a host that vanished may block others.
const holdLimit = 3 * ttl

// openLimit bounds how long a worker waits for its first connection.
const openLimit = 20 * time.Second

func openBackend(ctx context.Context, p place) (*backend, error) {
	if p.Store == onMongoDB {
		cli, err := drivers.OpenMongo(ctx, drivers.MongoConfig{URI: p.DSN, Database: p.Name, DialTimeout: openLimit})
		if err != nil {
			return nil, err
		}
		b := &backend{place: p, cli: cli, mongo: cli.Database(p.Name)}
		b.repo, err = mongorepo.New[Record](b.mongo.Collection("records"), nil)
		return b, err
	}
	db, err := drivers.OpenSQL(ctx, drivers.SQLConfig{Dialect: dialects[p.Store], DSN: p.DSN, DialTimeout: openLimit})
	if err != nil {
		return nil, err
	}
	b := &backend{place: p, db: db}
	b.repo, err = gormrepo.New[Record](db, &gormrepo.Options{HoldLimit: holdLimit})
	return b, err
}

func (b *backend) close() {
	if b.db != nil {
		closeSQL(b.db)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = b.cli.Disconnect(ctx)
}

func closeSQL(db *gorm.DB) {
	if pool, err := db.DB(); err == nil {
		_ = pool.Close()
	}
}

// fill makes the tables and the records that the operations begin with.
func (b *backend) fill(ctx context.Context, d data) error {
	if b.db != nil {
		if err := b.db.WithContext(ctx).AutoMigrate(&Record{}, &writeFence{}); err != nil {
			return err
		}
		if err := gormrepo.MigrateFence(ctx, b.db); err != nil {
			return err
		}
	}
	var all []*Record
	for _, id := range d.all() {
		all = append(all, &Record{ID: id, N: d.initial(id)})
	}
	return b.repo.SaveAll(ctx, all)
}

func (d data) all() []string {
	var ids []string
	for _, some := range [][]string{d.Counters, d.Lists, d.Accounts, d.Registers} {
		ids = append(ids, some...)
	}
	return ids
}

func (d data) initial(id string) int64 {
	if strings.HasPrefix(id, "account") {
		return funds
	}
	return 0
}

func numbered(what string, n int) []string {
	var ids []string
	for i := range n {
		ids = append(ids, fmt.Sprintf("%s%d", what, i))
	}
	return ids
}

// read returns all records by their ids.
func (b *backend) read(ctx context.Context, d data) (map[string]Record, error) {
	var ids []any
	for _, id := range d.all() {
		ids = append(ids, id)
	}
	all, err := b.repo.FindAllByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	byID := map[string]Record{}
	for _, r := range all {
		byID[r.ID] = *r
	}
	return byID, nil
}

// hostPort adds the usual port of the store to a host without one.
func hostPort(host, store string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(host, map[string]string{onPostgres: "5432", onMariaDB: "3306", onMongoDB: "27017"}[store])
}
