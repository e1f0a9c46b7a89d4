package config

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

// plainSchemas is a search path that needs no quotes.
var plainSchemas = regexp.MustCompile(`^[a-z_][a-z0-9_$]*( *, *[a-z_][a-z0-9_$]*)*$`)

// session puts what each new connection is set to into the target: into the
// settings of the driver where it has them, else into statements.
func (c SQLConfig) session(t *SQLTarget) (field string, err error) {
	level, err := isolationLevel(c.Isolation)
	if err != nil {
		return "sql.isolation", err
	}
	if c.Schema != "" && t.Dialect != Postgres {
		return "sql.schema", errors.New("is for PostgreSQL; elsewhere the database in the dsn is the schema")
	}
	if err := knownNaming(c.Naming); err != nil {
		return "sql.naming", err
	}
	t.InitSQL = append(t.InitSQL, t.java.InitSQL...)
	switch t.Dialect {
	case Postgres:
		c.postgresSession(t, level)
	case MySQL:
		c.mysqlSession(t, level)
	default: // SQLite has the strictest level only
		if c.ReadOnly {
			t.InitSQL = append(t.InitSQL, "PRAGMA query_only = 1")
		}
	}
	if c.InitSQL != "" {
		t.InitSQL = append(t.InitSQL, c.InitSQL)
	}
	return "", nil
}

func (c SQLConfig) postgresSession(t *SQLTarget, level string) {
	if c.Schema != "" {
		path := c.Schema
		if !plainSchemas.MatchString(path) {
			path = `"` + strings.ReplaceAll(path, `"`, `""`) + `"`
		}
		t.Postgres.RuntimeParams["search_path"] = path
	}
	if level != "" {
		t.Postgres.RuntimeParams["default_transaction_isolation"] = level
	}
	if c.ReadOnly {
		t.Postgres.RuntimeParams["default_transaction_read_only"] = "on"
	}
}

func (c SQLConfig) mysqlSession(t *SQLTarget, level string) {
	if t.java.Zone != nil {
		t.MySQL.Loc = t.java.Zone
	}
	if level != "" {
		t.InitSQL = append(t.InitSQL, "SET SESSION TRANSACTION ISOLATION LEVEL "+strings.ToUpper(level))
	}
	if c.ReadOnly {
		t.InitSQL = append(t.InitSQL, "SET SESSION TRANSACTION READ ONLY")
	}
}

// isolationLevel knows the names of SQL in all of Java's spellings, such as
// TRANSACTION_READ_COMMITTED.
func isolationLevel(s string) (string, error) {
	name := strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(strings.TrimSpace(s)))
	switch strings.TrimPrefix(name, "transaction") {
	case "", "default":
		return "", nil
	case "readuncommitted":
		return "read uncommitted", nil
	case "readcommitted":
		return "read committed", nil
	case "repeatableread":
		return "repeatable read", nil
	case "serializable":
		return "serializable", nil
	}
	return "", errIsolation
}

func knownNaming(name string) error {
	if slices.Contains([]string{"", NamingGORM, NamingSpring, NamingJPA}, name) {
		return nil
	}
	return errors.New("is not one of gorm, spring and jpa")
}
