package gormrepo

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// Update reads the entity with the id, calls fn with it and saves it, in one
// transaction; see repo.Updater. Only the columns that changed are written, by an
// UPDATE. The row is locked from the read on, so that no
// other writer of the database comes in between: by SELECT ... FOR UPDATE on
// PostgreSQL and MySQL, by the write lock on SQLite. fn runs inside the
// transaction and must not use the repository with another context; it runs
// again when the database gave the transaction up for another one. What fn does
// to the version and the times is ignored; a changed key is repo.ErrInvalid.
func (r *Repository[T]) Update(ctx context.Context, id any, fn func(*T) error) (*T, error) {
	if fn == nil {
		return nil, r.failed(ctx, "update", fmt.Errorf("%w: nil function", repo.ErrInvalid))
	}
	if err := done(ctx); err != nil {
		return nil, r.failed(ctx, "update", err)
	}
	one := &driver.UpdateCall[T]{ID: id, Change: fn}
	if err := r.updateGroup(ctx, []*driver.UpdateCall[T]{one}); err != nil {
		return nil, r.failed(ctx, "update", single(err))
	}
	return one.Entity, one.Err
}

// sameKey refuses an entity whose key is not that of the row which was read.
func (r *Repository[T]) sameKey(it *item[T]) error {
	if r.identity(it) != it.key {
		return errKeyChanged()
	}
	return nil
}

func errKeyChanged() error { return fmt.Errorf("%w: the key was changed", repo.ErrInvalid) }

// locked reads entities that are not marked as deleted and keeps other writers
// away from their rows until the transaction ends.
func (r *Repository[T]) locked(c *call, keys [][]any) ([]*T, error) {
	if err := r.lockDatabase(c); err != nil {
		return nil, err
	}
	var found []*T
	tx := through(c.tx, func(tx *gorm.DB) *gorm.DB { return r.forUpdate(r.live(tx)).Where(r.keyIn(keys)).Find(&found) })
	return found, tx.Error
}

// lockDatabase takes the write lock of SQLite before the first read: a
// transaction that reads first and writes later fails when another one wrote in
// between.
func (r *Repository[T]) lockDatabase(c *call) error {
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
func (r *Repository[T]) forUpdate(tx *gorm.DB) *gorm.DB {
	if !r.dialect.rowLocks {
		return tx
	}
	order := clause.OrderBy{}
	for _, c := range r.keyColumns() {
		order.Columns = append(order.Columns, clause.OrderByColumn{Column: c})
	}
	return tx.Clauses(order, clause.Locking{Strength: clause.LockingStrengthUpdate})
}
