package gormrepo

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
)

// saveElements saves elements of an association: those that are stored by an UPDATE of
// what has changed, the others by an INSERT. ready is called between the checks and the
// writes.
func (r *store) saveElements(c *call, l *link, items []*item, ready func() error) error {
	ctx := c.tx.Statement.Context
	if err := r.giveKeys(ctx, items); err != nil {
		return err
	}
	keyed := lo.Reject(items, func(it *item, _ int) bool { return r.wantsKey(it.val) })
	merges := lo.Map(items, func(it *item, _ int) *merge { return &merge{item: it} })
	if err := r.findElements(c, l, merges, keyed); err != nil {
		return err
	}
	if ready != nil {
		if err := ready(); err != nil {
			return err
		}
	}
	if len(items) == 0 {
		return nil
	}
	if err := r.beforeSave(c, items); err != nil {
		return err
	}
	if err := r.checkKeys(items); err != nil {
		return err
	}
	stored := lo.Filter(items, func(it *item, _ int) bool { return it.exists })
	for _, it := range stored {
		if err := r.sameKey(it); err != nil {
			return r.itemError(it, err)
		}
	}
	if err := r.callBack(c, stored); err != nil {
		return err
	}
	return r.saveMerged(c, merges)
}

// findElements locks the rows of elements that are stored and checks that they may be
// overwritten.
func (r *store) findElements(c *call, l *link, merges []*merge, keyed []*item) error {
	if len(keyed) == 0 {
		return nil
	}
	if err := r.lockDatabase(c); err != nil {
		return err
	}
	r.sortByKey(keyed)
	rows, err := r.lockedRows(c, r.keysOf(keyed), none)
	if err != nil {
		return err
	}
	marked, err := r.marked(c, keyed)
	if err != nil {
		return err
	}
	var bad failures
	for _, m := range merges {
		row := reflect.Value{}
		if !r.wantsKey(m.val) {
			row = rows[r.keptIdentity(m.item)]
		}
		if err := r.findElement(c, l, m, row, marked[m.item]); err != nil {
			bad.add(m.index, r.shownID(m.val), err)
		}
	}
	return bad.err()
}

// findElement compares an element with its row, which is not valid where there is none.
func (r *store) findElement(c *call, l *link, m *merge, row reflect.Value, marked bool) error {
	if !row.IsValid() {
		if m.was != 0 {
			return fmt.Errorf("%w: the entity is gone", repo.ErrStale)
		}
		return nil
	}
	ctx, stored := c.tx.Statement.Context, r.entity.VersionOf(row)
	if l.owned() {
		is, none := l.owner(ctx, row)
		if wanted, _ := l.owner(ctx, m.val); !none && is != wanted {
			return fmt.Errorf("%w: it belongs to another entity", repo.ErrInvalid)
		}
	}
	switch {
	case marked && !r.opts.Revive:
		return errMarked()
	case m.was != stored && (m.was != 0 || !l.owned()):
		return fmt.Errorf("%w: another version than %d is stored", repo.ErrStale, m.was)
	}
	m.isNew, m.exists, m.was, m.revived = false, true, stored, marked
	copyFields(slices.Concat(r.key, r.created), row, m.val)
	m.key, m.old = r.identity(m.item), r.snapshot(ctx, row)
	return nil
}
