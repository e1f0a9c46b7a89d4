package gormrepo

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// errNoneLeft rolls a transaction back in which no update is left to be written.
var errNoneLeft = errors.New("no update is left")

// updating is a call of Update on its way: its row, as it was read and as it is written.
type updating struct {
	*merge
	call *updateCall
}

// updateCall is one call of Update among those that are made in one transaction.
type updateCall struct {
	values context.Context //nolint:containedctx // it belongs to the call
	id     any
	change func(e reflect.Value) error
	// entity and err are what the call returns.
	entity reflect.Value
	err    error
}

// updateGroup makes several updates in one transaction. Its error concerns all of them.
func (r *store) updateGroup(ctx context.Context, calls []*updateCall) error {
	if err := driver.Ended(ctx); err != nil {
		return err
	}
	keys := make([][]any, len(calls))
	for i, call := range calls {
		key, err := r.keys([]any{call.id})
		if err != nil {
			call.err = r.failed(ctx, "update", single(err))
			continue
		}
		keys[i] = key[0]
	}
	wanted := lo.Filter(keys, func(key []any, _ int) bool { return key != nil })
	if len(wanted) == 0 {
		return nil
	}
	var list updates
	err := r.write(ctx, func(c *call) error {
		list.takeBack()
		list = nil
		found, err := r.locked(c, wanted)
		if err != nil {
			return err
		}
		rows := r.byKey(wanted, found)
		if r.ambiguous(wanted, found, rows) {
			return errAmbiguous
		}
		if list = r.changeAll(c, calls, keys, rows); len(list) == 0 {
			return errNoneLeft
		}
		return r.writeUpdates(c, list)
	})
	if errors.Is(err, errNoneLeft) {
		return nil
	}
	return list.ended(err)
}

// changeAll runs the functions of the calls that have a key, on what is stored, and returns
// what has to be written.
func (r *store) changeAll(c *call, calls []*updateCall, keys [][]any, rows map[any]reflect.Value) (list updates) {
	for i, call := range calls {
		if keys[i] == nil {
			continue
		}
		call.entity, call.err = reflect.Value{}, nil
		if u := r.change(c, i, call, rows[identity(keys[i])]); u != nil {
			list = append(list, u)
		}
	}
	return list
}

// updates are those of one transaction.
type updates []*updating

// takeBack undoes what was done to elements of associations, which may be those that fn of
// Update has from elsewhere.
func (list updates) takeBack() {
	for _, u := range list {
		u.restoreParts()
	}
}

// ended takes the updates back where their transaction has failed.
func (list updates) ended(err error) error {
	if err != nil {
		list.takeBack()
	}
	return err
}

// errAmbiguous says that two calls may mean one row, each by another form of its key.
// They have to be made one after the other.
var errAmbiguous = errors.New("two of the ids may be of one row")

// ambiguous tells whether a key without a row may be another form of the key of a row.
func (r *store) ambiguous(keys [][]any, found []reflect.Value, rows map[any]reflect.Value) bool {
	missing := lo.Filter(keys, func(key []any, _ int) bool { return !rows[identity(key)].IsValid() })
	if len(keys) == 1 || len(missing) == 0 {
		return false
	}
	forms := lo.SliceToMap(found, func(row reflect.Value) (any, bool) { return form(r.entity.KeyOf(row)), true })
	return lo.SomeBy(missing, func(key []any) bool { return forms[form(key)] })
}

// change applies what a call does to its row. It returns nil for a call that has failed.
func (r *store) change(c *call, index int, call *updateCall, row reflect.Value) *updating {
	ctx := c.tx.Statement.Context
	if !row.IsValid() {
		call.err = r.failed(ctx, "update", fmt.Errorf("%w: %s", repo.ErrNotFound, r.entity.Type))
		return nil
	}
	it := &item{val: row, index: index, was: r.entity.VersionOf(row), exists: true, values: call.values}
	u := &updating{&merge{item: it, old: r.snapshot(ctx, it.val)}, call}
	restore := r.keep(it.val)
	it.key = r.identity(it)
	if call.err = call.change(row); call.err != nil {
		return nil // the caller's own error, untouched
	}
	if err := r.sameKey(it); err != nil {
		call.err = r.failed(ctx, "update", err)
		return nil
	}
	restore()
	call.entity = row
	return u
}

// writeUpdates writes what has changed in entities whose rows are locked.
func (r *store) writeUpdates(c *call, list []*updating) error {
	items := lo.Map(list, func(u *updating, _ int) *item { return u.item })
	if err := r.beforeSave(c, items); err != nil {
		return err
	}
	for _, u := range list {
		if err := r.sameKey(u.item); err != nil {
			return r.itemError(u.item, err)
		}
	}
	err := r.withAssociations(c, items, func() error {
		for _, u := range list {
			u.changed = append(r.changed(c.tx.Statement.Context, u.val, u.old), r.counted()...)
		}
		if err := r.toUTC(c, items); err != nil {
			return err
		}
		if err := r.stamp(c.tx.Statement.Context, items, r.now()); err != nil {
			return err
		}
		return r.writeMerges(c, lo.Map(list, func(u *updating, _ int) *merge { return u.merge }))
	})
	if err != nil {
		return err
	}
	return r.afterSave(c, items)
}
