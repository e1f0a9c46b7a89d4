package memrepo

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// Update reads the entity with the id, calls fn with a copy and saves it; see
// repo.Updater. When somebody else wrote the entity meanwhile it starts over
// with what is stored then: no update is lost. Under a fence the claims are shown
// when reading and again when writing. fn runs without a lock and may
// use the repository. What fn does to the version and the times is ignored; a
// changed key is repo.ErrInvalid.
func (r *Repository[T]) Update(ctx context.Context, id any, fn func(*T) error) (*T, error) {
	if fn == nil {
		return nil, wrap("update", fmt.Errorf("%w: nil function", repo.ErrInvalid))
	}
	for {
		seen, err := r.find(ctx, id)
		if err != nil {
			return nil, wrap("update", err)
		}
		e := copyOf(seen.val)
		if err := fn(e); err != nil {
			return nil, err
		}
		if r.keyOf(e) != r.keyOf(seen.val) {
			return nil, wrap("update", errKeyChanged)
		}
		written, err := r.exchange(ctx, seen, copyOf(e))
		if err != nil {
			return nil, wrap("update", err)
		}
		if written != nil {
			return copyOf(written), nil
		}
	}
}

// exchange writes e over seen, or returns nil when seen is not the stored row
// any more.
func (r *Repository[T]) exchange(ctx context.Context, seen *row[T], e *T) (*T, error) {
	t, unlock, err := r.toWrite(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := driver.Ended(ctx); err != nil {
		return nil, err
	}
	key := r.keyOf(e)
	if t.rows[key] != seen {
		return nil, nil
	}
	if err := r.batch(ctx, t).overwrite(key, seen, e); err != nil {
		r.spoil(ctx, err, 1)
		return nil, err
	}
	return e, nil
}
