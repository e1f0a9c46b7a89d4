package fence

import (
	"context"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
)

// tables are those of a fence in one schema: a schema of PostgreSQL, a database of
// MySQL, an attached database of SQLite. Empty is what the connection finds by itself.
type tables struct{ dialect, schema string }

// name is the qualified name of one of the tables: "fence", "ops", "meta" or "guard".
func (t tables) name(table string) string {
	if t.schema == "" {
		return "holdfast_" + table
	}
	return sqltext.Name(t.dialect, t.schema) + ".holdfast_" + table
}

func (t tables) in(schema string) tables { return tables{t.dialect, schema} }

func (t tables) text(s string) string { return sqltext.Text(t.dialect, s) }

func (t tables) bind(text string) string { return sqltext.Bind(t.dialect, text) }

func (t tables) epochSQL() string {
	return "SELECT value FROM " + t.name("meta") + " WHERE name = 'epoch'"
}

// storedSQL reads a stored claim, the number of moves of its guards, and that of
// its row.
func (t tables) storedSQL() string {
	if t.dialect == sqltext.Postgres {
		return "SELECT token, owner, sub, gen, n FROM " + t.name("fence") + " WHERE k = $1 AND live = 1"
	}
	return "SELECT token, owner, sub, gen, 0 FROM " + t.name("fence") + " WHERE k = ?"
}

func (t tables) isLive() string {
	if t.dialect == sqltext.Postgres {
		return " AND live = 1"
	}
	return ""
}

// create makes the rows of keys that are absent, so old that they refuse nothing. A
// stripe begins with the number of moves of its set, whose row stays as it is meanwhile:
// a writer who knows the guard from before a move must not find a row that knows of none.
func (t tables) create(ctx context.Context, pool gorm.ConnPool, keys []string) error {
	for _, key := range keys {
		text := t.createSQL(key)
		if set := driver.SetOf(key); set != "" {
			if _, err := pool.ExecContext(ctx, t.createSQL(set)); err != nil {
				return err
			}
			text = t.createStripeSQL(key, set)
		}
		if _, err := pool.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

func (t tables) createSQL(key string) string {
	fence := t.name("fence")
	key = t.text(key)
	switch t.dialect {
	case sqltext.Postgres:
		return "WITH first AS (INSERT INTO " + fence + " (k, n, live, token, owner, sub) VALUES (" + key + ", 0, -1, 0, '', 0)" +
			" ON CONFLICT DO NOTHING RETURNING k) INSERT INTO " + fence + " (k, n, live, token, owner, sub) SELECT k, 1, 1, 0, '', 0 FROM first"
	case sqltext.MySQL:
		return "INSERT INTO " + fence + " (k, token, owner, sub) VALUES (" + key + ", 0, '', 0) ON DUPLICATE KEY UPDATE sub = sub"
	default:
		return "INSERT INTO " + fence + " (k, token, owner, sub) VALUES (" + key + ", 0, '', 0) ON CONFLICT DO NOTHING"
	}
}

func (t tables) createStripeSQL(key, set string) string {
	fence := t.name("fence")
	key, set = t.text(key), t.text(set)
	switch t.dialect {
	case sqltext.Postgres:
		return "WITH first AS (INSERT INTO " + fence + " (k, n, live, token, owner, sub) VALUES (" + key + ", 0, -1, 0, '', 0)" +
			" ON CONFLICT DO NOTHING RETURNING k), own AS (SELECT gen FROM " + fence + " WHERE k = " + set + " AND live = 1 FOR SHARE)" +
			" INSERT INTO " + fence + " (k, n, live, token, owner, sub, gen) SELECT first.k, 1, 1, 0, '', 0, own.gen FROM first, own"
	case sqltext.MySQL:
		return "INSERT IGNORE INTO " + fence + " (k, token, owner, sub, gen) SELECT " + key + ", 0, '', 0, own.gen FROM " + fence +
			" own WHERE own.k = " + set + " LOCK IN SHARE MODE"
	default:
		return "INSERT INTO " + fence + " (k, token, owner, sub, gen) SELECT " + key + ", 0, '', 0, own.gen FROM " + fence +
			" own WHERE own.k = " + set + " ON CONFLICT DO NOTHING"
	}
}
