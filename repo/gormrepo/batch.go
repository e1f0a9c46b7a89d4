package gormrepo

import (
	"errors"
	"slices"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// inBatches writes items by statements of so many rows.
func (r *store) inBatches(c *call, items []*item, rows int, write func([]*item) error) error {
	for batch := range slices.Chunk(items, rows) {
		if err := r.batch(c, batch, write); err != nil {
			return err
		}
	}
	return nil
}

// batch writes items by one statement. A database that refuses it for one row
// does not say for which, so then the statement is cut in half until it is
// known. The savepoint is what lets PostgreSQL go on after the error.
func (r *store) batch(c *call, items []*item, write func([]*item) error) error {
	if (c.once || c.whole) && len(items) > 1 {
		err := write(items)
		if c.whole && dberr.BlamesRow(err, r.db.Dialector) {
			if it := r.suspect(err, items); it != nil {
				return r.itemError(it, err)
			}
		}
		return err
	}
	if len(items) == 1 {
		if err := write(items); err != nil {
			return r.itemError(items[0], err)
		}
		return nil
	}
	const savepoint = "holdfast"
	if err := c.tx.SavePoint(savepoint).Error; err != nil {
		return err
	}
	err := write(items)
	if err == nil {
		if c.joined { // else the commit is near, which releases it too
			err = c.tx.Exec("RELEASE SAVEPOINT " + savepoint).Error
		}
		return err
	}
	if errors.As(err, new(*arraysError)) && c.tx.RollbackTo(savepoint).Error == nil {
		return write(items)
	}
	if errors.As(err, new(*repo.BatchError)) || !dberr.BlamesRow(err, r.db.Dialector) || c.tx.RollbackTo(savepoint).Error != nil {
		return err
	}
	if it := r.suspect(err, items); it != nil {
		if err := write([]*item{it}); err != nil {
			return r.itemError(it, err)
		}
		if err := c.tx.RollbackTo(savepoint).Error; err != nil {
			return err
		}
	}
	for half := range slices.Chunk(items, (len(items)+1)/2) {
		if err := r.batch(c, half, write); err != nil {
			return err
		}
	}
	return nil // what was in the way has gone
}
