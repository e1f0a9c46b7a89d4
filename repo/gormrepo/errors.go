package gormrepo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// done is the context's error with its cause, nil while it goes on.
func done(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// failed says what went wrong with a call. An error of the caller's context is
// made visible: some drivers report no more than that they were interrupted.
func (r *Repository[T]) failed(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	err = r.classify(err)
	err = r.denied(err, doing)
	if _, fenced := driver.FenceFrom(ctx); fenced && isLockTimeout(err) && !errors.Is(err, repo.ErrBusy) && !errors.Is(err, repo.ErrUnknown) {
		err = fmt.Errorf("%w: %w", repo.ErrBusy, err)
	}
	if ended := done(ctx); ended != nil && (!errors.Is(err, ctx.Err()) || !errors.Is(err, context.Cause(ctx))) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	return fmt.Errorf("gormrepo: %s: %w", doing, err)
}

// classify gives an error of the database the sentinel that the caller decides
// by.
func (r *Repository[T]) classify(err error) error {
	switch {
	case err == nil || errors.Is(err, repo.ErrDuplicateKey) || errors.Is(err, repo.ErrTooMany):
		return err
	case isDuplicate(err, r.db.Dialector):
		return &duplicateError{cause: err}
	case isTooMany(err):
		return errTooMany(err)
	default:
		return err
	}
}

// duplicateError hides the text of its cause, because some databases quote the
// values there, which are the users' data.
type duplicateError struct{ cause error }

func (*duplicateError) Error() string { return repo.ErrDuplicateKey.Error() }

func (e *duplicateError) Unwrap() []error { return []error{repo.ErrDuplicateKey, e.cause} }

// isDuplicate tells whether err reports a broken unique index. The drivers are
// not imported: PostgreSQL's have a SQLSTATE and SQLite's an extended code, and
// for the others the dialect translates. GORM's own translation may have been
// applied before, or not; and it looks at the outermost error only.
func isDuplicate(err error, d gorm.Dialector) bool {
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return true
	}
	var state interface{ SQLState() string }
	if errors.As(err, &state) && state.SQLState() == "23505" {
		return true
	}
	var code interface{ Code() int }
	if errors.As(err, &code) && (code.Code() == 1555 || code.Code() == 2067) {
		return true
	}
	translator, ok := d.(gorm.ErrorTranslator)
	return ok && anyInChain(err, func(err error) bool {
		return errors.Is(translator.Translate(err), gorm.ErrDuplicatedKey)
	})
}

func anyInChain(err error, holds func(error) bool) bool {
	if err == nil {
		return false
	}
	if holds(err) {
		return true
	}
	switch e := err.(type) { //nolint:errorlint // walks the chain by hand
	case interface{ Unwrap() error }:
		return anyInChain(e.Unwrap(), holds)
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if anyInChain(err, holds) {
				return true
			}
		}
	}
	return false
}

// failures collects the elements of a list that failed.
type failures []*repo.ItemError

func (f *failures) add(index int, id any, err error) {
	*f = append(*f, &repo.ItemError{Index: index, ID: id, Err: err})
}

// err is nil, or the list by ascending index.
func (f *failures) err() error {
	if len(*f) == 0 {
		return nil
	}
	slices.SortStableFunc(*f, func(a, b *repo.ItemError) int { return cmp.Compare(a.Index, b.Index) })
	return &repo.BatchError{Items: *f}
}

// single is the error of a list of one, without the list.
func single(err error) error {
	if batch, ok := errors.AsType[*repo.BatchError](err); ok && len(batch.Items) == 1 {
		return batch.Items[0].Err
	}
	return err
}
