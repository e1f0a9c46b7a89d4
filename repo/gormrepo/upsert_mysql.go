package gormrepo

import (
	"slices"

	"github.com/samber/lo"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// upsertLocked is the upsert of MySQL and MariaDB, and that of tables which take no
// INSERT of rows that exist. On MySQL ON DUPLICATE KEY
// UPDATE fires on any unique index and would rewrite the row of another key.
// So the rows that exist are locked first and overwritten by an UPDATE. Of the rows
// that do not exist each must be there afterwards, else the statement hit another
// one in its place.
func (r *store) upsertLocked(c *call, items []*item, columns []*schema.Field, g *group) error {
	back := append(slices.Clone(r.created), g.left...)
	if err := r.lockDatabase(c); err != nil {
		return err
	}
	rows, err := r.stored(c.tx, r.keysOf(items), append(slices.Clone(r.key), back...), true)
	if err != nil {
		return err
	}
	known, absent := r.split(items, rows)
	if err := r.checkAlive(c, known); err != nil {
		return err
	}
	if len(known) > 0 {
		if err := r.updateRows(c, known, r.updatable(columns)); err != nil {
			return err
		}
		if err := r.takeBack(known, rows, back, repo.ErrNotFound, "the row is gone"); err != nil {
			return err
		}
	}
	if len(absent) == 0 {
		return nil
	}
	if r.plugged {
		return r.insertPlain(c, absent)
	}
	st := r.statement(c, absent, columns, g.defaulted)
	if r.numbersAlone() {
		st.conflict.DoUpdates = nil
	}
	back = append(back, g.defaulted...)
	if r.dialect.returning {
		st.conflict.Columns = bare(r.keyColumns())
	}
	if err := r.exec(c, st); err != nil {
		return err
	}
	rows, err = r.stored(c.tx, r.keysOf(absent), append(slices.Clone(r.key), back...), false)
	if err != nil {
		return err
	}
	return r.takeBack(absent, rows, back, repo.ErrDuplicateKey, "another row has a value that must be unique")
}

// insertPlain inserts rows that were not there a moment ago by GORM's Create, whose
// callbacks see them. Another writer may have been first.
func (r *store) insertPlain(c *call, items []*item) error {
	zeros := r.explicitZeros(items)
	for _, g := range r.groups(c, items, true) {
		if err := r.insertBatch(c, g.items, g.left); err != nil {
			c.raced = dberr.IsDuplicate(err, r.db.Dialector)
			return err
		}
	}
	return r.writeZeros(c, zeros)
}

// numbersAlone tells whether the part of the key that is numbered is a key of the
// table by itself: SQLite numbers nothing else, and knows no conflict of both parts
// then.
func (r *store) numbersAlone() bool {
	return r.dialect.name == sqlite && len(r.key) > 1 && lo.SomeBy(r.made, func(f *schema.Field) bool { return f.AutoIncrement })
}
