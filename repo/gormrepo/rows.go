package gormrepo

import (
	"database/sql/driver"
	"reflect"
	"slices"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// updateRows writes some columns of rows that are known to exist. It is an UPDATE
// and no upsert: an INSERT would ask for the columns that T does not have, for
// the right to insert, and fire the triggers of a new row.
func (r *store) updateRows(c *call, items []*item, fields []*schema.Field) error {
	if r.opts.Revive {
		fields = append(without(fields, r.deleted), r.deleted...)
	}
	if len(fields) == 0 || len(items) == 0 {
		return nil
	}
	if len(items) == 1 {
		fields = lo.Filter(fields, func(f *schema.Field, _ int) bool { return r.writes(items[0], f) })
		_, err := r.update(c, r.assigned(c, items[0], fields), []clause.Expression{r.keyIn(r.keysOf(items))})
		return err
	}
	st, err := r.updateOf(c, items, fields)
	if err != nil {
		return err
	}
	if n := r.dialect.rows(len(r.key) + len(fields)); len(items) > n && !st.hasArrays() {
		for part := range slices.Chunk(items, n) {
			if err := r.updateRows(c, part, fields); err != nil {
				return err
			}
		}
		return nil
	}
	return r.exec(c, st)
}

// updateOf is the statement for more than one row.
func (r *store) updateOf(c *call, items []*item, fields []*schema.Field) (*updateStatement, error) {
	if err := r.learnTypesIn(c, items); err != nil {
		return nil, err
	}
	marked := lo.SomeBy(items, func(it *item) bool {
		return !lo.EveryBy(fields, func(f *schema.Field) bool { return r.writes(it, f) })
	})
	st := &updateStatement{
		table: r.schema.Table, dialect: r.dialect.name, key: names(r.key), columns: names(fields), marked: marked,
		arrays: r.arraysOf(c, items, slices.Concat(r.key, fields), nil),
	}
	if st.arrays != nil {
		if marked {
			st.arrays.addInts(items, func(it *item) int64 { return r.marks(it, fields) })
		}
		return st, nil
	}
	st.rows = lo.Map(items, func(it *item, _ int) []any {
		row := append(r.keyParams(r.entity.KeyOf(it.val)), r.values(c, it, fields)...)
		if marked {
			row = append(row, r.marks(it, fields))
		}
		return row
	})
	return st, nil
}

// writes tells whether a statement that writes the field for some row does so for this one.
func (r *store) writes(it *item, f *schema.Field) bool {
	return it.changed == nil || lo.Contains(it.changed, f) || lo.Contains(r.deleted, f)
}

// marks has a bit for each field that is written.
func (r *store) marks(it *item, fields []*schema.Field) (bits int64) {
	for i, f := range fields {
		if r.writes(it, f) {
			bits |= 1 << i
		}
	}
	return bits
}

// canMark tells whether rows that differ in what is written of them can have one
// statement. It makes one expression of a new and an old value. MySQL takes a column
// of decimals and a floating-point number to a floating-point number there, which
// would change what has to stay; so there all values must be of other types.
func (r *store) canMark(fields []*schema.Field) bool {
	if len(fields)+len(r.deleted) > 62 { // the bits of the marks
		return false
	}
	return r.dialect.name != mysql || lo.EveryBy(fields, func(f *schema.Field) bool {
		t := f.IndirectFieldType
		switch {
		case t == reflect.TypeFor[time.Time](), lo.Contains(r.deleted, f):
			return true
		case f.Serializer != nil, f.FieldType.Implements(reflect.TypeFor[driver.Valuer]()):
			return false
		default:
			return t.Kind() <= reflect.Uintptr || t.Kind() == reflect.String || t == reflect.TypeFor[[]byte]()
		}
	})
}

// update sets columns of the rows that satisfy the conditions and returns how
// many there were.
func (r *store) update(c *call, set map[string]any, conds []clause.Expression) (int64, error) {
	tx := through(c.tx, func(tx *gorm.DB) *gorm.DB {
		return c.updating(tx.Model(r.newPointer()).Unscoped().Clauses(clause.Where{Exprs: conds})).UpdateColumns(set)
	})
	c.wrote = c.wrote || tx.RowsAffected > 0
	return tx.RowsAffected, tx.Error
}

// writeLocked writes some columns of entities whose rows are locked, so that
// they exist and stay as they are until then.
func (r *store) writeLocked(c *call, items []*item, changed []*schema.Field) error {
	for _, g := range r.groups(c, items, false) {
		columns := slices.Concat(r.key, without(changed, g.left))
		err := r.inBatches(c, g.items, r.rowsPerStatement(columns), func(batch []*item) error {
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
