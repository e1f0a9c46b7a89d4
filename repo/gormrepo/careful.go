package gormrepo

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/samber/lo"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// Most saves need not know what is stored. These do: of tables that take no INSERT
// of T, of entities that may have been read with version 0, of documents that name no
// version, and of types with hooks for updates. They look first, which the others do
// only after they were refused.

// writeItems runs fn, which saves items, with as few round trips as it takes.
func (r *store) writeItems(ctx context.Context, items []*item, fn func(*call) error) error {
	known, unsure := r.doubts(items)
	if r.TxState(ctx) != driver.TxNone {
		return r.write(ctx, func(c *call) error { return r.tryInside(c, known, unsure, fn) })
	}
	careful := func(c *call) error {
		c.careful = true
		return fn(c)
	}
	if known && r.careful.Load() || unsure && r.hooksForSome() {
		return r.write(ctx, careful)
	}
	err := r.writeFast(ctx, items, unsure, func(c *call) error {
		c.whole = unsure
		return fn(c)
	})
	refused := known && dberr.RefusesInsert(err)
	if !refused && (!unsure || !errors.Is(err, repo.ErrDuplicateKey) && !dberr.BlamesRow(err, r.db.Dialector)) {
		return err
	}
	err = r.write(ctx, careful)
	if err == nil && refused {
		r.careful.Store(true)
	}
	return err
}

// writeFast trusts that nothing stands in the way.
func (r *store) writeFast(ctx context.Context, items []*item, unsure bool, fn func(*call) error) error {
	f, fenced := driver.FenceFrom(ctx)
	fenced = fenced && r.TxState(ctx) == driver.TxNone
	if fenced {
		if err := r.learnTypes(ctx, r.plainPool(), len(items)); err != nil {
			return err
		}
	}
	switch {
	case fenced && r.folds(items):
		return r.writeFolded(ctx, f, items, unsure, fn)
	case r.oneStatement(items):
		return r.writeOnce(ctx, fn)
	default:
		return r.write(ctx, fn)
	}
}

// tryInside runs fn inside of a transaction that goes on: what is refused there must
// leave it as it was.
func (r *store) tryInside(c *call, known, unsure bool, fn func(*call) error) error {
	const savepoint = "holdfast_try"
	c.careful = unsure || known && r.careful.Load()
	if c.careful || !known || r.proven.Load() {
		return fn(c)
	}
	if err := c.tx.SavePoint(savepoint).Error; err != nil {
		return err
	}
	err := fn(c)
	if !dberr.RefusesInsert(err) {
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
func (r *store) doubts(items []*item) (known, unsure bool) {
	return r.version == nil && r.dialect.returning && lo.SomeBy(items, func(it *item) bool { return !it.isNew }),
		lo.SomeBy(items, r.mayBeRead)
}

func (r *store) mayBeRead(it *item) bool {
	return it.isNew && !it.strict && r.entity.MayBeRead(it.pointer(), r.unnumbered(it.val))
}

// needsCare tells whether T itself says that its table takes no INSERT of it.
func (m *model) needsCare() bool {
	return lo.SomeBy(m.schema.Fields, func(f *schema.Field) bool {
		return f.DBName != "" && f.NotNull && !f.HasDefaultValue && !slices.Contains(m.columns, f)
	})
}

// findRead makes of items that were taken for new, and overwrite what is stored, items
// that do: where it is stored with version 0, as they were read, or in any version
// where a document names none.
func (r *store) findRead(c *call, items []*item) error {
	unsure := lo.Filter(items, func(it *item, _ int) bool { return r.mayBeRead(it) })
	if len(unsure) == 0 {
		return nil
	}
	if err := r.lockDatabase(c); err != nil {
		return err
	}
	r.sortByKey(unsure)
	var there []*item
	var was []int64
	err := r.eachStored(c, unsure, []*schema.Field{r.version}, func(it *item, row reflect.Value) {
		if row.IsValid() && (it.unnamed || r.entity.VersionOf(row) == 0) {
			there, was = append(there, it), append(was, r.entity.VersionOf(row))
		}
	})
	if err != nil {
		return err
	}
	marked, err := r.marked(c, lo.Reject(there, func(it *item, _ int) bool { return it.unnamed }))
	if err != nil {
		return err
	}
	for i, it := range there {
		if !marked[it] { // which no entity was read from
			it.isNew, it.was = false, was[i]
		}
	}
	return nil
}

// oneStatement tells whether saving takes one statement that writes, and none
// after it.
func (r *store) oneStatement(items []*item) bool {
	if len(items) != 1 || r.hasHooks() || r.opts.Associations || r.opts.Revive {
		return false
	}
	switch it := items[0]; {
	case it.isNew && len(it.explicit()) > 0:
		return false
	case it.isNew && r.insertReturns():
		return true
	case it.isNew:
		left := r.left(context.Background(), it.val, true)
		return len(without(left, r.key)) == 0 && (len(left) == 0 || r.isInt)
	case r.version != nil:
		return r.dialect.returning || len(r.created) == 0
	default:
		return r.dialect.returning
	}
}
