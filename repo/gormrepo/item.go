package gormrepo

import (
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo/internal/actor"
)

// item is an entity on its way into the database. There is one for each row of a list, so
// what few of them need is in rare.
type item struct {
	val   reflect.Value // the struct, which can be set
	index int           // in the caller's list
	// was is the stored version that an existing entity was read in.
	was   int64
	isNew bool
	// strict tells that it is inserted whatever it says of itself, or overwrites the row
	// that was found for it: no other one is looked for.
	strict bool
	// exists tells that there is a stored row.
	exists bool
	// unnamed tells of an entity from a document which names no version: it overwrites
	// what is stored in whatever version.
	unnamed bool
	// revived tells that the row which a document is merged into is marked as deleted.
	revived bool
	// freshTimes tells that the times of creation were made by this save.
	freshTimes bool
	// begun tells that the transaction has begun, and startsNew what isNew was then.
	begun, startsNew bool
	// key is the identity of the stored row, where one was read.
	key any
	// values is the context of its caller, where several are saved together.
	values context.Context //nolint:containedctx // it belongs to the entity's call
	// changed are the columns to write of a row that is merged into, else nil: all that
	// the statement has.
	changed []*schema.Field
	// before is what to go back to when the save fails.
	before origin
	rare   *rare
}

// origin knows how entities were when their call began.
type origin interface {
	of(it *item) (reflect.Value, error)
}

// copies are entities as they were, in the order of the caller's list.
type copies struct{ list reflect.Value }

func (c *copies) of(it *item) (reflect.Value, error) { return c.list.Index(it.index), nil }

// rare is what few items have.
type rare struct {
	// explicit are the fields that documents gave a zero value.
	explicit []*schema.Field
	// parts are the elements of its associations, which are taken back with it.
	parts []*item
	// start is how the entity was when the transaction began, where that may differ from
	// before.
	start reflect.Value
	// docs are the documents that it began with, where a hook has added others.
	docs []int
}

// more returns the rare fields, to set one of them.
func (it *item) more() *rare {
	if it.rare == nil {
		it.rare = new(rare)
	}
	return it.rare
}

func (it *item) explicit() []*schema.Field { return lo.FromPtr(it.rare).explicit }

// itemsFor are the items of entities that a call saves.
func (r *store) itemsFor(es []reflect.Value) []*item {
	before := &copies{reflect.MakeSlice(reflect.SliceOf(r.entity.Type), len(es), len(es))}
	list := make([]item, len(es))
	for i, e := range es {
		before.list.Index(i).Set(e)
		list[i] = item{val: e, index: i, before: before}
	}
	return lo.Map(es, func(_ reflect.Value, i int) *item { return &list[i] })
}

// pointer is the entity as hooks and GORM know it.
func (it *item) pointer() any { return it.val.Addr().Interface() }

func (it *item) restore() error {
	it.restoreParts()
	before, err := it.before.of(it)
	if err == nil {
		it.val.Set(before)
	}
	return err
}

func restoreAll(items []*item) {
	for _, it := range items {
		_ = it.restore() // only a document can fail, and its entity is nobody's
	}
}

// restoring runs save, and takes back what was done to the entities when that fails or
// panics.
func restoring(items []*item, save func() error) error {
	saved := false
	defer func() {
		if !saved {
			restoreAll(items)
		}
	}()
	err := save()
	saved = err == nil
	return err
}

func (it *item) restoreParts() {
	if it.rare == nil {
		return
	}
	for _, part := range slices.Backward(it.rare.parts) {
		_ = part.restore() // it is a copy
	}
	it.rare.parts = nil
}

// startItem goes back to where the transaction begins, which may be for the second
// time.
func (r *store) startItem(it *item) error {
	if !it.begun {
		it.begun, it.startsNew = true, it.isNew
		if it.strict || r.setsKeys() {
			it.more().start = r.newValue()
			it.rare.start.Set(it.val)
		}
		return nil
	}
	if err := it.restore(); err != nil {
		return r.itemError(it, err)
	}
	if start := lo.FromPtr(it.rare).start; start.IsValid() {
		it.val.Set(start)
	}
	it.isNew, it.was, it.exists = it.startsNew, r.entity.VersionOf(it.val), false
	return nil
}

func (r *store) startItems(items []*item) error {
	for _, it := range items {
		if err := r.startItem(it); err != nil {
			return err
		}
	}
	return nil
}

// firstVersion is what a new entity gets.
func (r *store) firstVersion() int64 { return lo.Ternary[int64](r.opts.VersionFromZero, 0, 1) }

func isZero(ctx context.Context, f *schema.Field, it *item) bool {
	_, zero := f.ValueOf(ctx, it.val)
	return zero
}

// stamp sets the times, who it is, the version and the deletion mark as they will be
// stored.
func (r *store) stamp(ctx context.Context, items []*item, now time.Time) error {
	for _, it := range items {
		by := actor.From(it.contextOf(ctx))
		it.freshTimes = false
		for _, f := range r.uncreated(ctx, it) {
			it.freshTimes = it.freshTimes || r.actors[f] == nil
			if err := r.stampField(ctx, f, it.val, now, by); err != nil {
				return r.itemError(it, err)
			}
		}
		for _, f := range r.updated {
			if err := r.stampField(ctx, f, it.val, now, by); err != nil {
				return r.itemError(it, err)
			}
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
	return nil
}

// uncreated are the fields of creation that the save sets: none where the row was
// found, which keeps what it has.
func (r *store) uncreated(ctx context.Context, it *item) []*schema.Field {
	if it.strict && it.exists {
		return nil
	}
	return lo.Filter(r.created, func(f *schema.Field, _ int) bool { return isZero(ctx, f, it) })
}

func (m *model) stampField(ctx context.Context, f *schema.Field, e reflect.Value, now time.Time, by any) error {
	if a := m.actors[f]; a != nil {
		return a.SetActor(e, by)
	}
	return f.Set(ctx, e, now) // GORM's setters know every type it takes as a time
}

// callerContext has the end and the transaction of one context and the values of
// another.
type callerContext struct {
	context.Context
	values context.Context //nolint:containedctx // this is a context
}

func (c callerContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}

// contextOf is the context for what runs for one entity.
func (it *item) contextOf(ctx context.Context) context.Context {
	if it.values == nil {
		return ctx
	}
	return callerContext{ctx, it.values}
}
