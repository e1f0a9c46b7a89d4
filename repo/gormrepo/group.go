package gormrepo

import (
	"context"
	"reflect"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// CanGroup tells whether saves of several callers may be put together. They may not
// where associations are saved, nor where callbacks are registered that are not
// GORM's own, unless Options.SkipCallbacks says that they only watch: those of tenants,
// for one, ask the context whose rows they are. Register callbacks before.
func (r *Repository[T]) CanGroup(as repo.Repository[T]) bool {
	on := r.db.Callback()
	return as == repo.Repository[T](r) && !r.opts.Associations && (r.opts.SkipCallbacks || !hasCallbacks(on.Create(), on.Update(), on.Query(), on.Row(), on.Raw()))
}

// GroupSize returns how many of the calls one statement takes.
func (r *Repository[T]) GroupSize(calls []driver.SaveCall[T]) int {
	return driver.GroupSize(calls, r.dialect.rows(len(r.columns)), func(e *T) (any, int) {
		val := valueOf(e)
		return r.foldKey(&item[T]{e: e, val: val}), r.bytes(val)
	})
}

// bytes is the size of an entity's texts.
func (r *Repository[T]) bytes(e reflect.Value) (n int) {
	ctx := context.Background()
	for _, f := range r.columns {
		if f.FieldType.Kind() != reflect.String && f.FieldType.Kind() != reflect.Slice {
			continue
		}
		v, _ := f.ValueOf(ctx, e) // which makes nothing that is missing in e
		if rv := reflect.ValueOf(v); rv.Kind() == reflect.String || rv.Kind() == reflect.Slice {
			n += rv.Len()
		}
	}
	return n
}

// SaveGroup saves the entities of several calls, all or none.
func (r *Repository[T]) SaveGroup(ctx context.Context, calls []driver.SaveCall[T]) error {
	return r.failed(ctx, "save", r.saveGroup(ctx, calls))
}

func (r *Repository[T]) saveGroup(ctx context.Context, calls []driver.SaveCall[T]) error {
	if err := dberr.Ended(ctx); err != nil {
		return err
	}
	items, err := r.items(lo.FlatMap(calls, func(call driver.SaveCall[T], _ int) []*T { return call.Entities }))
	if err != nil || len(items) == 0 {
		return err
	}
	values := lo.FlatMap(calls, func(call driver.SaveCall[T], _ int) []context.Context {
		return lo.Times(len(call.Entities), func(int) context.Context { return call.Context })
	})
	for _, it := range items {
		it.values = values[it.index] //nolint:fatcontext // one for each
	}
	return r.saveItems(ctx, items)
}

// UpdateGroupSize returns how many of the calls one statement reads.
func (r *Repository[T]) UpdateGroupSize(calls []*driver.UpdateCall[T]) int {
	keys := map[any]bool{}
	for n, call := range calls[:min(len(calls), r.dialect.rows(len(r.columns)))] {
		key, err := r.keys([]any{call.ID})
		if err != nil {
			continue // it is refused by itself
		}
		id := identity(key[0])
		if keys[id] {
			return n
		}
		keys[id] = true
	}
	return min(len(calls), r.dialect.rows(len(r.columns)))
}
