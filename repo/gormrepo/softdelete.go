package gormrepo

import (
	"fmt"
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
)

func errMarked() error { return fmt.Errorf("%w: the entity is marked as deleted", repo.ErrNotFound) }

// marked tells which of the items have a row that is marked as deleted.
func (r *store) marked(c *call, items []*item) (map[*item]bool, error) {
	marked := map[*item]bool{}
	if len(r.alive) == 0 || len(items) == 0 {
		return marked, nil
	}
	rows, err := r.dead(c.tx, r.keysOf(items), r.key)
	if err != nil {
		return nil, err
	}
	dead, _ := r.split(items, rows)
	for _, it := range dead {
		marked[it] = true
	}
	return marked, nil
}

// checkAlive refuses items whose row is marked as deleted.
func (r *store) checkAlive(c *call, items []*item) error {
	if r.opts.Revive {
		return nil
	}
	marked, err := r.marked(c, items)
	if err != nil {
		return err
	}
	var bad failures
	for _, it := range items {
		if marked[it] {
			bad.add(it.index, r.shownID(it.val), errMarked())
		}
	}
	return bad.err()
}

// findDead makes of new items whose key belongs to a row that is marked as
// deleted items that overwrite this row, whatever its version is.
func (r *store) findDead(c *call, items []*item) error {
	if len(r.alive) == 0 {
		return nil
	}
	fresh := slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return !it.isNew || it.strict || r.wantsKey(it.val) })
	if len(fresh) == 0 {
		return nil
	}
	fields := r.key
	if r.version != nil {
		fields = append(slices.Clone(r.key), r.version)
	}
	rows, err := r.dead(c.tx, r.keysOf(fresh), fields)
	if err != nil {
		return err
	}
	byKey := r.byKey(r.keysOf(fresh), rows)
	for _, it := range fresh {
		if row := byKey[r.keptIdentity(it)]; row.IsValid() {
			it.isNew, it.was = false, r.entity.VersionOf(row)
		}
	}
	return nil
}

// dead reads some columns of those rows with the keys that are marked as
// deleted.
func (r *store) dead(tx *gorm.DB, keys [][]any, fields []*schema.Field) ([]reflect.Value, error) {
	return r.chunks(tx, keys, func(tx *gorm.DB) *gorm.DB {
		return tx.Session(&gorm.Session{SkipHooks: true}).Unscoped().Select(names(fields)).Where(not{slices.Clone(r.alive)})
	})
}
