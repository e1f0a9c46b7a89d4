package gormrepo

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// saveParts saves calls in their order by one transaction, and leaves out those that
// fail. What it did to the entities of a call that is not saved is taken back.
func (r *store) saveParts(ctx context.Context, calls []*saveCall) error {
	items := r.itemsFor(lo.FlatMap(calls, func(call *saveCall, _ int) []reflect.Value { return call.entities }))
	return restoring(items, func() error {
		return r.InTx(ctx, func(ctx context.Context) error { return r.savePart(ctx, calls) })
	})
}

// savePart saves calls that have failed together, by smaller parts behind savepoints. A
// part of the square root costs the fewest statements where one call is bad: 64 calls
// take 8, then 4 for the part that failed, and 2 for what is left of it.
func (r *store) savePart(ctx context.Context, calls []*saveCall) error {
	for part := range slices.Chunk(calls, int(math.Sqrt(float64(len(calls))))) {
		err := r.InTx(repo.WithSavepoint(ctx), func(ctx context.Context) error { return r.saveGroup(ctx, part) })
		switch {
		case err == nil:
		case stateIn(ctx).spoiled() != nil || concernsAll(ctx, err):
			return r.failed(ctx, "save", unnamed(err))
		case len(part) > 1:
			if err := r.savePart(ctx, part); err != nil {
				return err
			}
		case part[0].one:
			part[0].err = r.failed(ctx, "save", single(err))
		default:
			part[0].err = r.failed(ctx, "save all", err)
		}
	}
	return nil
}

// concernsAll tells whether a statement failed for another reason than what it stores.
func concernsAll(ctx context.Context, err error) bool {
	if driver.Ended(ctx) != nil || dberr.IsDeadlock(err) || dberr.IsLockTimeout(err) {
		return true
	}
	if errors.As(err, new(*repo.BatchError)) { // it may be the error of a hook, which has used anything
		return false
	}
	return dberr.IsUnsent(err) || slices.ContainsFunc(
		[]error{repo.ErrBusy, repo.ErrFenced, repo.ErrWrongKey, repo.ErrUnknown, repo.ErrRolledBack, repo.ErrInTx},
		func(kind error) bool { return errors.Is(err, kind) })
}

// unnamed is an error that concerns all elements without the one that met it.
func unnamed(err error) error {
	if batch, ok := errors.AsType[*repo.BatchError](err); ok {
		return batch.Items[0].Err
	}
	return err
}
