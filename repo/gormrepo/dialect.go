package gormrepo

import (
	"database/sql"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
)

// dialect is what the databases do differently.
type dialect struct {
	name string
	// batch is the number of rows a statement writes: fast on this database by
	// measurement. SQLite gets slower from a hundred rows on.
	batch int
	// params is the number of parameters a statement may have.
	params int
	// tx are the options of a transaction. SQLite knows one isolation only.
	tx *sql.TxOptions
	// returning tells whether an upsert can report the rows it wrote.
	returning bool
	// rowLocks tells whether rows can be read for update.
	rowLocks bool
}

const (
	postgres = sqltext.Postgres
	mysql    = sqltext.MySQL // and MariaDB
	sqlite   = sqltext.SQLite
)

func dialectOf(name string) (dialect, error) {
	readCommitted := &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	switch name {
	case postgres:
		return dialect{name: name, batch: 1000, params: 65_535, tx: readCommitted, returning: true, rowLocks: true}, nil
	case mysql:
		return dialect{name: name, batch: 500, params: 65_535, tx: readCommitted, rowLocks: true}, nil
	case sqlite:
		return dialect{name: name, batch: 50, params: 32_766, returning: true}, nil
	default:
		return dialect{}, fmt.Errorf("%w: GORM dialect %q", repo.ErrUnsupported, name)
	}
}

// spareParams are those that a statement has in addition to those of its rows: the value of
// a deletion mark, for instance.
const spareParams = 16

// rows is the number of rows with so many columns that one statement takes.
func (d dialect) rows(columns int) int {
	return max(1, min(d.batch, (d.params-spareParams)/max(1, columns)))
}

// idsPerStatement bounds the ids in one condition, well below the parameters
// that a statement may have with any number of key fields in use.
const idsPerStatement = 1000
