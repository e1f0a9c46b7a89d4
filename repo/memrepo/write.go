package memrepo

import (
	"cmp"
	"context"
	"slices"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// write runs fn under the lock and takes everything back when it reports a bad
// element of n or when the context is done by then.
func (r *Repository[T]) write(ctx context.Context, n int, fn func(*batch[T]) []*repo.ItemError) error {
	err := r.writeLocked(ctx, fn)
	r.spoil(ctx, err, n)
	return err
}

func (r *Repository[T]) writeLocked(ctx context.Context, fn func(*batch[T]) []*repo.ItemError) error {
	t, unlock, err := r.toWrite(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	b := r.batch(ctx, t)
	finished := false
	defer func() {
		if !finished { // fn called code of the user, which may panic
			b.rollback()
		}
	}()
	if bad := fn(b); len(bad) > 0 {
		slices.SortStableFunc(bad, func(x, y *repo.ItemError) int { return cmp.Compare(x.Index, y.Index) })
		return &repo.BatchError{Items: bad}
	}
	if err := driver.Ended(ctx); err != nil {
		return err
	}
	finished = true
	return nil
}
