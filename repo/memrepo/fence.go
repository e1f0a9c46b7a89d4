package memrepo

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// FenceMode is driver.FenceTx: the claims of the context are checked in the same
// step as what a call then reads or writes.
func (r *Repository[T]) FenceMode() driver.FenceMode { return driver.FenceTx }

// MoveGuard makes to the key that guards the repository, where from does now,
// so that a test can play what renaming a key does. It returns a
// *repo.WrongKeyError where neither of the two is the guard,
// repo.ErrNotFound where none is registered yet, and repo.ErrInvalid for an
// empty key or two equal ones. Where to is the guard already it does nothing.
func (r *Repository[T]) MoveGuard(ctx context.Context, from, to string) error {
	return wrap("move guard", r.moveGuard(driver.WithFence(ctx, nil), from, to))
}

func (r *Repository[T]) moveGuard(ctx context.Context, from, to string) error {
	if from == "" || to == "" || from == to {
		return fmt.Errorf("%w: want two different keys", repo.ErrInvalid)
	}
	t, unlock, err := r.toWrite(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	switch t.guard {
	case "":
		return fmt.Errorf("%w: no key guards %s yet", repo.ErrNotFound, r.ent.Type)
	case from, to:
		t.guard = to
		return nil
	}
	return &repo.WrongKeyError{Resource: r.ent.Type.String(), Registered: t.guard, Presented: []string{from}}
}
