package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"
	"gorm.io/plugin/dbresolver"

	"github.com/holdfast-go/holdfast/drivers"
)

// setup is how services reach their database where they do not use
// drivers.OpenSQL and nothing else.
type setup struct {
	// Resolver adds gorm.io/plugin/dbresolver with a replica, which is the same
	// server.
	Resolver bool
	// Stale makes the replica one that nothing reaches any more.
	Stale bool
	// Prepared is GORM's PrepareStmt.
	Prepared bool
	// OtherDriver is lib/pq instead of pgx.
	OtherDriver bool
	// OwnSchema gives each worker another search_path, or default database. The
	// table is the same one.
	OwnSchema bool
	// OwnKey has each worker lock the table under another key.
	OwnKey bool
	// Stripes is how many the lock has; zero is one lock without.
	Stripes int
	// Isolation is what a transaction has that does not ask for another one.
	Isolation string
	// ExecMode is pgx's default_query_exec_mode.
	ExecMode string
	// HoldLimit is that of the repositories; zero is holdLimit.
	HoldLimit time.Duration
}

// own is the name of what a worker has for itself in a place.
func (p place) own(worker int) string { return fmt.Sprintf("%s_%d", p.Name, worker) }

// of is the place as a worker sees it.
func (p place) of(worker int) (place, error) {
	if !p.Setup.OwnSchema {
		return p, nil
	}
	return p.in(p.own(worker))
}

// in is the place when another schema, database or file is the usual one.
func (p place) in(name string) (place, error) {
	var err error
	switch p.Store {
	case onPostgres:
		p.DSN, err = withParameter(p.DSN, "search_path", name)
	case onMariaDB:
		c, err := mysql.ParseDSN(p.DSN)
		if err != nil {
			return p, err
		}
		c.DBName = name
		p.DSN = c.FormatDSN()
	case onSQLite:
		p.DSN = filepath.Join(filepath.Dir(p.DSN), name+".db")
	}
	return p, err
}

const replicaSuffix = "_replica"

// replica is where dbresolver reads.
func (p place) replica() (place, error) {
	if !p.Setup.Stale {
		return p, nil
	}
	return p.in(p.Name + replicaSuffix)
}

// primary is the place without replicas.
func (p place) primary() place {
	p.Setup.Resolver, p.Setup.Stale = false, false
	return p
}

// set puts into the DSN what belongs there.
func (p place) set(isMaria bool) (place, error) {
	s := p.Setup
	if p.Store == onMariaDB && s.Isolation != "" {
		c, err := mysql.ParseDSN(p.DSN)
		if err != nil {
			return p, err
		}
		variable := "transaction_isolation"
		if isMaria {
			variable = "tx_isolation"
		}
		if c.Params == nil {
			c.Params = map[string]string{}
		}
		c.Params[variable] = "'" + strings.ReplaceAll(strings.ToUpper(s.Isolation), " ", "-") + "'"
		p.DSN = c.FormatDSN()
	}
	var err error
	if p.Store == onPostgres && s.Isolation != "" {
		p.DSN, err = withParameter(p.DSN, "default_transaction_isolation", s.Isolation)
	}
	if p.Store == onPostgres && s.ExecMode != "" && err == nil {
		p.DSN, err = withParameter(p.DSN, "default_query_exec_mode", s.ExecMode)
	}
	return p, err
}

func withParameter(dsn, name, value string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return dsn, err
	}
	q := u.Query()
	q.Set(name, value)
	// A space is %20 for every driver, and + only for some.
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
	return u.String(), nil
}

// openSQL opens the database of the place as its setup says, and makes
// sure that this is the way.
func (b *backend) openSQL(ctx context.Context) error {
	s := b.place.Setup
	if err := b.connect(ctx, b.place); err != nil {
		return err
	}
	b.db = b.pools[0]
	if s.Prepared || s.OwnSchema || s.Resolver {
		config := &gorm.Config{Logger: logger.Discard, DisableAutomaticPing: true, PrepareStmt: s.Prepared}
		if s.OwnSchema {
			config.NamingStrategy = schema.NamingStrategy{TablePrefix: b.place.Name + "."}
		}
		var err error
		if b.db, err = gorm.Open(b.db.Dialector, config); err != nil {
			return err
		}
	}
	if s.Resolver {
		replica, err := b.place.replica()
		if err != nil {
			return err
		}
		if err := b.connect(ctx, replica); err != nil {
			return err
		}
		plugin := dbresolver.Register(dbresolver.Config{Replicas: []gorm.Dialector{b.pools[1].Dialector}})
		if err := b.db.Use(plugin); err != nil {
			return err
		}
	}
	return b.check(ctx)
}

// connect opens one more pool of connections.
func (b *backend) connect(ctx context.Context, p place) error {
	if !p.Setup.OtherDriver {
		db, err := drivers.OpenSQL(ctx, drivers.SQLConfig{Dialect: dialects[p.Store], DSN: p.DSN, DialTimeout: openLimit})
		if err == nil {
			b.pools = append(b.pools, db)
		}
		return err
	}
	pool, err := sql.Open("postgres", p.DSN)
	if err != nil {
		return err
	}
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: pool}), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return errors.Join(err, pool.Close())
	}
	b.pools = append(b.pools, db)
	return nil
}

// check returns an error when the setup does not hold.
func (b *backend) check(ctx context.Context) error {
	s, db := b.place.Setup, b.db.WithContext(ctx)
	if s.Resolver {
		read := db.Session(&gorm.Session{DryRun: true}).Find(&[]Record{})
		if read.Statement.ConnPool == db.ConnPool {
			return errors.New("dbresolver reads from the primary")
		}
	}
	if _, prepared := db.ConnPool.(*gorm.PreparedStmtDB); prepared != s.Prepared {
		return fmt.Errorf("statements are prepared: %v", prepared)
	}
	if s.Isolation != "" {
		if is, err := isolation(db, b.place.Store); err != nil || is != s.Isolation {
			return errors.Join(err, fmt.Errorf("the isolation is %q", is))
		}
	}
	if s.ExecMode != "" {
		if mode, err := execMode(ctx, db); err != nil || mode != s.ExecMode {
			return errors.Join(err, fmt.Errorf("pgx executes by %q", mode))
		}
	}
	return nil
}

func isolation(db *gorm.DB, store string) (is string, err error) {
	if store != onMariaDB {
		err = db.Raw("SHOW transaction_isolation").Row().Scan(&is)
		return is, err
	}
	var name string // which is another one on MySQL
	err = db.Raw("SHOW VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')").Row().Scan(&name, &is)
	return strings.ReplaceAll(strings.ToLower(is), "-", " "), err
}

func execMode(ctx context.Context, db *gorm.DB) (mode string, err error) {
	pool, err := db.DB()
	if err != nil {
		return "", err
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	err = conn.Raw(func(driver any) error {
		if c, ok := driver.(*stdlib.Conn); ok {
			mode = strings.ReplaceAll(c.Conn().Config().DefaultQueryExecMode.String(), " ", "_")
		}
		return nil
	})
	return mode, err
}
