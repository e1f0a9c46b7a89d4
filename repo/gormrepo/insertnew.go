package gormrepo

import (
	"context"
	"reflect"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// strictItems are the items of entities that are inserted, whatever they say of themselves.
func (r *store) strictItems(es []reflect.Value) []*item {
	items := r.itemsFor(es)
	for _, it := range items {
		it.strict = true
	}
	return items
}

// insertAll inserts every element, all or none.
func (r *store) insertAll(ctx context.Context, es []reflect.Value) error {
	if err := driver.Ended(ctx); err != nil || len(es) == 0 {
		return err
	}
	return r.saveItems(ctx, r.strictItems(es), false)
}

// insertAbsent inserts the elements whose key is not stored, all or none, and returns their
// places in the list.
func (r *store) insertAbsent(ctx context.Context, es []reflect.Value) (places []int, err error) {
	if err := driver.Ended(ctx); err != nil || len(es) == 0 {
		return nil, err
	}
	items := r.strictItems(es)
	var absent []*item
	err = r.saveFound(ctx, items, func(c *call) (err error) {
		if absent, err = r.absentOf(c, items); err != nil || len(absent) == 0 {
			return err
		}
		return r.saveIn(c, absent)
	})
	if err != nil {
		return nil, err
	}
	restoreAll(lo.Without(items, absent...))
	return lo.Map(absent, func(it *item, _ int) int { return it.index }), nil
}

// saveFound runs fn, which finds out what is stored and then saves, in a transaction, and
// takes back what it did to the entities when that fails. A row that another writer
// inserted in between is found by a second attempt.
func (r *store) saveFound(ctx context.Context, items []*item, fn func(*call) error) error {
	return restoring(items, func() error {
		if err := r.giveKeys(ctx, items); err != nil {
			return err
		}
		return r.write(ctx, func(c *call) error {
			if err := r.startItems(items); err != nil {
				return err
			}
			if err := r.lockDatabase(c); err != nil {
				return err
			}
			err := fn(c)
			c.raced = dberr.IsDuplicate(err, r.db.Dialector)
			return err
		})
	})
}

// absentOf are the items whose key is not stored, of those with one key the first. Items
// without a key are among them.
func (r *store) absentOf(c *call, items []*item) ([]*item, error) {
	items = lo.UniqBy(items, r.foldKey)
	keyed := lo.Reject(items, func(it *item, _ int) bool { return r.wantsKey(it.val) })
	rows, err := r.stored(c.tx, r.keysOf(keyed), r.key, false)
	if err != nil {
		return nil, err
	}
	present, _ := r.split(keyed, rows)
	return lo.Without(items, present...), nil
}
