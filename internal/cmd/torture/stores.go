package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/samber/lo"
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
	N    int64  `gorm:"check:torture_n,n < 1000000000000000"`
	Text string
}

// The stores.
const (
	onPostgres = "postgres"
	onMariaDB  = "mariadb"
	onSQLite   = "sqlite"
	onMongoDB  = "mongodb"
)

// store makes places.
type store struct {
	name string
	base string // DSN, URI or folder
	// pooler is where a pooler is that services go through, if any.
	pooler string
}

// stores returns those that can be reached, and why the others cannot.
func stores(dir, mongoURI string) (there []store, missing map[string]string) {
	missing = map[string]string{}
	for _, s := range []struct{ name, variable string }{{onPostgres, "POSTGRES_DSN"}, {onMariaDB, "MYSQL_DSN"}} {
		if dsn := os.Getenv(s.variable); dsn != "" {
			there = append(there, store{name: s.name, base: dsn})
		} else {
			missing[s.name] = s.variable + " is not set"
		}
	}
	return append(there, store{name: onSQLite, base: dir}, store{name: onMongoDB, base: mongoURI}), missing
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
	// entries are nil on MongoDB, which has no hooks.
	entries repo.Repository[Entry]
	db      *gorm.DB        // nil on MongoDB
	pools   []*gorm.DB      // whose connections must be closed
	mongo   *mongo.Database // nil elsewhere
	cli     *mongo.Client
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
		records, err := mongorepo.New[Record](b.mongo.Collection("records"), nil)
		b.repo = documentBatches{records}
		return b, err
	}
	b := &backend{place: p}
	if err := b.openSQL(ctx); err != nil {
		b.close()
		return nil, err
	}
	limit := p.Setup.HoldLimit
	if limit == 0 {
		limit = holdLimit
	}
	records, err := gormrepo.New[Record](b.db, &gormrepo.Options{HoldLimit: limit})
	if err != nil {
		return b, err
	}
	entries, err := gormrepo.New[Entry](b.db, &gormrepo.Options{HoldLimit: limit})
	b.repo, b.entries = batches[Record]{records}, batches[Entry]{entries}
	return b, err
}

func (b *backend) close() {
	for _, pool := range b.pools {
		closeSQL(pool)
	}
	if b.cli == nil {
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
		if err := b.db.WithContext(ctx).AutoMigrate(&Record{}, &Entry{}, &writeFence{}); err != nil {
			return err
		}
		if err := gormrepo.MigrateFence(ctx, b.db); err != nil {
			return err
		}
		if err := b.entries.Save(ctx, &Entry{Name: taken, Only: new(taken)}); err != nil {
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
	for _, some := range [][]string{d.Counters, d.Lists, d.Accounts, d.Registers, d.Strangers} {
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

// readSaved returns all that is stored.
func (b *backend) readSaved(ctx context.Context) (saved, error) {
	s := saved{partly: b.db == nil}
	records, err := b.repo.Find(ctx)
	if err != nil {
		return s, err
	}
	s.records = lo.SliceToMap(records, func(r *Record) (string, Record) { return r.ID, *r })
	if b.entries == nil {
		return s, nil
	}
	entries, err := b.entries.Find(ctx)
	s.entries = lo.GroupBy(lo.FromSlicePtr(entries), func(e Entry) string { return e.Name })
	return s, err
}
