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
func (r *store) stored(tx *gorm.DB, keys [][]any, fields []*schema.Field, lock bool) ([]reflect.Value, error) {
	return r.chunks(tx, keys, func(tx *gorm.DB) *gorm.DB {
		tx = tx.Session(&gorm.Session{SkipHooks: true}).Unscoped().Select(names(fields))
		if lock {
			return r.forUpdate(tx)
		}
		return tx
	})
}

// chunks reads the rows with the keys, of what restrict makes of tx, by as many
// statements as so many keys take.
func (r *store) chunks(tx *gorm.DB, keys [][]any, restrict func(tx *gorm.DB) *gorm.DB) ([]reflect.Value, error) {
	if err := r.learnTypes(tx.Statement.Context, tx.Statement.ConnPool, len(keys)); err != nil {
		return nil, err
	}
	var rows []reflect.Value
	for chunk := range slices.Chunk(keys, idsPerStatement) {
		list := r.newList()
		res := through(tx, func(tx *gorm.DB) *gorm.DB { return restrict(tx).Where(r.keyIn(chunk)).Find(list.Interface()) })
		if res.Error != nil {
			return nil, r.withoutArrays(res.Error)
		}
		rows = append(rows, valuesIn(list)...)
	}
	return rows, nil
}

// eachStored locks the rows of items, reads some of their columns, and calls fn for each
// item with its row, which is not valid where there is none. It has no more rows in memory
// than one statement reads.
func (r *store) eachStored(c *call, items []*item, fields []*schema.Field, fn func(it *item, row reflect.Value)) error {
	others := r.othersOf(func() []*item { return items })
	for part := range slices.Chunk(items, idsPerStatement) {
		keys := r.keysOf(part)
		rows, err := r.stored(c.tx, keys, slices.Concat(r.key, fields), true)
		if err != nil {
			return err
		}
		byKey := r.byKeyBut(keys, rows, others)
		for _, it := range part {
			fn(it, byKey[r.keptIdentity(it)])
		}
	}
	return nil
}

// takeBack copies fields from the rows that the database reported into the
// items, matched by key: the order of the rows says nothing. Items without a
// row failed for the reason given.
func (r *store) takeBack(items []*item, rows []reflect.Value, fields []*schema.Field, kind error, why string) error {
	byKey := r.byKey(r.keysOf(items), rows)
	var bad failures
	for _, it := range items {
		row := byKey[r.keptIdentity(it)]
		if !row.IsValid() {
			bad.add(it.index, r.shownID(it.val), fmt.Errorf("%w: %s", kind, why))
			continue
		}
		copyFields(fields, row, it.val)
	}
	return bad.err()
}

// readBack reads fields that the database decided.
func (r *store) readBack(c *call, items []*item, fields []*schema.Field) error {
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
func (r *store) split(items []*item, rows []reflect.Value) (with, without []*item) {
	byKey := r.byKey(r.keysOf(items), rows)
	for _, it := range items {
		if byKey[r.keptIdentity(it)].IsValid() {
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
