package gormrepo

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// Save inserts or overwrites e; see repo.Repository.
func (r *Repository[T]) Save(ctx context.Context, e *T) error {
	return r.failed(ctx, "save", single(r.saveAll(ctx, []*T{e})))
}

// SaveAll inserts or overwrites every element, all or none; see
// repo.Repository. The error is a *repo.BatchError but where the database
// refused a statement with many rows and does not say for which.
func (r *Repository[T]) SaveAll(ctx context.Context, es []*T) error {
	return r.failed(ctx, "save all", r.saveAll(ctx, es))
}

// item is an entity on its way into the database.
type item[T any] struct {
	e     *T
	val   reflect.Value // of *e
	index int           // in the caller's list
	isNew bool
	// was is the stored version that an existing entity was read in.
	was int64
	// key is the identity of the stored row, where one was read, and exists tells
	// that there is one.
	key    any
	exists bool
	// values is the context of its caller, where several are saved together.
	values context.Context //nolint:containedctx // it belongs to the entity's call
	// freshTimes tells that the times of creation were made by this save.
	freshTimes bool
	// explicit are the fields that documents gave a zero value.
	explicit []*schema.Field
	// before is a copy to go back to when the save fails.
	before T
	// start is how it was when the transaction began.
	start start[T]
}

type start[T any] struct {
	e     *T
	isNew bool
	was   int64
	value T
}

func (it *item[T]) restore() { *it.e = it.before }

// begin goes back to where the transaction begins, which may be for the second
// time.
func (it *item[T]) begin() {
	s := &it.start
	if s.e == nil {
		*s = start[T]{it.e, it.isNew, it.was, *it.e}
		return
	}
	it.e, it.val, it.isNew, it.was, it.exists = s.e, valueOf(s.e), s.isNew, s.was, false
	*it.e = s.value
}

func (r *Repository[T]) saveAll(ctx context.Context, es []*T) error {
	if err := done(ctx); err != nil {
		return err
	}
	items, err := r.items(es)
	if err != nil || len(items) == 0 {
		return err
	}
	return r.saveItems(ctx, items)
}

// saveItems saves in a transaction and takes back what it did to the entities
// when that fails.
func (r *Repository[T]) saveItems(ctx context.Context, items []*item[T]) (err error) {
	saved := false
	defer func() {
		if !saved { // or a hook panicked
			for _, it := range items {
				it.restore()
			}
		}
	}()
	if err := r.giveKeys(ctx, items); err != nil {
		return err
	}
	if err := r.learnZones(ctx, unprepared(r.pool(ctx)), items); err != nil {
		return err
	}
	err = r.writeItems(ctx, items, func(c *call) error {
		for _, it := range items {
			it.begin()
		}
		return r.saveIn(c, items)
	})
	saved = err == nil
	return err
}

// oneStatement tells whether saving takes one statement that writes, and none
// after it.
func (r *Repository[T]) oneStatement(items []*item[T]) bool {
	if len(items) != 1 || r.hasHooks() || r.opts.Associations || r.opts.Revive {
		return false
	}
	switch it := items[0]; {
	case it.isNew && len(it.explicit) > 0:
		return false
	case it.isNew && r.insertReturns():
		return true
	case it.isNew:
		left := r.left(context.Background(), it.val, true)
		return len(without(left, r.key)) == 0 && (len(left) == 0 || r.isInt)
	case r.version != nil:
		return len(r.created) == 0
	default:
		return r.dialect.returning
	}
}

// items checks the list and leaves out elements whose key comes again: the
// database would refuse a statement that touches a row twice.
func (r *Repository[T]) items(es []*T) ([]*item[T], error) {
	if err := driver.CheckEntities(es); err != nil {
		return nil, err
	}
	all := make([]*item[T], len(es))
	for i, e := range es {
		all[i] = &item[T]{e: e, val: valueOf(e), index: i, before: *e}
	}
	return r.folded(all), nil
}

// folded leaves out items whose key comes again.
func (r *Repository[T]) folded(all []*item[T]) []*item[T] {
	if len(all) < 2 {
		return all
	}
	last := make(map[any]*item[T], len(all))
	for _, it := range all {
		last[r.foldKey(it)] = it
	}
	if len(last) == len(all) {
		return all
	}
	return lo.Filter(all, func(it *item[T], _ int) bool { return last[r.foldKey(it)] == it })
}

// saveIn does the work inside the transaction.
func (r *Repository[T]) saveIn(c *call, items []*item[T]) error {
	if c.careful {
		if err := r.findRead(c, items); err != nil {
			return err
		}
	}
	if err := r.findExisting(c, items); err != nil {
		return err
	}
	if err := r.beforeSave(c, items); err != nil {
		return err
	}
	if err := r.checkKeys(items); err != nil {
		return err
	}
	if r.hasHooks() || r.opts.NewID != nil || lo.Sum(r.precision) > 0 { // which may have changed keys
		items = r.folded(items)
	}
	if r.opts.Revive {
		if err := r.findDead(c, items); err != nil {
			return err
		}
	}
	if err := r.callBack(c, lo.Filter(items, func(it *item[T], _ int) bool { return !it.isNew })); err != nil {
		return err
	}
	if err := r.toUTC(c, items); err != nil {
		return err
	}
	r.stamp(items, r.now())
	err := r.withAssociations(c, items, func() error { return r.writeRows(c, items) })
	if err != nil {
		return err
	}
	return r.afterSave(c, items)
}

// writeRows keeps apart what is new and what may exist: one statement for both
// could overwrite a row that happens to have the number which the database
// gives next.
func (r *Repository[T]) writeRows(c *call, items []*item[T]) error {
	var fresh, known []*item[T]
	for _, it := range items {
		if it.isNew {
			fresh = append(fresh, it)
		} else {
			known = append(known, it)
		}
	}
	if err := r.insert(c, fresh); err != nil {
		return err
	}
	// Two lists that lock the same rows in different orders are a deadlock.
	r.sortByKey(known)
	if r.version != nil {
		return r.overwriteVersions(c, known)
	}
	return r.upsert(c, known)
}

// stamp sets the times, the version and the deletion mark as they will be
// stored.
func (r *Repository[T]) stamp(items []*item[T], now time.Time) {
	ctx := context.Background()
	for _, it := range items {
		it.freshTimes = false
		for _, f := range r.created {
			if isZero(ctx, f, it) {
				it.freshTimes = true
				_ = f.Set(ctx, it.val, now) // GORM's setters know every type it takes as a time
			}
		}
		for _, f := range r.updated {
			_ = f.Set(ctx, it.val, now)
		}
		for _, f := range r.deleted {
			f.ReflectValueOf(ctx, it.val).SetZero()
		}
		if it.isNew {
			r.entity.SetVersion(it.val, r.firstVersion())
		} else {
			r.entity.SetVersion(it.val, it.was+1)
		}
	}
}

func isZero[T any](ctx context.Context, f *schema.Field, it *item[T]) bool {
	_, zero := f.ValueOf(ctx, it.val)
	return zero
}

// firstVersion is what a new entity gets.
func (r *Repository[T]) firstVersion() int64 { return lo.Ternary[int64](r.opts.VersionFromZero, 0, 1) }

// item names the element of the caller's list in an error about it alone.
func (r *Repository[T]) itemError(it *item[T], err error) error {
	if errors.As(err, new(*repo.BatchError)) {
		return err
	}
	var one failures
	one.add(it.index, r.shownID(it.e), r.classify(err))
	return one.err()
}
