package main

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/holdfast-go/holdfast/drivers"
)

// place is a database that is empty at the beginning of a cell.
type place struct {
	Store string
	DSN   string // of SQL stores; the URI of MongoDB
	Name  string // of the schema, database or file
	Host  string // where the server is, empty for a file
	// Setup is how its services reach it.
	Setup setup
	// OwnDatabase tells that PostgreSQL keeps it in a database instead of a
	// schema.
	OwnDatabase bool
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

// make creates an empty place with the records of d, whose services have a
// setup. It leaves nothing when it fails.
func (s store) make(ctx context.Context, name string, how setup, d data) (p place, err error) {
	p = place{Store: s.name, Name: name, Setup: how, OwnDatabase: s.pooler != ""}
	if p, err = s.locate(p); err != nil {
		return p, err
	}
	isMaria := s.name == onMariaDB
	if isMaria {
		if isMaria, err = s.isMaria(ctx); err != nil {
			return p, err
		}
	}
	if p, err = p.set(isMaria); err != nil {
		return p, err
	}
	whole := p
	defer func() {
		if err != nil {
			err = errors.Join(err, s.drop(context.WithoutCancel(ctx), whole))
		}
	}()
	for _, name := range p.names() {
		if statement := s.creation(p, name); statement != "" {
			if err := s.run(ctx, statement); err != nil {
				return p, err
			}
		}
	}
	fill := []place{p.primary()}
	if p.Setup.Stale {
		replica, err := p.replica()
		if err != nil {
			return p, err
		}
		fill = append(fill, replica.primary())
	}
	for _, p := range fill {
		b, err := openBackend(ctx, p)
		if err != nil {
			return p, err
		}
		err = b.fill(ctx, d)
		b.close()
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// locate says where the place is.
func (s store) locate(p place) (place, error) {
	switch s.name {
	case onPostgres:
		u, err := url.Parse(s.base)
		if err != nil {
			return p, err
		}
		q := u.Query()
		q.Set("application_name", p.Name)
		if s.pooler != "" {
			u.Host, u.Path = s.pooler, "/"+p.Name
		} else {
			q.Set("search_path", p.Name)
		}
		u.RawQuery = q.Encode()
		p.DSN, p.Host = u.String(), u.Host
	case onMariaDB:
		c, err := mysql.ParseDSN(s.base)
		if err != nil {
			return p, err
		}
		c.DBName = p.Name
		p.DSN, p.Host = c.FormatDSN(), c.Addr
	case onSQLite:
		p.DSN = filepath.Join(s.base, p.Name+".db")
	case onMongoDB:
		u, err := url.Parse(s.base)
		if err != nil {
			return p, err
		}
		p.DSN, p.Host = s.base, u.Host
	}
	return p, nil
}

// names are those of the place and of what its workers have for themselves.
func (p place) names() []string {
	names := []string{p.Name}
	if p.Setup.OwnSchema {
		for i := range workers {
			names = append(names, p.own(i))
		}
	}
	if p.Setup.Stale {
		names = append(names, p.Name+replicaSuffix)
	}
	return names
}

// creation is the statement that makes room for a place.
func (s store) creation(p place, name string) string {
	switch {
	case s.name == onPostgres && p.OwnDatabase:
		return "CREATE DATABASE " + name
	case s.name == onPostgres:
		return "CREATE SCHEMA " + name
	case s.name == onMariaDB:
		return "CREATE DATABASE " + name + " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
	default:
		return ""
	}
}

// drop removes a place, which fails while a transaction is open there.
func (s store) drop(ctx context.Context, p place) error {
	if p.Store == onSQLite {
		return os.Remove(p.DSN) // what else there is goes with the folder
	}
	if p.Store == onMongoDB {
		b, err := openBackend(ctx, p)
		if err != nil {
			return err
		}
		defer b.close()
		return b.mongo.Drop(ctx)
	}
	var failed []error
	for _, name := range p.names() {
		statement := "DROP DATABASE " + name
		switch {
		case p.OwnDatabase:
			statement += " WITH (FORCE)" // the pooler keeps its connections
		case p.Store == onPostgres:
			statement = "DROP SCHEMA " + name + " CASCADE"
		}
		failed = append(failed, s.run(ctx, statement))
	}
	return errors.Join(failed...)
}

// isMaria tells MariaDB from MySQL.
func (s store) isMaria(ctx context.Context) (bool, error) {
	db, err := drivers.OpenSQL(ctx, drivers.SQLConfig{Dialect: dialects[s.name], DSN: s.base})
	if err != nil {
		return false, err
	}
	defer closeSQL(db)
	var version string
	err = db.WithContext(ctx).Raw("SELECT VERSION()").Scan(&version).Error
	return strings.Contains(version, "MariaDB"), err
}

// hostPort adds the usual port of the store to a host without one.
func hostPort(host, store string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(host, map[string]string{onPostgres: "5432", onMariaDB: "3306", onMongoDB: "27017"}[store])
}
