package gormrepo

import (
	"context"
	"reflect"
	"slices"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo/driver"
)

// grouping tells how what several callers save is put together; see Repository.Grouping.
func (r *store) grouping() driver.Grouping {
	on := r.db.Callback()
	switch {
	case r.opts.Associations:
		return driver.Apart("entities are saved with their associations")
	case !r.opts.SkipCallbacks && hasCallbacks(on.Create(), on.Update(), on.Query(), on.Row(), on.Raw()):
		return driver.Apart("callbacks are registered with GORM, which may take the context of one caller for that of another; see Options.SkipCallbacks")
	case r.hasHooks():
		return driver.Grouping{How: "one transaction", Why: "hooks run in it, each with the values of its own caller's context"}
	case r.version != nil:
		return driver.Grouping{How: "one transaction", Why: "it looks at the stored versions first"}
	case r.dialect.name == sqlite || r.dialect.name == mysql && !r.insertReturns():
		return driver.Grouping{How: "one transaction", Why: "the database takes the claims and the rows by statements of their own"}
	default:
		return driver.Grouping{How: "one statement", Why: "it has the claims and the rows; new rows whose keys the database makes take a transaction"}
	}
}

// sizeOf is the key of an entity, as far as it has one, and the size of its texts.
func (r *store) sizeOf(e reflect.Value) (key any, bytes int) {
	return r.foldKey(&item{val: e}), r.bytes(e)
}

// bytes is the size of an entity's texts.
func (r *store) bytes(e reflect.Value) (n int) {
	ctx := context.Background()
	for _, f := range r.columns {
		if f.FieldType.Kind() != reflect.String && f.FieldType.Kind() != reflect.Slice {
			continue
		}
		if slices.Min(f.StructField.Index) >= 0 {
			n += f.ReflectValueOf(ctx, e).Len()
			continue
		}
		v, _ := f.ValueOf(ctx, e) // which makes nothing that is missing in e
		if rv := reflect.ValueOf(v); rv.Kind() == reflect.String || rv.Kind() == reflect.Slice {
			n += rv.Len()
		}
	}
	return n
}

// saveCall is one call of Save or SaveAll among those that are saved together.
type saveCall struct {
	values   context.Context //nolint:containedctx // it belongs to the call
	entities []reflect.Value
	one      bool
	err      error
}

// saveGroup saves the entities of several calls, each with the values of its caller's
// context. Where there are several it names no element, or one that
// seems to be the one that failed.
func (r *store) saveGroup(ctx context.Context, calls []*saveCall) error {
	es := lo.FlatMap(calls, func(call *saveCall, _ int) []reflect.Value { return call.entities })
	if err := driver.Ended(ctx); err != nil || len(es) == 0 {
		return err
	}
	values := lo.FlatMap(calls, func(call *saveCall, _ int) []context.Context {
		return lo.RepeatBy(len(call.entities), func(int) context.Context { return call.values })
	})
	items := r.items(es)
	for _, it := range items {
		it.values = values[it.index] //nolint:fatcontext // one for each
	}
	return r.saveItems(ctx, items, len(calls) > 1)
}

// updateGroupSize is how many of the ids one statement reads: as many as it takes, and
// none twice.
func (r *store) updateGroupSize(ids []any) int {
	limit := min(len(ids), r.dialect.rows(len(r.columns)))
	keys := map[any]bool{}
	for n, given := range ids[:limit] {
		key, err := r.keys([]any{given})
		if err != nil {
			continue // it is refused by itself
		}
		id := identity(key[0])
		if keys[id] {
			return n
		}
		keys[id] = true
	}
	return limit
}
