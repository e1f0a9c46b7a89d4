package gormrepo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
)

// fenceHome says where the tables of a fence are, and what it protects.
type fenceHome struct {
	// schema is the schema of PostgreSQL, the database of MySQL or the attached
	// database of SQLite. Empty is what the connection finds by itself.
	schema string
	// resource is the table of the entities, as the guard names it.
	resource string
	// seen is how the table was found: its number on PostgreSQL, the current
	// database on MySQL. It is empty where every connection finds the same.
	seen string
}

// name is the qualified name of one of the tables: "fence", "ops", "meta" or
// "guard".
func (t fenceTable) name(table string) string { return nameIn(t.dialect, t.schema(), table) }

func (t fenceTable) schema() string {
	if t.state == nil {
		return t.fixed
	}
	if home := t.state.home.Load(); home != nil {
		return home.schema
	}
	return ""
}

func nameIn(dialect, schema, table string) string {
	if schema == "" {
		return "holdfast_" + table
	}
	return quoted(dialect, schema) + ".holdfast_" + table
}

// in is the fence in another schema.
func (t fenceTable) in(schema string) fenceTable {
	return fenceTable{dialect: t.dialect, limit: t.limit, fixed: schema}
}

func quoted(dialect, name string) string {
	if dialect == mysql {
		return "`" + strings.ReplaceAll(name, "`", "``") + "`"
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// sqlText is a text in a statement of PostgreSQL or SQLite.
func sqlText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// locate finds out where the table of the entities is, and takes the fence in
// the same schema. It asks the database at the first call under a fence only.
// A fence that is missing there is made, when the connection's own schema has
// one: so the service wants a fence, and used to have it where its writers do not
// all look. In a transaction of somebody else's pool makes it, because MySQL
// commits what is open before it makes a table.
func (r *Repository[T]) locate(ctx context.Context, pool gorm.ConnPool) error {
	t := r.fence
	if t.state.home.Load() != nil {
		return nil
	}
	home, err := t.find(ctx, pool)
	if err != nil {
		return err
	}
	there := t.in(home.schema)
	ready, err := there.ready(ctx, pool)
	if err != nil {
		return err
	}
	if !ready {
		if err := r.makeFence(ctx, there, pool, home); err != nil {
			return err
		}
	}
	t.state.home.CompareAndSwap(nil, home)
	return nil
}

func (r *Repository[T]) makeFence(ctx context.Context, there fenceTable, pool gorm.ConnPool, home *fenceHome) error {
	missing := func(err error) error {
		return fmt.Errorf("%w: the tables of the fence are missing in %q, where %s is, or are those of an earlier version:"+
			" run gormrepo.MigrateFence(ctx, db, %[2]q), or what gormrepo.FenceDDL returns: %[4]w", repo.ErrUnsupported, home.schema, home.resource, err)
	}
	own := there.in("")
	consent, err := own.exists(ctx, pool)
	if err != nil {
		return err
	}
	anyThere, err := there.exists(ctx, pool)
	if err != nil {
		return err
	}
	if !consent || anyThere { // an earlier version may have writers that are still running
		return missing(errNoFence)
	}
	ctx, cancel := context.WithTimeout(ctx, settleSlack)
	defer cancel()
	if err := there.migrate(ctx, r.db, own); err != nil {
		return missing(err)
	}
	return nil
}

// find asks the database where the table of the entities is.
func (t fenceTable) find(ctx context.Context, pool gorm.ConnPool) (*fenceHome, error) {
	if strings.ContainsRune(t.state.table+t.state.wanted, '?') {
		return nil, fmt.Errorf("%w: a table with a question mark in its name under a fence", repo.ErrUnsupported)
	}
	var home *fenceHome
	var err error
	switch t.dialect {
	case postgres:
		home, err = t.findPostgres(ctx, pool)
	case mysql:
		home, err = t.findMySQL(ctx, pool)
	default:
		home, err = t.findSQLite(ctx, pool)
	}
	if err != nil {
		return nil, err
	}
	if wanted := t.state.wanted; wanted != "" {
		if t.dialect == sqlite && wanted != home.schema {
			return nil, fmt.Errorf("%w: the fence of %s in another file, %q: a crash could keep one of the two only", repo.ErrUnsupported, home.resource, wanted)
		}
		home.schema = wanted
	}
	return home, nil
}

func (t fenceTable) notThere() error {
	return fmt.Errorf("the table %s is not there", t.state.table)
}

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

// sameTable is a condition that holds where the connection finds the table of
// the entities that was found at first: a search_path or a current database may
// have changed since. It is empty where it need not be asked.
func (t fenceTable) sameTable() string {
	if t.state == nil {
		return ""
	}
	home := t.state.home.Load()
	switch {
	case home == nil || home.seen == "":
		return ""
	case t.dialect == postgres:
		return " AND to_regclass(" + sqlText(t.state.quoted) + ")::oid = " + home.seen
	case t.dialect == mysql:
		return " AND DATABASE() = " + literal(home.seen)
	default:
		return ""
	}
}

// moved tells whether a connection finds another table than the one that the
// fence protects, which is an error, or the same one made again, which is true.
func (t fenceTable) moved(ctx context.Context, pool gorm.ConnPool) (bool, error) {
	old := t.state.home.Load()
	if old == nil || old.seen == "" {
		return false, nil
	}
	now, err := t.find(ctx, pool)
	if err != nil {
		return false, err
	}
	if now.schema != old.schema || now.resource != old.resource {
		return false, fmt.Errorf("%w: the connection takes %s for %s, and the fence in %q protects %s: give all connections one search_path or database, or the entity a qualified TableName",
			repo.ErrUnsupported, t.state.table, now.resource, old.schema, old.resource)
	}
	if now.seen == old.seen {
		return false, nil
	}
	t.state.home.CompareAndSwap(old, now)
	return true, nil
}
