package fence

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
)

// basesSQL follows views to the tables below them, and partitions to what they
// are partitions of.
const basesSQL = `WITH RECURSIVE named AS (SELECT to_regclass($1)::oid AS oid),
base AS (SELECT c.oid, c.relkind FROM pg_class c JOIN named ON c.oid = named.oid
UNION SELECT c.oid, c.relkind FROM base b
JOIN pg_rewrite r ON r.ev_class = b.oid AND b.relkind = 'v'
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> b.oid
JOIN pg_class c ON c.oid = d.refobjid AND c.relkind IN ('r', 'p', 'v', 'm', 'f'))
SELECT DISTINCT named.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text, b.relkind::text = 'v'
FROM named JOIN base b ON true JOIN pg_class c ON c.oid = coalesce(pg_partition_root(b.oid), b.oid)
JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 6, 2, 3`

func (f *Fence) findPostgres(ctx context.Context, pool gorm.ConnPool) (*home, error) {
	rows, err := pool.QueryContext(ctx, basesSQL, f.quoted)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := &home{tables: tables{dialect: f.dialect}}
	var schemas, tables, views []string
	for rows.Next() {
		var oid, schema, table, kind, persistence string
		var view bool
		if err := rows.Scan(&oid, &schema, &table, &kind, &persistence, &view); err != nil {
			return nil, err
		}
		switch {
		case persistence == "t":
			return nil, fmt.Errorf("%w: a fence for the temporary table %s", repo.ErrUnsupported, f.Table)
		case kind == "f" && f.Schema == "":
			return nil, fmt.Errorf("%w: %s is a foreign table: name the place of its fence by Options.FenceSchema", repo.ErrUnsupported, f.Table)
		case view:
			views = append(views, schema+"."+table)
		default:
			schemas, tables = append(schemas, schema), append(tables, schema+"."+table)
		}
		if !strings.Contains(f.Table, ".") {
			found.seen = oid
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(tables) == 0 {
		return nil, f.notThere()
	}
	found.schema, found.resource = schemas[0], tables[0]
	if len(tables) > 1 { // a view of several: it is written by a trigger
		found.resource = views[0]
	}
	if len(slices.Compact(schemas)) > 1 && f.Schema == "" {
		return nil, fmt.Errorf("%w: %s is a view of tables in several schemas, %s: name the place of its fence by Options.FenceSchema",
			repo.ErrUnsupported, f.Table, strings.Join(tables, ", "))
	}
	return found, nil
}

func (f *Fence) findMySQL(ctx context.Context, pool gorm.ConnPool) (*home, error) {
	schema, table, qualified := strings.Cut(f.Table, ".")
	if !qualified {
		schema, table = "", f.Table
	}
	found := &home{tables: tables{dialect: f.dialect}}
	var kind string
	rows, err := pool.QueryContext(ctx, "SELECT table_schema, table_name, table_type FROM information_schema.tables"+
		" WHERE table_schema = "+lo.Ternary(qualified, sqltext.Text(sqltext.MySQL, schema), "DATABASE()")+" AND table_name = "+sqltext.Text(sqltext.MySQL, table))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return nil, err
		}
		return nil, f.notThere()
	}
	if err := rows.Scan(&found.schema, &found.resource, &kind); err != nil {
		return nil, err
	}
	found.resource = found.schema + "." + found.resource
	if !qualified {
		found.seen = found.schema
	}
	if kind == "VIEW" && f.Schema == "" {
		return nil, fmt.Errorf("%w: %s is a view, whose table may be in another database: name the place of its fence by Options.FenceSchema", repo.ErrUnsupported, found.resource)
	}
	return found, rows.Err()
}

// findSQLite looks into the files in the order in which SQLite does. The name of
// an attached file is the connection's own, so it is no part of the resource:
// the guard is in that very file.
func (f *Fence) findSQLite(ctx context.Context, pool gorm.ConnPool) (*home, error) {
	schema, table, qualified := strings.Cut(f.Table, ".")
	files := []string{schema}
	if !qualified {
		table = f.Table
		var err error
		if files, err = attached(ctx, pool); err != nil {
			return nil, err
		}
	}
	for _, file := range files {
		found := &home{tables: tables{f.dialect, file}}
		err := pool.QueryRowContext(ctx, "SELECT name FROM "+sqltext.Name(sqltext.SQLite, file)+".sqlite_master WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE", table).Scan(&found.resource)
		switch {
		case dberr.IsNoRows(err):
			continue
		case err != nil:
			return nil, err
		case file == "temp":
			return nil, fmt.Errorf("%w: a fence for the temporary table %s", repo.ErrUnsupported, f.Table)
		}
		return found, nil
	}
	return nil, f.notThere()
}

func attached(ctx context.Context, pool gorm.ConnPool) ([]string, error) {
	rows, err := pool.QueryContext(ctx, "SELECT name FROM pragma_database_list ORDER BY name <> 'temp', seq")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var files []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		files = append(files, name)
	}
	return files, rows.Err()
}

func (f *Fence) notThere() error { return fmt.Errorf("the table %s is not there", f.Table) }
