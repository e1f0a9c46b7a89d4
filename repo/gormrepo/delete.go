package gormrepo

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// delete deletes or marks entities. The hooks BeforeDelete and AfterDelete run here,
// where the entities are known.
func (r *store) delete(ctx context.Context, es []reflect.Value) error {
	if err := driver.Ended(ctx); err != nil || len(es) == 0 {
		return err
	}
	items := make([]*item, len(es))
	for i, e := range es {
		items[i] = &item{val: e, index: i, was: r.entity.VersionOf(e)}
		items[i].key = r.identity(items[i])
	}
	return r.write(ctx, func(c *call) error { return r.deleteItems(c, items) })
}

func (r *store) deleteItems(c *call, items []*item) error {
	err := r.hooks(c, items, r.schema.BeforeDelete, func(e any, tx *gorm.DB, _ *item) error {
		if h, ok := e.(callbacks.BeforeDeleteInterface); ok && r.schema.BeforeDelete {
			return h.BeforeDelete(tx)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, it := range items {
		if err := r.sameKey(it); err != nil {
			return r.itemError(it, err)
		}
	}
	if r.version == nil {
		_, err = r.deleteKeys(c, r.keysOf(items))
	} else {
		err = r.deleteVersions(c, items)
	}
	if err != nil {
		return err
	}
	return r.hooks(c, items, r.schema.AfterDelete, func(e any, tx *gorm.DB, _ *item) error {
		if h, ok := e.(callbacks.AfterDeleteInterface); ok && r.schema.AfterDelete {
			return h.AfterDelete(tx)
		}
		return nil
	})
}

// deleteVersions deletes rows that still have the version in which their
// entities were read.
func (r *store) deleteVersions(c *call, items []*item) error {
	items = slices.Clone(items)
	r.sortByKey(items)
	hit, missed, err := r.lockVersions(c, items, nil)
	if err != nil {
		return err
	}
	if _, err := r.deleteKeys(c, r.keysOf(hit)); err != nil {
		return err
	}
	if len(missed) == 0 {
		return nil
	}
	rows, err := r.stored(c.tx, r.keysOf(missed), r.key, false)
	if err != nil {
		return err
	}
	present, _ := r.split(missed, rows)
	marked, err := r.marked(c, present)
	if err != nil {
		return err
	}
	var bad failures
	for _, it := range present {
		if !marked[it] {
			bad.add(it.index, r.shownID(it.val), fmt.Errorf("%w: another version than %d is stored", repo.ErrStale, it.was))
		}
	}
	return bad.err()
}

// DeleteByID deletes or marks the entity with the id; see repo.Repository. No
// hooks run.
func (r *store) DeleteByID(ctx context.Context, id any) error {
	_, err := r.deleteByID(ctx, []any{id})
	return r.failed(ctx, "delete by id", single(err))
}

// DeleteAllByID deletes or marks the entities with the ids, all or none, and
// returns how many there were; see repo.Repository. A bad id is reported in a
// *repo.BatchError. No hooks run.
func (r *store) DeleteAllByID(ctx context.Context, ids []any) (int64, error) {
	n, err := r.deleteByID(ctx, ids)
	if err != nil {
		return 0, r.failed(ctx, "delete all by id", err)
	}
	return n, nil
}

func (r *store) deleteByID(ctx context.Context, ids []any) (n int64, err error) {
	if err := driver.Ended(ctx); err != nil {
		return 0, err
	}
	keys, err := r.keys(ids)
	if err != nil || len(keys) == 0 {
		return 0, err
	}
	write := r.write
	if len(keys) <= idsPerStatement {
		write = r.writeOnce
	}
	err = write(ctx, func(c *call) error {
		n, err = r.deleteKeys(c, keys)
		return err
	})
	return n, err
}

func (r *store) deleteKeys(c *call, keys [][]any) (int64, error) {
	var n int64
	for chunk := range slices.Chunk(keys, idsPerStatement) {
		deleted, err := r.remove(c, r.keyIn(chunk))
		if err != nil {
			return 0, err
		}
		n += deleted
	}
	return n, nil
}

// remove deletes or marks the rows that satisfy the conditions.
func (r *store) remove(c *call, conds ...clause.Expression) (int64, error) {
	if len(r.unknown) > 0 {
		f := r.deleted[0]
		return r.update(c, map[string]any{f.DBName: r.now()}, append(conds, r.alive...))
	}
	tx := through(c.tx, func(tx *gorm.DB) *gorm.DB {
		return tx.Session(&gorm.Session{SkipHooks: true}).Clauses(clause.Where{Exprs: conds}).Delete(r.newPointer())
	})
	c.wrote = c.wrote || tx.RowsAffected > 0
	return tx.RowsAffected, tx.Error
}
