package gormrepo

import (
	"context"
	"reflect"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm/schema"
)

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
	// unnamed tells of an entity from a document which names no version: it overwrites
	// what is stored in whatever version.
	unnamed bool
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

// firstVersion is what a new entity gets.
func (r *Repository[T]) firstVersion() int64 { return lo.Ternary[int64](r.opts.VersionFromZero, 0, 1) }

func isZero[T any](ctx context.Context, f *schema.Field, it *item[T]) bool {
	_, zero := f.ValueOf(ctx, it.val)
	return zero
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
func (it *item[T]) contextOf(ctx context.Context) context.Context {
	if it.values == nil {
		return ctx
	}
	return callerContext{ctx, it.values}
}
