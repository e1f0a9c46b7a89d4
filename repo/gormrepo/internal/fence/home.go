package fence

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
)

// locate finds out where the table of the entities is, and takes the fence in
// the same schema. It asks the database at the first call under a fence only.
// A fence that is missing there is made, when the connection's own schema has
// one: so the service wants a fence, and used to have it where its writers do not
// all look. In a transaction of somebody else's pool makes it, because MySQL
// commits what is open before it makes a table.
func (f *Fence) locate(ctx context.Context, pool gorm.ConnPool) error {
	if f.home.Load() != nil {
		return nil
	}
	found, err := f.find(ctx, pool)
	if err != nil {
		return err
	}
	ready, err := found.ready(ctx, pool)
	if err != nil {
		return err
	}
	if !ready {
		if err := f.make(ctx, found, pool); err != nil {
			return err
		}
	}
	f.home.CompareAndSwap(nil, found)
	return nil
}

func (f *Fence) make(ctx context.Context, there *home, pool gorm.ConnPool) error {
	needed := func(err error) error {
		return fmt.Errorf("%w: the tables of the fence are missing in %q, where %s is, or are those of an earlier version:"+
			" run gormrepo.MigrateFence(ctx, db, %[2]q), or what gormrepo.FenceDDL returns: %[4]w", repo.ErrUnsupported, there.schema, there.resource, err)
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
		return needed(errNone)
	}
	ctx, cancel := context.WithTimeout(ctx, SettleSlack)
	defer cancel()
	if err := there.migrate(ctx, f.db, own); err != nil {
		return needed(err)
	}
	return nil
}

// find asks the database where the table of the entities is.
func (f *Fence) find(ctx context.Context, pool gorm.ConnPool) (*home, error) {
	if strings.ContainsRune(f.Table+f.Schema, '?') {
		return nil, fmt.Errorf("%w: a table with a question mark in its name under a fence", repo.ErrUnsupported)
	}
	var found *home
	var err error
	switch f.dialect {
	case sqltext.Postgres:
		found, err = f.findPostgres(ctx, pool)
	case sqltext.MySQL:
		found, err = f.findMySQL(ctx, pool)
	default:
		found, err = f.findSQLite(ctx, pool)
	}
	if err != nil {
		return nil, err
	}
	if wanted := f.Schema; wanted != "" {
		if f.dialect == sqltext.SQLite && wanted != found.schema {
			return nil, fmt.Errorf("%w: the fence of %s in another file, %q: a crash could keep one of the two only", repo.ErrUnsupported, found.resource, wanted)
		}
		found.schema = wanted
	}
	return found, nil
}

// sameTable is a condition that holds where the connection finds the table of
// the entities that was found at first: a search_path or a current database may
// have changed since. It is empty where it need not be asked.
func (f *Fence) sameTable() string {
	home := f.home.Load()
	switch {
	case home == nil || home.seen == "":
		return ""
	case f.dialect == sqltext.Postgres:
		return " AND to_regclass(" + home.text(f.quoted) + ")::oid = " + home.seen
	case f.dialect == sqltext.MySQL:
		return " AND DATABASE() = " + home.text(home.seen)
	default:
		return ""
	}
}

// moved tells whether a connection finds another table than the one that the
// fence protects, which is an error, or the same one made again, which is true.
func (f *Fence) moved(ctx context.Context, pool gorm.ConnPool) (bool, error) {
	old := f.home.Load()
	if old == nil || old.seen == "" {
		return false, nil
	}
	now, err := f.find(ctx, pool)
	if err != nil {
		return false, err
	}
	if now.schema != old.schema || now.resource != old.resource {
		return false, fmt.Errorf("%w: the connection takes %s for %s, and the fence in %q protects %s: give all connections one search_path or database, or the entity a qualified TableName",
			repo.ErrUnsupported, f.Table, now.resource, old.schema, old.resource)
	}
	if now.seen == old.seen {
		return false, nil
	}
	f.home.CompareAndSwap(old, now)
	return true, nil
}
