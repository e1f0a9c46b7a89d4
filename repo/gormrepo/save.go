package gormrepo

import (
	"context"
	"reflect"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

// saveAll inserts or overwrites every element, all or none.
func (r *store) saveAll(ctx context.Context, es []reflect.Value) error {
	if err := driver.Ended(ctx); err != nil || len(es) == 0 {
		return err
	}
	return r.saveItems(ctx, r.items(es), false)
}

// saveItems saves in a transaction and takes back what it did to the entities
// when that fails. With whole it does not look for the element that failed.
func (r *store) saveItems(ctx context.Context, items []*item, whole bool) error {
	return restoring(items, func() error {
		if err := r.giveKeys(ctx, items); err != nil {
			return err
		}
		if err := r.learnZones(ctx, txconn.Unprepared(r.pool(ctx)), items); err != nil {
			return err
		}
		return r.writeItems(ctx, items, func(c *call) error {
			c.whole = c.whole || whole
			if err := r.startItems(items); err != nil {
				return err
			}
			if c.only != nil {
				return r.saveIn(c, []*item{c.only})
			}
			return r.saveIn(c, items)
		})
	})
}

// items leaves out elements whose key comes again: the database would refuse a
// statement that touches a row twice.
func (r *store) items(es []reflect.Value) []*item { return r.folded(r.itemsFor(es)) }

// saveIn does the work inside the transaction.
func (r *store) saveIn(c *call, items []*item) error {
	if c.careful {
		if err := r.findRead(c, items); err != nil {
			return err
		}
	}
	if err := r.findExisting(c, items); err != nil {
		return err
	}
	if err := r.beforeSave(c, items); err != nil {
		return err
	}
	if err := r.checkKeys(items); err != nil {
		return err
	}
	if r.hasHooks() || r.opts.NewID != nil || r.foldsKeys() { // which may have changed keys
		items = r.folded(items)
	}
	if r.opts.Revive {
		if err := r.findDead(c, items); err != nil {
			return err
		}
	}
	if err := r.callBack(c, lo.Filter(items, func(it *item, _ int) bool { return !it.isNew })); err != nil {
		return err
	}
	if err := r.toUTC(c, items); err != nil {
		return err
	}
	if err := r.stamp(c.tx.Statement.Context, items, r.now()); err != nil {
		return err
	}
	err := r.withAssociations(c, items, func() error { return r.writeRows(c, items) })
	if err != nil {
		return err
	}
	return r.afterSave(c, items)
}

// writeRows keeps apart what is new and what may exist: one statement for both
// could overwrite a row that happens to have the number which the database
// gives next.
func (r *store) writeRows(c *call, items []*item) error {
	var fresh, known []*item
	for _, it := range items {
		if it.isNew {
			fresh = append(fresh, it)
		} else {
			known = append(known, it)
		}
	}
	if err := r.insert(c, fresh); err != nil {
		return err
	}
	// Two lists that lock the same rows in different orders are a deadlock.
	r.sortByKey(known)
	if len(known) > 0 && known[0].strict {
		return r.overwriteFound(c, known)
	}
	if r.version != nil {
		return r.overwriteVersions(c, known)
	}
	return r.upsert(c, known)
}
