package gormrepo

import (
	"context"
	"errors"
	"slices"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// Most saves need not know what is stored. These do: of tables that take no INSERT
// of T, of entities that may have been read with version 0, and of types with hooks
// for updates. They look first, which the others do only after they were refused.

// writeItems runs fn, which saves items, with as few round trips as it takes.
func (r *Repository[T]) writeItems(ctx context.Context, items []*item[T], fn func(*call) error) error {
	known, unsure := r.doubts(items)
	if r.TxState(ctx) != driver.TxNone {
		return r.write(ctx, func(c *call) error { return r.tryInside(c, known, unsure, fn) })
	}
	careful := func(c *call) error {
		c.careful = true
		return fn(c)
	}
	if known && r.careful.Load() {
		return r.write(ctx, careful)
	}
	err := r.writeFast(ctx, items, fn)
	refused := known && refusesInsert(err)
	if !refused && (!unsure || !errors.Is(r.classify(err), repo.ErrDuplicateKey)) {
		return err
	}
	err = r.write(ctx, careful)
	if err == nil && refused {
		r.careful.Store(true)
	}
	return err
}

// writeFast trusts that nothing stands in the way.
func (r *Repository[T]) writeFast(ctx context.Context, items []*item[T], fn func(*call) error) error {
	f, fenced := driver.FenceFrom(ctx)
	switch {
	case fenced && r.TxState(ctx) == driver.TxNone && r.folds(items):
		return r.writeFolded(ctx, f, items, fn)
	case r.oneStatement(items):
		return r.writeOnce(ctx, fn)
	default:
		return r.write(ctx, fn)
	}
}

// tryInside runs fn inside of a transaction that goes on: what is refused there must
// leave it as it was.
func (r *Repository[T]) tryInside(c *call, known, unsure bool, fn func(*call) error) error {
	const savepoint = "holdfast_try"
	c.careful = unsure || known && r.careful.Load()
	if c.careful || !known || r.proven.Load() {
		return fn(c)
	}
	if err := c.tx.SavePoint(savepoint).Error; err != nil {
		return err
	}
	err := fn(c)
	if !refusesInsert(err) {
		return err
	}
	if back := c.tx.RollbackTo(savepoint).Error; back != nil {
		return errors.Join(err, back)
	}
	c.careful = true
	if err = fn(c); err == nil {
		r.careful.Store(true)
	}
	return err
}

// doubts tells whether some items are written by an upsert, and whether some are
// taken for new and may have been read.
func (r *Repository[T]) doubts(items []*item[T]) (known, unsure bool) {
	return r.version == nil && r.dialect.returning && lo.SomeBy(items, func(it *item[T]) bool { return !it.isNew }),
		lo.SomeBy(items, r.mayBeRead)
}

func (r *Repository[T]) mayBeRead(it *item[T]) bool {
	return it.isNew && r.entity.MayBeRead(it.e, r.unnumbered(it.val))
}

// refusesInsert tells whether the database refuses a row although it need not be
// inserted: a column that T does not have must not be NULL, one is always
// generated, or the role may only update.
func refusesInsert(err error) bool {
	return err != nil && (lo.Contains([]string{"23502", "428C9", "42501"}, sqlState(err)) || sqliteCode(err) == 1299)
}

// needsCare tells whether T itself says that its table takes no INSERT of it.
func (m *model) needsCare() bool {
	return lo.SomeBy(m.schema.Fields, func(f *schema.Field) bool {
		return f.DBName != "" && f.NotNull && !f.HasDefaultValue && !slices.Contains(m.columns, f)
	})
}

// findRead makes of items that were taken for new, and are stored with version 0,
// items that overwrite it.
func (r *Repository[T]) findRead(c *call, items []*item[T]) error {
	unsure := lo.Filter(items, func(it *item[T], _ int) bool { return r.mayBeRead(it) })
	var rows []*T
	for chunk := range slices.Chunk(r.keysOf(unsure), idsPerStatement) {
		var part []*T
		res := through(c.tx, func(tx *gorm.DB) *gorm.DB {
			return r.live(tx.Session(&gorm.Session{SkipHooks: true})).Select(names(r.key)).
				Where(r.keyIn(chunk)).Where(r.versionIs(0)).Find(&part)
		})
		if res.Error != nil {
			return res.Error
		}
		rows = append(rows, part...)
	}
	read, _ := r.split(unsure, rows)
	for _, it := range read {
		it.isNew, it.was = false, 0
	}
	return nil
}
