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
// does not say for which, so then it is looked for. The savepoint is what lets PostgreSQL go
// on after the error.
func (r *store) batch(c *call, items []*item, write func([]*item) error) error {
	if len(items) == 1 {
		return r.writeOne(items[0], write)
	}
	if c.once || c.whole {
		return r.writeWhole(c, items, write)
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
	lists := errors.As(err, new(*arraysError))
	named := errors.As(err, new(*repo.BatchError)) || !dberr.BlamesRow(err, r.db.Dialector)
	if named && !lists || c.tx.RollbackTo(savepoint).Error != nil {
		return err
	}
	if lists {
		return write(items)
	}
	if it := r.suspect(err, items); it != nil {
		if err := r.writeOne(it, write); err != nil {
			return err
		}
		if err := c.tx.RollbackTo(savepoint).Error; err != nil {
			return err
		}
	}
	return r.halves(c, items, write)
}

// halves writes each half of items that were refused, and so on, until it is known which one
// was.
func (r *store) halves(c *call, items []*item, write func([]*item) error) error {
	for half := range slices.Chunk(items, (len(items)+1)/2) {
		if err := r.batch(c, half, write); err != nil {
			return err
		}
	}
	return nil // what was in the way has gone
}

// writeOne names the item where it is refused.
func (r *store) writeOne(it *item, write func([]*item) error) error {
	if err := write([]*item{it}); err != nil {
		return r.itemError(it, err)
	}
	return nil
}

// writeWhole does not look for the item that was refused. For a call that is made again in
// another way it names the one that seems to be it.
func (r *store) writeWhole(c *call, items []*item, write func([]*item) error) error {
	err := write(items)
	if !c.whole || !dberr.BlamesRow(err, r.db.Dialector) {
		return err
	}
	if it := r.suspect(err, items); it != nil {
		return r.itemError(it, err)
	}
	return err
}
