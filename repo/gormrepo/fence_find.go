package gormrepo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
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

func (t fenceTable) findPostgres(ctx context.Context, pool gorm.ConnPool) (*fenceHome, error) {
	rows, err := pool.QueryContext(ctx, basesSQL, t.state.quoted)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	home := &fenceHome{}
	var schemas, tables, views []string
	for rows.Next() {
		var oid, schema, table, kind, persistence string
		var view bool
		if err := rows.Scan(&oid, &schema, &table, &kind, &persistence, &view); err != nil {
			return nil, err
		}
		switch {
		case persistence == "t":
			return nil, fmt.Errorf("%w: a fence for the temporary table %s", repo.ErrUnsupported, t.state.table)
		case kind == "f" && t.state.wanted == "":
			return nil, fmt.Errorf("%w: %s is a foreign table: name the place of its fence by Options.FenceSchema", repo.ErrUnsupported, t.state.table)
		case view:
			views = append(views, schema+"."+table)
		default:
			schemas, tables = append(schemas, schema), append(tables, schema+"."+table)
		}
		if !strings.Contains(t.state.table, ".") {
			home.seen = oid
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(tables) == 0 {
		return nil, t.notThere()
	}
	home.schema, home.resource = schemas[0], tables[0]
	if len(tables) > 1 { // a view of several: it is written by a trigger
		home.resource = views[0]
	}
	if len(slices.Compact(schemas)) > 1 && t.state.wanted == "" {
		return nil, fmt.Errorf("%w: %s is a view of tables in several schemas, %s: name the place of its fence by Options.FenceSchema",
			repo.ErrUnsupported, t.state.table, strings.Join(tables, ", "))
	}
	return home, nil
}

func (t fenceTable) findMySQL(ctx context.Context, pool gorm.ConnPool) (*fenceHome, error) {
	schema, table, qualified := strings.Cut(t.state.table, ".")
	if !qualified {
		schema, table = "", t.state.table
	}
	home := &fenceHome{}
	var kind string
	rows, err := pool.QueryContext(ctx, "SELECT table_schema, table_name, table_type FROM information_schema.tables"+
		" WHERE table_schema = "+orCurrent(schema)+" AND table_name = "+literal(table))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return nil, err
		}
		return nil, t.notThere()
	}
	if err := rows.Scan(&home.schema, &home.resource, &kind); err != nil {
		return nil, err
	}
	home.resource = home.schema + "." + home.resource
	if !qualified {
		home.seen = home.schema
	}
	if kind == "VIEW" && t.state.wanted == "" {
		return nil, fmt.Errorf("%w: %s is a view, whose table may be in another database: name the place of its fence by Options.FenceSchema", repo.ErrUnsupported, home.resource)
	}
	return home, rows.Err()
}

func orCurrent(schema string) string {
	if schema == "" {
		return "DATABASE()"
	}
	return literal(schema)
}

// findSQLite looks into the files in the order in which SQLite does. The name of
// an attached file is the connection's own, so it is no part of the resource:
// the guard is in that very file.
func (t fenceTable) findSQLite(ctx context.Context, pool gorm.ConnPool) (*fenceHome, error) {
	schema, table, qualified := strings.Cut(t.state.table, ".")
	files := []string{schema}
	if !qualified {
		table = t.state.table
		var err error
		if files, err = attached(ctx, pool); err != nil {
			return nil, err
		}
	}
	for _, file := range files {
		home := &fenceHome{schema: file}
		err := pool.QueryRowContext(ctx, "SELECT name FROM "+quoted(sqlite, file)+".sqlite_master WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE", table).Scan(&home.resource)
		switch {
		case isNoRows(err):
			continue
		case err != nil:
			return nil, err
		case file == "temp":
			return nil, fmt.Errorf("%w: a fence for the temporary table %s", repo.ErrUnsupported, t.state.table)
		}
		return home, nil
	}
	return nil, t.notThere()
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
