package gormrepo

import (
	"context"
	"fmt"
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
