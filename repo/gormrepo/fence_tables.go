package gormrepo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
)

// MigrateFence makes the tables that a fence needs where they are missing, and
// changes those of earlier versions. They belong into the schema of the entities'
// tables (on MySQL the database, on SQLite the attached one); without schemas it
// is the one that the connection of db uses. It may be called each time a program
// starts, by several at once, and needs the right to create tables only when
// there is something to create. Writers of an earlier version get errors after
// its tables were changed.
func MigrateFence(ctx context.Context, db *gorm.DB, schemas ...string) error {
	err := eachFence(db, schemas, func(t fenceTable, pool gorm.ConnPool) error {
		ready, err := t.ready(ctx, pool)
		if err == nil && !ready {
			err = t.migrate(ctx, db, t)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("gormrepo: migrate fence: %w", deniedFence(err))
	}
	return nil
}

// migrate makes the tables, with the epoch and the claims of another fence, where
// the same table was protected until now.
func (t fenceTable) migrate(ctx context.Context, db *gorm.DB, from fenceTable) error {
	statements, err := fenceDDL(t.dialect, t.fixed)
	if err != nil {
		return err
	}
	create := func(pool gorm.ConnPool) error {
		for _, s := range statements {
			if _, err := pool.ExecContext(ctx, s); err != nil {
				return err
			}
		}
		if ready, err := t.ready(ctx, pool); ready || err != nil {
			return err
		}
		for _, s := range upgradeDDL(t.dialect, t.fixed) {
			if _, err := pool.ExecContext(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}
	if t.fixed != from.fixed {
		create = both(create, func(pool gorm.ConnPool) error { return t.adopt(ctx, pool, from) })
	}
	if t.dialect == mysql { // each of them commits
		return create(unprepared(db.Statement.ConnPool))
	}
	return db.Session(&gorm.Session{NewDB: true, Context: ctx}).Transaction(func(tx *gorm.DB) error {
		pool := unprepared(tx.Statement.ConnPool)
		if t.dialect == postgres {
			// There IF NOT EXISTS fails for the second of two who create at once.
			if _, err := pool.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtext('holdfast_fence'))"); err != nil {
				return err
			}
		}
		return create(pool)
	})
}

func both(first, second func(gorm.ConnPool) error) func(gorm.ConnPool) error {
	return func(pool gorm.ConnPool) error {
		if err := first(pool); err != nil {
			return err
		}
		return second(pool)
	}
}

// adopt raises the epoch to that of another fence, so that what is shown from now
// on is not older.
func (t fenceTable) adopt(ctx context.Context, pool gorm.ConnPool, from fenceTable) error {
	var epoch int64
	err := pool.QueryRowContext(ctx, from.epochSQL()).Scan(&epoch)
	if err == nil {
		_, err = pool.ExecContext(ctx, t.bind("UPDATE "+t.name("meta")+" SET value = ? WHERE name = 'epoch' AND value < ?"), epoch, epoch)
	}
	return err
}

// ready tells whether all tables are there, in the form of this version.
func (t fenceTable) ready(ctx context.Context, pool gorm.ConnPool) (bool, error) {
	found, err := t.columns(ctx, pool)
	if err != nil {
		return false, err
	}
	wanted := []string{"holdfast_fence.gen", "holdfast_guard.k", "holdfast_meta.value", "holdfast_ops.op"}
	if t.dialect == postgres {
		wanted = append(wanted, "holdfast_fence.live")
	}
	for _, c := range wanted {
		if !found[c] {
			return false, nil
		}
	}
	var n int64
	err = pool.QueryRowContext(ctx, "SELECT count(*) FROM "+t.name("meta")+" WHERE name IN ('epoch', 'pruned')").Scan(&n)
	return n == 2, err
}

// exists tells whether there is a fence of any version.
func (t fenceTable) exists(ctx context.Context, pool gorm.ConnPool) (bool, error) {
	found, err := t.columns(ctx, pool)
	return found["holdfast_fence.k"], err
}

// columns are those of the tables, asked for in a way that does not fail: an
// error ends a transaction of PostgreSQL.
func (t fenceTable) columns(ctx context.Context, pool gorm.ConnPool) (map[string]bool, error) {
	var queries []string
	tables := []string{"fence", "guard", "meta", "ops"}
	switch t.dialect {
	case postgres:
		for _, name := range tables {
			queries = append(queries, "SELECT 'holdfast_"+name+".' || attname FROM pg_attribute WHERE attrelid = to_regclass("+sqlText(t.name(name))+") AND NOT attisdropped AND attnum > 0")
		}
		queries = []string{strings.Join(queries, " UNION ALL ")}
	case mysql:
		queries = []string{"SELECT CONCAT(table_name, '.', column_name) FROM information_schema.columns WHERE table_schema = " + orCurrent(t.fixed) +
			" AND table_name IN ('holdfast_fence', 'holdfast_guard', 'holdfast_meta', 'holdfast_ops')"}
	default:
		file := t.fixed
		if file == "" {
			file = "main"
		}
		for _, name := range tables {
			queries = append(queries, "SELECT 'holdfast_"+name+".' || name FROM pragma_table_info('holdfast_"+name+"', "+sqlText(file)+")")
		}
		queries = []string{strings.Join(queries, " UNION ALL ")}
	}
	rows, err := pool.QueryContext(ctx, queries[0])
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[string]bool{}
	for rows.Next() {
		var column string
		if err := rows.Scan(&column); err != nil {
			return nil, err
		}
		found[column] = true
	}
	return found, rows.Err()
}

// AdvanceEpoch makes every claim from now on newer than all that the fence has
// seen. It is for the operator, after etcd was restored from a backup or made
// again, so that its revisions begin below those that are stored, which is
// repo.ErrRegressed. Before calling it, make sure that no process is left which
// uses the other etcd: it would be treated as newer too. The schemas are those of
// MigrateFence: name all that have a fence for the same etcd.
func AdvanceEpoch(ctx context.Context, db *gorm.DB, schemas ...string) error {
	err := eachFence(db, schemas, func(t fenceTable, pool gorm.ConnPool) error {
		n, err := affected(pool.ExecContext(ctx, "UPDATE "+t.name("meta")+" SET value = value + 1 WHERE name = 'epoch'"))
		switch {
		case err == nil && n == 0:
			return missingFence(errors.New("no epoch"))
		case isMissing(err):
			return missingFence(err)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("gormrepo: advance epoch: %w", deniedFence(err))
	}
	return nil
}

func isMissing(err error) bool { return err != nil && isMissingFence(err) }

// eachFence calls fn for the fence of each schema, or for that of the connection.
func eachFence(db *gorm.DB, schemas []string, fn func(fenceTable, gorm.ConnPool) error) error {
	t, pool, err := fenceOf(db)
	if err != nil {
		return err
	}
	if len(schemas) == 0 {
		return fn(t, pool)
	}
	for _, schema := range schemas {
		if err := fn(t.in(schema), pool); err != nil {
			return fmt.Errorf("schema %q: %w", schema, err)
		}
	}
	return nil
}

// fenceOf is the fence in the database behind db.
func fenceOf(db *gorm.DB) (fenceTable, gorm.ConnPool, error) {
	if db == nil || db.Config == nil || db.Statement == nil || db.Dialector == nil {
		return fenceTable{}, nil, fmt.Errorf("%w: no database given", repo.ErrInvalid)
	}
	d, err := dialectOf(db.Name())
	return fenceTable{dialect: d.name}, unprepared(db.Statement.ConnPool), err
}

// create makes the rows of keys that are absent, so old that they refuse nothing.
func (t fenceTable) create(ctx context.Context, pool gorm.ConnPool, keys []string) error {
	for _, key := range keys {
		if _, err := pool.ExecContext(ctx, t.createSQL(key)); err != nil {
			return err
		}
	}
	return nil
}

func (t fenceTable) createSQL(key string) string {
	fence := t.name("fence")
	switch t.dialect {
	case postgres:
		return "WITH first AS (INSERT INTO " + fence + " (k, n, live, token, owner, sub) VALUES (" + sqlText(key) + ", 0, -1, 0, '', 0)" +
			" ON CONFLICT DO NOTHING RETURNING k) INSERT INTO " + fence + " (k, n, live, token, owner, sub) SELECT k, 1, 1, 0, '', 0 FROM first"
	case mysql:
		return "INSERT INTO " + fence + " (k, token, owner, sub) VALUES (" + literal(key) + ", 0, '', 0) ON DUPLICATE KEY UPDATE sub = sub"
	default:
		return "INSERT INTO " + fence + " (k, token, owner, sub) VALUES (" + sqlText(key) + ", 0, '', 0) ON CONFLICT DO NOTHING"
	}
}

// createInside does the same in a transaction that has shown the claim in vain,
// whose row that is not live must not stay.
func (t fenceTable) createInside(ctx context.Context, tx gorm.ConnPool, shown string, absent []string) error {
	if t.dialect == postgres {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+t.name("fence")+" WHERE k = $1 AND live = 0", shown); err != nil {
			return err
		}
	}
	return t.create(ctx, tx, absent)
}
