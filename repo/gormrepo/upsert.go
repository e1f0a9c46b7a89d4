package gormrepo

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// upsert inserts or overwrites entities by their keys.
func (r *store) upsert(c *call, items []*item) error {
	if err := r.learnTypesIn(c, items); err != nil {
		return err
	}
	ctx := c.tx.Statement.Context
	groups := grouped(items, func(it *item) group {
		return group{left: r.left(ctx, it.val, false), defaulted: r.defaulted(ctx, it)}
	})
	for _, g := range groups {
		columns := without(r.columns, g.left)
		err := r.inBatches(c, g.items, r.rowsPerStatement(columns), func(batch []*item) error { return r.upsertBatch(c, batch, columns, g) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *store) upsertBatch(c *call, items []*item, columns []*schema.Field, g *group) error {
	folded := c.behind != nil // which MariaDB can do as PostgreSQL does
	if !r.dialect.returning && !folded || c.careful {
		return r.upsertLocked(c, items, columns, g)
	}
	if r.dialect.returning && len(items) == 1 && r.looksStored(c.tx.Statement.Context, items[0]) {
		if done, err := r.updateFirst(c, items[0], columns, append(slices.Clone(r.created), g.left...)); done || err != nil {
			return err
		}
	}
	back := slices.Concat(r.created, g.left, g.defaulted)
	st := r.statement(c, items, columns, g.defaulted)
	if n := r.dialect.rows(len(columns)); len(items) > n && !st.hasArrays() {
		return r.inLists(c, items, n, func(batch []*item) error { return r.upsertBatch(c, batch, columns, g) })
	}
	st.conflict.Columns = bare(r.keyColumns())
	guarded := len(r.alive) > 0 && !r.opts.Revive && r.dialect.returning
	if !r.dialect.returning {
		st.conflict.DoUpdates = append(clause.Set{r.keepsOthers()}, st.conflict.DoUpdates...)
	}
	if !guarded && len(back) == 0 {
		return r.upsertUntold(c, st)
	}
	if guarded {
		st.conflict.Where = clause.Where{Exprs: slices.Clone(r.alive)}
	}
	st.returning = append(slices.Clone(r.key), back...)
	rows, err := r.query(c, st)
	if err != nil {
		c.raced = r.dialect.returning && dberr.IsDuplicate(err, r.db.Dialector)
		return err
	}
	r.proven.CompareAndSwap(false, true)
	if !guarded {
		return r.takeBack(items, rows, back, repo.ErrUnsupported, "the database gives the key back in another form")
	}
	return r.takeBack(items, rows, back, repo.ErrNotFound, "the entity is marked as deleted")
}

// upsertUntold runs an upsert that reports nothing.
func (r *store) upsertUntold(c *call, st *statement) error {
	err := r.exec(c, st)
	c.raced = c.raced || r.dialect.returning && dberr.IsDuplicate(err, r.db.Dialector)
	r.proven.CompareAndSwap(false, err == nil)
	return err
}

// inLists writes items by lists of values of so many rows, which arrays do not take.
func (r *store) inLists(c *call, items []*item, rows int, write func([]*item) error) error {
	if c.once {
		return dberr.TooMany(fmt.Errorf("%d rows in a list of values", len(items)))
	}
	return r.inBatches(c, items, rows, write)
}

// looksStored tells whether an entity that may be new has been stored before, by all
// it shows: it has a key that the database makes, or the time of its creation. Then
// an UPDATE comes first, which fires no trigger for inserts and needs no column that
// T does not have.
func (r *store) looksStored(ctx context.Context, it *item) bool {
	return !r.opts.Revive && (len(r.made) > 0 || lo.SomeBy(r.created, func(f *schema.Field) bool { return !it.freshTimes && !isZero(ctx, f, it) }))
}

// updateFirst overwrites the row of an entity and tells whether there was one.
func (r *store) updateFirst(c *call, it *item, columns, back []*schema.Field) (bool, error) {
	fields := r.updatable(columns)
	if len(fields) == 0 {
		return false, nil
	}
	set, conds := r.assigned(c, it, fields), append([]clause.Expression{r.keyIn(r.keysOf([]*item{it}))}, r.alive...)
	if len(back) == 0 {
		n, err := r.update(c, set, conds)
		return n > 0, err
	}
	n, err := r.updateBack(c, it, set, conds, back)
	return n > 0, err
}

// updateBack is update for the row of one item, some of whose columns are read back.
func (r *store) updateBack(c *call, it *item, set map[string]any, conds []clause.Expression, back []*schema.Field) (int64, error) {
	row := r.newPointer()
	tx := through(c.tx, func(tx *gorm.DB) *gorm.DB {
		list := lo.Map(back, func(f *schema.Field, _ int) clause.Column { return clause.Column{Name: f.DBName} })
		return c.updating(tx.Model(row).Unscoped().Clauses(clause.Returning{Columns: list}, clause.Where{Exprs: conds})).UpdateColumns(set)
	})
	if tx.Error != nil || tx.RowsAffected == 0 {
		return 0, tx.Error
	}
	c.wrote = true
	copyFields(back, reflect.ValueOf(row).Elem(), it.val)
	return tx.RowsAffected, nil
}
