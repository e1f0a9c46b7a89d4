package gormrepo

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// Update reads the entity with the id, calls fn with it and saves it, in one
// transaction; see repo.Updater. Only the columns that changed are written, by an
// UPDATE. The row is locked from the read on, so that no
// other writer of the database comes in between: by SELECT ... FOR UPDATE on
// PostgreSQL and MySQL, by the write lock on SQLite. fn runs inside the
// transaction and must not use the repository with another context; it runs
// again when the database gave the transaction up for another one. What fn does
// to the version and the times is ignored; a changed key is repo.ErrInvalid.
func (r *Repository[T]) Update(ctx context.Context, id any, fn func(*T) error) (*T, error) {
	if fn == nil {
		return nil, r.failed(ctx, "update", fmt.Errorf("%w: nil function", repo.ErrInvalid))
	}
	if err := dberr.Ended(ctx); err != nil {
		return nil, r.failed(ctx, "update", err)
	}
	one := &driver.UpdateCall[T]{ID: id, Change: fn}
	if err := r.updateGroup(ctx, []*driver.UpdateCall[T]{one}); err != nil {
		return nil, r.failed(ctx, "update", single(err))
	}
	return one.Entity, one.Err
}
