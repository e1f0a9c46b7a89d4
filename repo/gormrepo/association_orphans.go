package gormrepo

import (
	"context"
	"reflect"
	"slices"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// removeOrphans deletes or marks the stored elements that belong to items and that these
// leave out. It comes before new ones are written, which may need the same unique values.
// The database compares the keys: no element is an orphan because it has its key in another
// form than Go has.
func (l *link) removeOrphans(c *call, items []*item, all []part) error {
	if !l.orphans {
		return nil
	}
	ctx, kept := c.tx.Statement.Context, keysByItem(all, l.to)
	for _, some := range l.batches(ctx, items, kept) {
		conds := l.ownedBy(ctx, some)
		if keys := keptBy(some, kept); len(keys) > 0 {
			conds = append(conds, not{[]clause.Expression{l.to.keyAmong(keys)}})
		}
		if _, err := l.to.remove(c, conds...); err != nil {
			return err
		}
	}
	return nil
}

// keysByItem are the keys of the elements that have one.
func keysByItem(all []part, to *store) map[*item][][]any {
	keys := map[*item][][]any{}
	for _, p := range all {
		if !to.wantsKey(p.val) {
			keys[p.of] = append(keys[p.of], to.kept(to.entity.KeyOf(p.val)))
		}
	}
	return keys
}

func keptBy(items []*item, kept map[*item][][]any) [][]any {
	return lo.FlatMap(items, func(it *item, _ int) [][]any { return kept[it] })
}

// batches are those of the items that say what they have, and may have had more, as many
// in each as one statement takes.
func (l *link) batches(ctx context.Context, items []*item, kept map[*item][][]any) (batches [][]*item) {
	room := 0
	for _, it := range items {
		if it.isNew || !l.loaded(ctx, it.val) || !l.named(ctx, it.val) {
			continue
		}
		n := 1 + len(kept[it])
		if n > room {
			batches, room = append(batches, nil), idsPerStatement
		}
		last := len(batches) - 1
		batches[last], room = append(batches[last], it), room-n
	}
	return batches
}

// own are the references to the entity itself.
func (l *link) own() []*schema.Reference {
	return lo.Filter(l.References, func(ref *schema.Reference, _ int) bool { return ref.OwnPrimaryKey && ref.PrimaryValue == "" })
}

// named tells whether foreign keys can refer to the entity: zeros would be those of rows
// that belong to nobody.
func (l *link) named(ctx context.Context, e reflect.Value) bool {
	return !lo.EveryBy(l.own(), func(ref *schema.Reference) bool {
		_, zero := ref.PrimaryKey.ValueOf(ctx, e)
		return zero
	})
}

// ownedBy holds for the rows with foreign keys of the items.
func (l *link) ownedBy(ctx context.Context, items []*item) []clause.Expression {
	var conds []clause.Expression
	for _, ref := range l.References {
		if ref.PrimaryValue != "" {
			conds = append(conds, clause.Eq{Column: columnOf(ref), Value: ref.PrimaryValue})
		}
	}
	tuples := lo.Map(items, func(it *item, _ int) []any { return allReferred(ctx, l.own(), it.val) })
	return append(conds, l.to.tupleIn(lo.Map(l.own(), func(ref *schema.Reference, _ int) clause.Column { return columnOf(ref) }), tuples))
}

func columnOf(ref *schema.Reference) clause.Column {
	return clause.Column{Table: clause.CurrentTable, Name: ref.ForeignKey.DBName}
}

func allReferred(ctx context.Context, refs []*schema.Reference, e reflect.Value) []any {
	return lo.Map(refs, func(ref *schema.Reference, _ int) any { return referred(ctx, ref, e) })
}

// tupleIn holds for rows whose columns are together one of the tuples.
func (r *store) tupleIn(columns []clause.Column, tuples [][]any) clause.Expression {
	if len(columns) == 1 {
		return clause.IN{Column: columns[0], Values: lo.Map(tuples, func(t []any, _ int) any { return t[0] })}
	}
	return rowIn{columns: columns, tuples: tuples, listed: r.dialect.name == sqlite}
}

// keyAmong is keyIn for keys of any number, where the database has a way to take them.
func (r *store) keyAmong(keys [][]any) clause.Expression {
	if len(r.key) > 1 {
		return r.keyIn(keys)
	}
	return r.dialect.oneOf(operand{column: r.key[0]}, lo.Map(keys, func(key []any, _ int) any { return r.keyParams(key)[0] }))
}

// join writes the rows of a join table, and with orphans deletes those of elements that
// the items leave out.
func (l *link) join(c *call, items []*item, all []part) error {
	ctx := c.tx.Statement.Context
	own, theirs := lo.FilterReject(l.References, func(ref *schema.Reference, _ int) bool { return ref.OwnPrimaryKey })
	kept := map[*item][][]any{}
	rows := reflect.MakeSlice(reflect.SliceOf(reflect.PointerTo(l.JoinTable.ModelType)), 0, len(all))
	for _, p := range all {
		row := reflect.New(l.JoinTable.ModelType)
		for _, side := range []struct {
			refs []*schema.Reference
			e    reflect.Value
		}{{own, p.of.val}, {theirs, p.val}} {
			if err := refer(ctx, side.refs, row.Elem(), side.e); err != nil {
				return err
			}
		}
		rows = reflect.Append(rows, row)
		kept[p.of] = append(kept[p.of], slices.Concat(allReferred(ctx, own, p.of.val), allReferred(ctx, theirs, p.val)))
	}
	if l.orphans {
		columns := lo.Map(slices.Concat(own, theirs), func(ref *schema.Reference, _ int) clause.Column { return columnOf(ref) })
		for _, some := range l.batches(ctx, items, kept) {
			conds := l.ownedBy(ctx, some)
			if tuples := keptBy(some, kept); len(tuples) > 0 {
				conds = append(conds, not{[]clause.Expression{l.to.tupleIn(columns, tuples)}})
			}
			tx := through(c.tx, func(tx *gorm.DB) *gorm.DB {
				return tx.Clauses(clause.Where{Exprs: conds}).Delete(reflect.New(l.JoinTable.ModelType).Interface())
			})
			if tx.Error != nil {
				return tx.Error
			}
			c.wrote = c.wrote || tx.RowsAffected > 0
		}
	}
	return l.insertRows(c, rows)
}

// insertRows writes rows of a join table that are not there yet.
func (l *link) insertRows(c *call, rows reflect.Value) error {
	n := l.to.dialect.rows(len(l.JoinTable.DBNames))
	for from := 0; from < rows.Len(); from += n {
		list := reflect.New(rows.Type())
		list.Elem().Set(rows.Slice(from, min(from+n, rows.Len())))
		tx := through(c.tx, func(tx *gorm.DB) *gorm.DB {
			return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(list.Interface())
		})
		if tx.Error != nil {
			return tx.Error
		}
		c.wrote = true
	}
	return nil
}
