package fence

import (
	"context"
	"errors"
	"strings"

	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

// Migrate makes the tables in each schema where they are missing, and changes those of
// earlier versions.
func Migrate(ctx context.Context, db *gorm.DB, schemas []string) error {
	return each(db, schemas, func(t tables, pool gorm.ConnPool) error {
		ready, err := t.ready(ctx, pool)
		if err == nil && !ready {
			err = t.migrate(ctx, db, t)
		}
		return err
	})
}

// migrate makes the tables, with the epoch and the claims of another fence, where
// the same table was protected until now.
func (t tables) migrate(ctx context.Context, db *gorm.DB, from tables) error {
	statements, err := ddl(t)
	if err != nil {
		return err
	}
	create := func(pool gorm.ConnPool) error {
		if err := execAll(ctx, pool, statements); err != nil {
			return err
		}
		if ready, err := t.ready(ctx, pool); ready || err != nil {
			return err
		}
		return execAll(ctx, pool, upgrade(t))
	}
	if t.schema != from.schema {
		create = both(create, func(pool gorm.ConnPool) error { return t.adopt(ctx, pool, from) })
	}
	if t.dialect == sqltext.MySQL { // each of them commits
		return create(txconn.Unprepared(db.Statement.ConnPool))
	}
	return db.Session(&gorm.Session{NewDB: true, Context: ctx}).Transaction(func(tx *gorm.DB) error {
		pool := txconn.Unprepared(tx.Statement.ConnPool)
		if t.dialect == sqltext.Postgres {
			// There IF NOT EXISTS fails for the second of two who create at once.
			if _, err := pool.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtext('holdfast_fence'))"); err != nil {
				return err
			}
		}
		return create(pool)
	})
}

func execAll(ctx context.Context, pool gorm.ConnPool, statements []string) error {
	for _, s := range statements {
		if _, err := pool.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
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
func (t tables) adopt(ctx context.Context, pool gorm.ConnPool, from tables) error {
	var epoch int64
	err := pool.QueryRowContext(ctx, from.epochSQL()).Scan(&epoch)
	if err == nil {
		_, err = pool.ExecContext(ctx, t.bind("UPDATE "+t.name("meta")+" SET value = ? WHERE name = 'epoch' AND value < ?"), epoch, epoch)
	}
	return err
}

// ready tells whether all tables are there, in the form of this version.
func (t tables) ready(ctx context.Context, pool gorm.ConnPool) (bool, error) {
	found, err := t.columns(ctx, pool)
	if err != nil {
		return false, err
	}
	wanted := []string{"holdfast_fence.gen", "holdfast_guard.k", "holdfast_meta.value", "holdfast_ops.op"}
	if t.dialect == sqltext.Postgres {
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
func (t tables) exists(ctx context.Context, pool gorm.ConnPool) (bool, error) {
	found, err := t.columns(ctx, pool)
	return found["holdfast_fence.k"], err
}

// columns are those of the tables, asked for in a way that does not fail: an
// error ends a transaction of PostgreSQL.
func (t tables) columns(ctx context.Context, pool gorm.ConnPool) (map[string]bool, error) {
	var queries []string
	names := []string{"fence", "guard", "meta", "ops"}
	switch t.dialect {
	case sqltext.Postgres:
		for _, name := range names {
			queries = append(queries, "SELECT 'holdfast_"+name+".' || attname FROM pg_attribute WHERE attrelid = to_regclass("+t.text(t.name(name))+") AND NOT attisdropped AND attnum > 0")
		}
		queries = []string{strings.Join(queries, " UNION ALL ")}
	case sqltext.MySQL:
		queries = []string{"SELECT CONCAT(table_name, '.', column_name) FROM information_schema.columns WHERE table_schema = " + lo.Ternary(t.schema == "", "DATABASE()", t.text(t.schema)) +
			" AND table_name IN ('holdfast_fence', 'holdfast_guard', 'holdfast_meta', 'holdfast_ops')"}
	default:
		file := t.schema
		if file == "" {
			file = "main"
		}
		for _, name := range names {
			queries = append(queries, "SELECT 'holdfast_"+name+".' || name FROM pragma_table_info('holdfast_"+name+"', "+t.text(file)+")")
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

// Advance counts the epoch in each schema up.
func Advance(ctx context.Context, db *gorm.DB, schemas []string) error {
	return each(db, schemas, func(t tables, pool gorm.ConnPool) error {
		n, err := dberr.Affected(pool.ExecContext(ctx, "UPDATE "+t.name("meta")+" SET value = value + 1 WHERE name = 'epoch'"))
		switch {
		case err == nil && n == 0:
			return missing(errors.New("no epoch"))
		case isMissing(err):
			return missing(err)
		}
		return err
	})
}
