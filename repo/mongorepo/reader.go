package mongorepo

import (
	"context"
	"errors"
	"iter"
	"reflect"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// KeyFields names the fields of the key; see driver.Reader.
func (r *Repository[T]) KeyFields() []string { return r.ent.KeyNames() }

// errStopped ends a loop over a cursor early.
var errStopped = errors.New("stopped")

// Stream yields the entities one by one from a cursor; see driver.Reader.
func (r *Repository[T]) Stream(ctx context.Context, opts ...repo.Option) iter.Seq2[*T, error] {
	if _, fenced := driver.FenceFrom(ctx); fenced || r.TxState(ctx) != driver.TxNone {
		return driver.Yield(func() ([]*T, error) { return r.Find(ctx, opts...) })
	}
	return func(yield func(*T, error) bool) {
		err := r.each(ctx, opts, func(e *T) error {
			if !yield(e, nil) {
				return errStopped
			}
			return driver.Ended(ctx) // documents that are here already would go on
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, wrap(ctx, "stream", err))
		}
	}
}

// Aggregate makes groups of entities in this process, whose fields it reads through a
// cursor; see driver.Reader.
func (r *Repository[T]) Aggregate(ctx context.Context, a driver.Aggregation) ([][]any, error) {
	rows, err := driver.Aggregate(r.ent.Type, a, func(q []repo.Option, visit func(e reflect.Value)) error {
		return r.each(ctx, q, func(e *T) error {
			visit(valueOf(e))
			return nil
		})
	})
	return rows, wrap(ctx, "aggregate", err)
}
