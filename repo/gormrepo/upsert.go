package gormrepo

import (
	"context"
	"fmt"
	"slices"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// upsert inserts or overwrites entities by their keys.
func (r *Repository[T]) upsert(c *call, items []*item[T]) error {
	ctx := c.tx.Statement.Context
	groups := grouped(items, func(it *item[T]) group[T] {
		return group[T]{left: r.left(ctx, it.val, false), defaulted: r.defaulted(ctx, it)}
	})
	for _, g := range groups {
		columns := without(r.columns, g.left)
		err := r.inBatches(c, g.items, columns, func(batch []*item[T]) error { return r.upsertBatch(c, batch, columns, g) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Repository[T]) upsertBatch(c *call, items []*item[T], columns []*schema.Field, g *group[T]) error {
	if !r.dialect.returning || c.careful {
		return r.upsertLocked(c, items, columns, g)
	}
	if len(items) == 1 && r.looksStored(c.tx.Statement.Context, items[0]) {
		if done, err := r.updateFirst(c, items[0], columns, append(slices.Clone(r.created), g.left...)); done || err != nil {
			return err
		}
	}
	back := slices.Concat(r.created, g.left, g.defaulted)
	st := r.statement(c, items, columns, g.defaulted)
	st.conflict.Columns = bare(r.keyColumns())
	guarded := len(r.alive) > 0 && !r.opts.Revive
	if guarded {
		st.conflict.Where = clause.Where{Exprs: slices.Clone(r.alive)}
	}
	if !guarded && len(back) == 0 {
		err := r.exec(c, st)
		c.raced = c.raced || dberr.IsDuplicate(err, r.db.Dialector)
		r.proven.CompareAndSwap(false, err == nil)
		return err
	}
	st.returning = append(slices.Clone(r.key), back...)
	rows, err := r.query(c, st)
	if err != nil {
		c.raced = dberr.IsDuplicate(err, r.db.Dialector)
		return err
	}
	r.proven.CompareAndSwap(false, true)
	if !guarded {
		return r.takeBack(items, rows, back, repo.ErrUnsupported, "the database gives the key back in another form")
	}
	return r.takeBack(items, rows, back, repo.ErrNotFound, "the entity is marked as deleted")
}

// looksStored tells whether an entity that may be new has been stored before, by all
// it shows: it has a key that the database makes, or the time of its creation. Then
// an UPDATE comes first, which fires no trigger for inserts and needs no column that
// T does not have.
func (r *Repository[T]) looksStored(ctx context.Context, it *item[T]) bool {
	return !r.opts.Revive && (len(r.made) > 0 || lo.SomeBy(r.created, func(f *schema.Field) bool { return !it.freshTimes && !isZero(ctx, f, it) }))
}

// updateFirst overwrites the row of an entity and tells whether there was one.
func (r *Repository[T]) updateFirst(c *call, it *item[T], columns, back []*schema.Field) (bool, error) {
	fields := r.updatable(columns)
	if len(fields) == 0 {
		return false, nil
	}
	set, conds := r.assigned(c, it, fields), append([]clause.Expression{r.keyIn(r.keysOf([]*item[T]{it}))}, r.alive...)
	if len(back) == 0 {
		n, err := r.update(c, set, conds)
		return n > 0, err
	}
	row := new(T)
	tx := through(c.tx, func(tx *gorm.DB) *gorm.DB {
		list := lo.Map(back, func(f *schema.Field, _ int) clause.Column { return clause.Column{Name: f.DBName} })
		return c.updating(tx.Model(row).Unscoped().Clauses(clause.Returning{Columns: list}, clause.Where{Exprs: conds})).UpdateColumns(set)
	})
	if tx.Error != nil || tx.RowsAffected == 0 {
		return false, tx.Error
	}
	c.wrote = true
	copyFields(back, valueOf(row), it.val)
	return true, nil
}

// assignments are what overwriting sets: the changed columns, the defaulted ones to
// their zero value, and with Revive the deletion mark. There is always one, so that
// the database reports the row.
func (r *Repository[T]) assignments(c *call, it *item[T], changed, defaulted []*schema.Field) clause.Set {
	changed = without(changed, defaulted)
	if len(changed)+len(defaulted) == 0 {
		changed = r.key
	}
	set := clause.AssignmentColumns(names(changed))
	for _, f := range defaulted {
		set = append(set, clause.Assignment{Column: clause.Column{Name: f.DBName}, Value: r.value(c.tx.Statement.Context, it, f)})
	}
	if r.opts.Revive {
		for _, f := range r.deleted {
			value, _ := r.aliveValue()
			set = append(set, clause.Assignment{Column: clause.Column{Name: f.DBName}, Value: value})
		}
	}
	return set
}

// writeLocked writes some columns of entities whose rows are locked, so that
// they exist and stay as they are until then.
func (r *Repository[T]) writeLocked(c *call, items []*item[T], changed []*schema.Field) error {
	for _, g := range r.groups(c, items, false) {
		columns := slices.Concat(r.key, without(changed, g.left))
		err := r.inBatches(c, g.items, columns, func(batch []*item[T]) error {
			if err := r.updateRows(c, batch, without(changed, g.left)); err != nil {
				return err
			}
			return r.readBack(c, batch, g.left)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// takeBack copies fields from the rows that the database reported into the
// items, matched by key: the order of the rows says nothing. Items without a
// row failed for the reason given.
func (r *Repository[T]) takeBack(items []*item[T], rows []*T, fields []*schema.Field, kind error, why string) error {
	byKey := r.byKey(r.keysOf(items), rows)
	var bad failures
	for _, it := range items {
		row := byKey[r.keptIdentity(it)]
		if row == nil {
			bad.add(it.index, r.shownID(it.e), fmt.Errorf("%w: %s", kind, why))
			continue
		}
		copyFields(fields, valueOf(row), it.val)
	}
	return bad.err()
}

// readBack reads fields that the database decided.
func (r *Repository[T]) readBack(c *call, items []*item[T], fields []*schema.Field) error {
	if len(fields) == 0 || len(items) == 0 {
		return nil
	}
	rows, err := r.stored(c.tx, r.keysOf(items), append(slices.Clone(r.key), fields...), false)
	if err != nil {
		return err
	}
	return r.takeBack(items, rows, fields, repo.ErrNotFound, "the row is gone")
}

func (r *Repository[T]) keysOf(items []*item[T]) [][]any {
	keys := make([][]any, len(items))
	for i, it := range items {
		keys[i] = r.kept(r.entity.KeyOf(it.val))
	}
	return keys
}

// stored reads some columns of the rows with the keys, those with a deletion
// mark too, and locks the rows when asked to and the database can.
func (r *Repository[T]) stored(tx *gorm.DB, keys [][]any, fields []*schema.Field, lock bool) ([]*T, error) {
	var rows []*T
	for chunk := range slices.Chunk(keys, idsPerStatement) {
		var part []*T
		q := tx.Session(&gorm.Session{SkipHooks: true}).Unscoped().Select(names(fields)).Where(r.keyIn(chunk))
		if lock {
			q = r.forUpdate(q)
		}
		if err := through(q, func(tx *gorm.DB) *gorm.DB { return tx.Find(&part) }).Error; err != nil {
			return nil, err
		}
		rows = append(rows, part...)
	}
	return rows, nil
}

// without are the fields that are not in the other list.
func without(fields, other []*schema.Field) []*schema.Field {
	return slices.DeleteFunc(slices.Clone(fields), func(f *schema.Field) bool { return slices.Contains(other, f) })
}

// bare takes the table's name off columns.
func bare(columns []clause.Column) []clause.Column {
	for i := range columns {
		columns[i].Table = ""
	}
	return columns
}
