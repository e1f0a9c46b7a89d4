package gormrepo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
)

// fenceDDL makes the tables. Nothing in them is ever deleted but old
// operations. The row of a key is written by every transaction under its lock,
// so on PostgreSQL each page has room for many versions of it.
func fenceDDL(dialect string) ([]string, error) {
	binary, options, booleans := "", "", "boolean"
	ignore := " ON CONFLICT DO NOTHING"
	switch dialect {
	case postgres:
		binary, options = ` COLLATE "C"`, " WITH (fillfactor = 10)"
	case mysql:
		binary, options = " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", " ENGINE = InnoDB"
		ignore = " ON DUPLICATE KEY UPDATE value = value"
	case sqlite:
	default:
		return nil, fmt.Errorf("%w: GORM dialect %q", repo.ErrUnsupported, dialect)
	}
	plain := strings.TrimSuffix(options, " WITH (fillfactor = 10)")
	return []string{
		"CREATE TABLE IF NOT EXISTS holdfast_fence (k varchar(191)" + binary + " NOT NULL PRIMARY KEY, token bigint NOT NULL, owner varchar(32)" +
			binary + " NOT NULL, sub bigint NOT NULL)" + options,
		"CREATE TABLE IF NOT EXISTS holdfast_ops (op varchar(32)" + binary + " NOT NULL PRIMARY KEY, written " + booleans + " NOT NULL)" + plain,
		"CREATE TABLE IF NOT EXISTS holdfast_meta (name varchar(32) NOT NULL PRIMARY KEY, value bigint NOT NULL)" + plain,
		"INSERT INTO holdfast_meta (name, value) VALUES ('epoch', 0), ('pruned', 0)" + ignore,
	}, nil
}

// FenceDDL returns the statements that MigrateFence runs, for tools like Flyway:
// one a line, each ended by a semicolon. The dialect is "postgres", "mysql" (and
// MariaDB) or "sqlite", else the error is repo.ErrUnsupported.
func FenceDDL(dialect string) (string, error) {
	statements, err := fenceDDL(dialect)
	if err != nil {
		return "", fmt.Errorf("gormrepo: fence: %w", err)
	}
	return strings.Join(statements, ";\n") + ";\n", nil
}

// MigrateFence makes the tables that a fence needs where they are missing. It
// may be called each time a program starts, by several at once, and needs the
// right to create tables only when there is something to create.
func MigrateFence(ctx context.Context, db *gorm.DB) error {
	t, pool, err := fenceOf(db)
	if err != nil {
		return fmt.Errorf("gormrepo: migrate fence: %w", err)
	}
	if err := t.migrate(ctx, db, pool); err != nil {
		return fmt.Errorf("gormrepo: migrate fence: %w", err)
	}
	return nil
}

func (t fenceTable) migrate(ctx context.Context, db *gorm.DB, pool gorm.ConnPool) error {
	if t.ready(ctx, pool) {
		return nil
	}
	statements, err := fenceDDL(t.dialect)
	if err != nil {
		return err
	}
	create := func(pool gorm.ConnPool) error {
		for _, s := range statements {
			if _, err := pool.ExecContext(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}
	if t.dialect != postgres {
		return create(pool)
	}
	// There IF NOT EXISTS fails for the second of two who create at once.
	return db.Session(&gorm.Session{NewDB: true, Context: ctx}).Transaction(func(tx *gorm.DB) error {
		pool := unprepared(tx.Statement.ConnPool)
		if _, err := pool.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtext('holdfast_fence'))"); err != nil {
			return err
		}
		return create(pool)
	})
}

// ready tells whether all tables can be read.
func (t fenceTable) ready(ctx context.Context, pool gorm.ConnPool) bool {
	var n int64
	err := pool.QueryRowContext(ctx, "SELECT count(*) FROM holdfast_meta m LEFT JOIN holdfast_fence f ON f.k = ''"+
		" LEFT JOIN holdfast_ops o ON o.op = '' WHERE m.name IN ('epoch', 'pruned')").Scan(&n)
	return err == nil && n == 2
}

// AdvanceEpoch makes every claim from now on newer than all that the database
// has seen. It is for the operator, after etcd was restored from a backup or made
// anew, so that its revisions begin below those that are stored, which is
// repo.ErrRegressed. Before calling it, make sure that no process is left which
// uses the other etcd: it would be treated as newer too.
func AdvanceEpoch(ctx context.Context, db *gorm.DB) error {
	_, pool, err := fenceOf(db)
	if err == nil {
		var n int64
		n, err = affected(pool.ExecContext(ctx, "UPDATE holdfast_meta SET value = value + 1 WHERE name = 'epoch'"))
		switch {
		case err == nil && n == 0:
			err = missingFence(errors.New("no epoch"))
		case isMissing(err):
			err = missingFence(err)
		}
	}
	if err != nil {
		return fmt.Errorf("gormrepo: advance epoch: %w", err)
	}
	return nil
}

func isMissing(err error) bool { return err != nil && isMissingFence(err) }

// fenceOf is the fence in the database behind db.
func fenceOf(db *gorm.DB) (fenceTable, gorm.ConnPool, error) {
	if db == nil || db.Config == nil || db.Statement == nil || db.Dialector == nil {
		return fenceTable{}, nil, fmt.Errorf("%w: no database given", repo.ErrInvalid)
	}
	d, err := dialectOf(db.Name())
	return fenceTable{dialect: d.name}, unprepared(db.Statement.ConnPool), err
}

// create makes the row of a key that is absent, so old that it refuses nothing.
func (t fenceTable) create(ctx context.Context, pool gorm.ConnPool, key string) error {
	_, err := pool.ExecContext(ctx, "INSERT INTO holdfast_fence (k, token, owner, sub) VALUES ("+literal(key)+", 0, '', 0) ON DUPLICATE KEY UPDATE sub = sub")
	return err
}
