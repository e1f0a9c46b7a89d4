package gormrepo

import (
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// locked reads entities that are not marked as deleted and keeps other writers
// away from their rows until the transaction ends.
func (r *store) locked(c *call, keys [][]any) ([]reflect.Value, error) {
	if err := r.lockDatabase(c); err != nil {
		return nil, err
	}
	found := r.newList()
	tx := through(c.tx, func(tx *gorm.DB) *gorm.DB {
		return r.preloading(r.forUpdate(r.live(tx))).Where(r.keyIn(keys)).Find(found.Interface())
	})
	return valuesIn(found), tx.Error
}

// lockDatabase takes the write lock of SQLite before the first read: a
// transaction that reads first and writes later fails when another one wrote in
// between.
func (r *store) lockDatabase(c *call) error {
	if r.dialect.name != sqlite {
		return nil
	}
	key := clause.Column{Name: r.key[0].DBName}
	return through(c.tx, func(tx *gorm.DB) *gorm.DB {
		return tx.Exec("UPDATE ? SET ? = ? WHERE 1 = 0", clause.Table{Name: r.schema.Table}, key, key)
	}).Error
}

// forUpdate locks the rows that are read, where the database can, always in the
// same order.
func (r *store) forUpdate(tx *gorm.DB) *gorm.DB {
	if !r.dialect.rowLocks {
		return tx
	}
	order := clause.OrderBy{}
	for _, c := range r.keyColumns() {
		order.Columns = append(order.Columns, clause.OrderByColumn{Column: c})
	}
	return tx.Clauses(order, clause.Locking{Strength: clause.LockingStrengthUpdate})
}

// live leaves out rows with a mark that GORM does not know.
func (r *store) live(tx *gorm.DB) *gorm.DB {
	if len(r.unknown) == 0 {
		return tx
	}
	return tx.Where(all(slices.Clone(r.unknown)))
}
