package memrepo

import (
	"context"
	"errors"
	"fmt"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// maxGroup is how many entities are written for several callers in one step.
const maxGroup = 1000

// Grouping tells that saves of several callers are put together where no function makes
// keys out of a caller's context.
func (r *Repository[T]) Grouping(as repo.Repository[T]) driver.Grouping {
	switch {
	case as != repo.Repository[T](r):
		return driver.Apart(driver.Wrapped)
	case r.newID != nil:
		return driver.Apart("Options.NewID makes keys out of a caller's context")
	default:
		return driver.Grouping{How: "one step"}
	}
}

// GroupSize returns how many of the calls are saved in one step.
func (r *Repository[T]) GroupSize(calls []driver.SaveCall[T]) int {
	return driver.GroupSize(calls, maxGroup, func(e *T) (any, int) { return r.identity(e), 0 })
}

// SaveGroup saves the entities of several calls, all or none; see driver.GroupSaver.
func (r *Repository[T]) SaveGroup(ctx context.Context, calls []driver.SaveCall[T]) error {
	return wrap("save", r.saveAll(ctx, lo.FlatMap(calls, func(call driver.SaveCall[T], _ int) []*T { return call.Entities })))
}

// UpdateGroupSize returns how many of the calls are made in one step: those of
// different entities.
func (r *Repository[T]) UpdateGroupSize(calls []*driver.UpdateCall[T]) int {
	seen := map[any]bool{}
	for n, call := range calls[:min(maxGroup, len(calls))] {
		key, err := r.key(call.ID)
		if err == nil && seen[key] {
			return n
		}
		seen[key] = true
	}
	return min(maxGroup, len(calls))
}

// UpdateGroup makes several updates in one step; see driver.GroupUpdater. The functions
// run without a lock, and again when somebody else wrote one of the entities meanwhile.
func (r *Repository[T]) UpdateGroup(ctx context.Context, calls []*driver.UpdateCall[T]) error {
	for {
		list, err := r.changes(ctx, calls)
		if err != nil || len(list) == 0 {
			return wrap("update", err)
		}
		done, err := r.replaceAll(ctx, list)
		if err != nil {
			return wrap("update", err)
		}
		if done {
			for _, c := range list {
				c.call.Entity = copyOf(c.e)
			}
			return nil
		}
	}
}

// change is an update on its way: the row that was seen, and what replaces it.
type change[T any] struct {
	index int
	call  *driver.UpdateCall[T]
	seen  *row[T]
	e     *T
}

// changes calls the functions of the calls whose entities are there, and notes the
// errors of the others.
func (r *Repository[T]) changes(ctx context.Context, calls []*driver.UpdateCall[T]) ([]change[T], error) {
	seen, err := r.look(ctx, calls)
	if err != nil {
		return nil, err
	}
	var list []change[T]
	for i, call := range calls {
		if seen[i] == nil {
			continue
		}
		e := copyOf(seen[i].val)
		if call.Err = call.Change(e); call.Err != nil { // the caller's own error
			continue
		}
		if r.keyOf(e) != r.keyOf(seen[i].val) {
			call.Err = wrap("update", errKeyChanged)
			continue
		}
		list = append(list, change[T]{i, call, seen[i], copyOf(e)})
	}
	return list, nil
}

// look finds the rows of the calls.
func (r *Repository[T]) look(ctx context.Context, calls []*driver.UpdateCall[T]) ([]*row[T], error) {
	if err := driver.Ended(ctx); err != nil {
		return nil, err
	}
	t, unlock, err := r.toRead(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return lo.Map(calls, func(call *driver.UpdateCall[T], _ int) *row[T] {
		call.Entity, call.Err = nil, nil
		key, err := r.key(call.ID)
		if err != nil {
			call.Err = wrap("update", err)
			return nil
		}
		w, ok := r.live(t, key)
		if !ok {
			call.Err = wrap("update", fmt.Errorf("%w: %s %v", repo.ErrNotFound, r.ent.Type, key))
		}
		return w
	}), nil
}

// errRowChanged says that another writer was first.
var errRowChanged = errors.New("an entity has changed since it was read")

// replaceAll writes all changes or none, and tells whether it did: not where a row is
// another one than was seen.
func (r *Repository[T]) replaceAll(ctx context.Context, list []change[T]) (bool, error) {
	err := r.write(ctx, len(list), func(b *batch[T]) []*repo.ItemError {
		for _, c := range list {
			key := r.keyOf(c.e)
			err := errRowChanged
			if b.t.rows[key] == c.seen {
				err = b.overwrite(key, c.seen, c.e)
			}
			if err != nil {
				return []*repo.ItemError{{Index: c.index, ID: r.shownID(c.e), Err: err}}
			}
		}
		return nil
	})
	if errors.Is(err, errRowChanged) {
		return false, nil
	}
	return err == nil, err
}
