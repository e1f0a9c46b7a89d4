package gormrepo

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
)

// insert writes new entities by plain INSERTs: a key that exists is an error
// and never an update.
func (r *store) insert(c *call, items []*item) error {
	zeros := r.explicitZeros(items)
	for _, g := range r.groups(c, items, true) {
		size := len(g.items)
		if len(without(r.columns, g.left)) == 0 {
			size = 1 // a statement without columns inserts one row
		}
		for list := range slices.Chunk(g.items, size) {
			err := r.inBatches(c, list, r.dialect.rows(len(r.columns)), func(batch []*item) error { return r.insertBatch(c, batch, g.left) })
			if err != nil {
				return err
			}
		}
	}
	return r.writeZeros(c, zeros)
}

func (r *store) insertBatch(c *call, items []*item, left []*schema.Field) error {
	list := r.listOf(items)
	tx := through(c.tx, func(tx *gorm.DB) *gorm.DB {
		tx = tx.Session(&gorm.Session{SkipHooks: true}).Omit(clause.Associations)
		if c.behind != nil {
			c.behind.Around(tx, tx.Callback().Create().Clauses)
		}
		return tx.Create(list.Interface())
	})
	if tx.Error != nil {
		return tx.Error
	}
	c.wrote = true
	if len(left) == 0 || r.insertReturns() {
		return r.checkGenerated(items)
	}
	if err := r.spreadKeys(c, items); err != nil {
		return err
	}
	if err := r.checkGenerated(items); err != nil {
		return err
	}
	left = without(left, r.key)
	return r.readBack(c, items, left)
}

// insertReturns tells whether GORM reads from an INSERT what the database
// decided: MySQL cannot, MariaDB can.
func (r *store) insertReturns() bool {
	return slices.Contains(r.db.Callback().Create().Clauses, "RETURNING")
}

// spreadKeys corrects the keys of a batch where the server counts in steps, as
// the nodes of a cluster do: all that MySQL tells is the first number.
func (r *store) spreadKeys(c *call, items []*item) error {
	if r.dialect.name != mysql || len(items) < 2 || len(r.made) != 1 || !r.made[0].AutoIncrement {
		return nil
	}
	made, ctx := r.made[0], context.Background()
	var step int64
	if err := through(c.tx, func(tx *gorm.DB) *gorm.DB { return tx.Raw("SELECT @@auto_increment_increment").Scan(&step) }).Error; err != nil {
		return err
	}
	if step == made.AutoIncrementIncrement {
		return nil
	}
	first := reflect.Indirect(made.ReflectValueOf(ctx, items[0].val))
	for i, it := range items {
		var err error
		if first.CanInt() {
			err = made.Set(ctx, it.val, first.Int()+int64(i)*step)
		} else {
			err = made.Set(ctx, it.val, first.Uint()+uint64(i)*uint64(step))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *store) checkGenerated(items []*item) error {
	for _, it := range items {
		if r.wantsKey(it.val) {
			return r.itemError(it, fmt.Errorf("%w: this database does not tell the key that it generated; set NewID", repo.ErrUnsupported))
		}
	}
	return nil
}
