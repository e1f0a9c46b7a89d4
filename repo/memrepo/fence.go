package memrepo

import (
	"context"

	"github.com/holdfast-go/holdfast/repo"
)

// FenceMode is repo.FenceTx: the claims of the context are checked under the
// same mutex as what a call then reads or writes.
func (r *Repository[T]) FenceMode() repo.FenceMode { return repo.FenceTx }

// lockToRead locks for a call that only reads. With a fence it locks as for
// writing, because showing a claim stores it.
func (r *Repository[T]) lockToRead(ctx context.Context) (unlock func(), err error) {
	if _, fenced := repo.FenceFrom(ctx); fenced {
		return r.lockToWrite(ctx)
	}
	r.mu.RLock()
	return r.mu.RUnlock, nil
}

// lockToWrite locks and shows the claims of ctx. When one is refused it stores
// none of them and leaves the repository unlocked.
func (r *Repository[T]) lockToWrite(ctx context.Context) (unlock func(), err error) {
	r.mu.Lock()
	if err := r.show(ctx); err != nil {
		r.mu.Unlock()
		return nil, err
	}
	return r.mu.Unlock, nil
}

// show draws the claims under the lock, so that of two calls under one hold the
// later one has the later claims.
func (r *Repository[T]) show(ctx context.Context) error {
	f, fenced := repo.FenceFrom(ctx)
	if !fenced {
		return nil
	}
	claims := f.Claims()
	for _, c := range claims {
		if stored, ok := r.claims[c.Key]; ok && !c.Succeeds(stored) {
			return &repo.FencedError{Stored: stored, Presented: c}
		}
	}
	for _, c := range claims {
		r.claims[c.Key] = c
	}
	return nil
}
