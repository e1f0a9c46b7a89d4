package fence

import (
	"fmt"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

// tablesOf are those that the connection of db finds.
func tablesOf(db *gorm.DB) (tables, gorm.ConnPool, error) {
	if db == nil || db.Config == nil || db.Statement == nil || db.Dialector == nil {
		return tables{}, nil, fmt.Errorf("%w: no database given", repo.ErrInvalid)
	}
	t := tables{dialect: db.Name()}
	if _, err := ddl(t); err != nil {
		return tables{}, nil, err
	}
	return t, txconn.Unprepared(db.Statement.ConnPool), nil
}

// each calls fn for the tables in each schema, or for those of the connection.
func each(db *gorm.DB, schemas []string, fn func(tables, gorm.ConnPool) error) error {
	t, pool, err := tablesOf(db)
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
