package memrepo

import (
	"context"
	"iter"
	"reflect"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// KeyFields names the fields of the key; see driver.Reader.
func (r *Repository[T]) KeyFields() []string { return r.ent.KeyNames() }

// Stream yields copies of the entities that were stored when the loop began; see
// driver.Reader.
func (r *Repository[T]) Stream(ctx context.Context, opts ...repo.Option) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		rows, err := r.rows(ctx, opts)
		for _, w := range rows {
			if err = driver.Ended(ctx); err != nil {
				break
			}
			if !yield(copyOf(w.val), nil) {
				return
			}
		}
		if err != nil {
			yield(nil, wrap("stream", err))
		}
	}
}

// Aggregate makes groups of entities; see driver.Reader.
func (r *Repository[T]) Aggregate(ctx context.Context, a driver.Aggregation) ([][]any, error) {
	rows, err := driver.Aggregate(r.ent.Type, a, func(q []repo.Option, visit func(e reflect.Value)) error {
		rows, err := r.rows(ctx, q)
		for _, w := range rows {
			visit(valueOf(w.val))
		}
		return err
	})
	return rows, wrap("aggregate", err)
}
