package repo

import (
	"context"
	"fmt"

	"github.com/samber/lo"
)

// IDs returns the ids as the list that FindAllByID and DeleteAllByID want.
//
//	found, err := orders.FindAllByID(ctx, repo.IDs(1, 2, 3))
func IDs[K any](ids ...K) []any { return lo.ToAnySlice(ids) }

// Keyed returns r with the type of its ids, so that the compiler refuses an id of
// another type. It adds nothing else: a call does what the same call of r does. K is
// what the package documentation says an id may be; for a key of several fields it is
// T itself. Where K cannot be an id, every method by id returns ErrInvalid.
//
//	orders := repo.Keyed[Order, int64](locked)
//	o, err := orders.FindByID(ctx, 7)
func Keyed[T, K any](r Repository[T]) KeyedRepository[T, K] { return KeyedRepository[T, K]{r} }

// KeyedRepository is a repository whose ids have the type K; see [Keyed]. It may be
// used concurrently where the repository inside may.
type KeyedRepository[T, K any] struct {
	// Repository is the one that Keyed got, for code that wants a Repository[T].
	Repository[T]
}

// FindByID does what Repository says.
func (k KeyedRepository[T, K]) FindByID(ctx context.Context, id K) (*T, error) {
	return k.Repository.FindByID(ctx, id)
}

// FindAllByID does what Repository says.
func (k KeyedRepository[T, K]) FindAllByID(ctx context.Context, ids []K) ([]*T, error) {
	return k.Repository.FindAllByID(ctx, IDs(ids...))
}

// ExistsByID does what Repository says.
func (k KeyedRepository[T, K]) ExistsByID(ctx context.Context, id K) (bool, error) {
	return k.Repository.ExistsByID(ctx, id)
}

// DeleteByID does what Repository says.
func (k KeyedRepository[T, K]) DeleteByID(ctx context.Context, id K) error {
	return k.Repository.DeleteByID(ctx, id)
}

// DeleteAllByID does what Repository says.
func (k KeyedRepository[T, K]) DeleteAllByID(ctx context.Context, ids []K) (int64, error) {
	return k.Repository.DeleteAllByID(ctx, IDs(ids...))
}

// Update does what Updater says. It returns ErrUnsupported for a repository that is no
// Updater.
func (k KeyedRepository[T, K]) Update(ctx context.Context, id K, fn func(*T) error) (*T, error) {
	u, ok := As[Updater[T]](k.Repository)
	if !ok {
		return nil, fmt.Errorf("repo: update: %w: %T has no Update", ErrUnsupported, k.Repository)
	}
	return u.Update(ctx, id, fn)
}

// Restore does what Writer says. It returns ErrUnsupported for a repository that is no
// Writer.
func (k KeyedRepository[T, K]) Restore(ctx context.Context, ids ...K) (int64, error) {
	w, ok := As[Writer[T]](k.Repository)
	if !ok {
		return 0, fmt.Errorf("repo: restore: %w: %T has no Restore", ErrUnsupported, k.Repository)
	}
	return w.Restore(ctx, IDs(ids...)...)
}
