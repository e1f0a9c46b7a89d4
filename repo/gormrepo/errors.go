package gormrepo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/fence"
)

// failed says what went wrong with a call. An error of the caller's context is
// made visible: some drivers report no more than that they were interrupted.
func (r *store) failed(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	err = r.classify(err)
	err = r.denied(err, doing)
	if _, fenced := driver.FenceFrom(ctx); fenced && dberr.IsLockTimeout(err) && !errors.Is(err, repo.ErrBusy) && !errors.Is(err, repo.ErrUnknown) {
		err = fmt.Errorf("%w: %w", repo.ErrBusy, err)
	}
	if ended := driver.Ended(ctx); ended != nil && (!errors.Is(err, ctx.Err()) || !errors.Is(err, context.Cause(ctx))) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	return fmt.Errorf("gormrepo: %s: %w", doing, err)
}

// classify gives an error of the database the sentinel that the caller decides
// by.
func (r *store) classify(err error) error {
	switch {
	case err == nil || errors.Is(err, repo.ErrDuplicateKey) || errors.Is(err, repo.ErrTooMany):
		return err
	case dberr.IsAborted(err) && !errors.Is(err, repo.ErrRolledBack):
		return fmt.Errorf("%w, or will be: an earlier call in it failed: %w", repo.ErrRolledBack, err)
	case dberr.IsDuplicate(err, r.db.Dialector) && errors.Is(err, repo.ErrRolledBack):
		return fmt.Errorf("%w: %w", repo.ErrRolledBack, &duplicateError{cause: err})
	case dberr.IsDuplicate(err, r.db.Dialector):
		return &duplicateError{cause: err}
	case dberr.IsTooMany(err):
		return dberr.TooMany(err)
	default:
		return err
	}
}

// duplicateError hides the text of its cause, because some databases quote the
// values there, which are the users' data.
type duplicateError struct{ cause error }

func (*duplicateError) Error() string { return repo.ErrDuplicateKey.Error() }

func (e *duplicateError) Unwrap() []error { return []error{repo.ErrDuplicateKey, e.cause} }

// failures collects the elements of a list that failed.
type failures []*repo.ItemError

func (f *failures) add(index int, id any, err error) {
	*f = append(*f, &repo.ItemError{Index: index, ID: id, Err: err})
}

// of adds an error about it, if there is one. It may name an element by itself.
func (f *failures) of(r *store, it *item, err error) {
	if named, ok := errors.AsType[*repo.ItemError](err); ok {
		*f = append(*f, named)
	} else if err != nil {
		f.add(it.index, r.shownID(it.val), err)
	}
}

// err is nil, or the list by ascending index.
func (f *failures) err() error {
	if len(*f) == 0 {
		return nil
	}
	slices.SortStableFunc(*f, func(a, b *repo.ItemError) int { return cmp.Compare(a.Index, b.Index) })
	return &repo.BatchError{Items: *f}
}

// single is the error of a list of one, without the list. The cause of a rollback may have
// been another list.
func single(err error) error {
	if errors.Is(err, repo.ErrRolledBack) {
		return err
	}
	if batch, ok := errors.AsType[*repo.BatchError](err); ok && len(batch.Items) == 1 {
		return batch.Items[0].Err
	}
	return err
}

// denied is about the fence when the database says so, else about the table of
// the entities.
func (r *store) denied(err error, doing string) error {
	if dberr.IsDenied(err) && strings.Contains(err.Error(), "holdfast_") {
		return fence.Denied(err)
	}
	return dberr.Denied(err, r.schema.Table, rightsFor(doing))
}

// rightsFor are what the calls of a repository need on its table.
func rightsFor(doing string) string {
	switch {
	case strings.HasPrefix(doing, "delete"):
		return "SELECT, UPDATE and DELETE"
	case lo.SomeBy([]string{"find", "count", "exists", "stream", "aggregate"}, func(reads string) bool { return strings.HasPrefix(doing, reads) }):
		return "SELECT"
	default:
		return "SELECT, INSERT and UPDATE"
	}
}
