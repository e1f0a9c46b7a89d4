package gormrepo

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
)

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

// split tells apart items that have a row and those that have none.
func (r *Repository[T]) split(items []*item[T], rows []*T) (with, without []*item[T]) {
	byKey := r.byKey(r.keysOf(items), rows)
	for _, it := range items {
		if byKey[r.keptIdentity(it)] != nil {
			with = append(with, it)
		} else {
			without = append(without, it)
		}
	}
	return with, without
}

// copyFields copies columns from one entity to another.
func copyFields(fields []*schema.Field, from, to reflect.Value) {
	ctx := context.Background()
	for _, f := range fields {
		f.ReflectValueOf(ctx, to).Set(f.ReflectValueOf(ctx, from))
	}
}
