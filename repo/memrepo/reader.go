package memrepo

import (
	"context"
	"iter"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// KeyFields names the fields of the key; see driver.Reader.
func (r *Repository[T]) KeyFields() []string { return r.ent.KeyNames() }

// Stream yields copies of the entities that were stored when the loop began; see
// driver.Reader.
func (r *Repository[T]) Stream(ctx context.Context, opts ...repo.Option) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for e, err := range r.stream(ctx, opts) {
			if !yield(e, wrap("stream", err)) {
				return
			}
		}
	}
}

func (r *Repository[T]) stream(ctx context.Context, opts []repo.Option) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		rows, err := r.rows(ctx, opts)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, w := range rows {
			if err := driver.Ended(ctx); err != nil {
				yield(nil, err)
				return
			}
			if !yield(copyOf(w.val), nil) {
				return
			}
		}
	}
}

// Aggregate makes groups of entities; see driver.Reader.
func (r *Repository[T]) Aggregate(ctx context.Context, a driver.Aggregation) ([][]any, error) {
	rows, err := driver.Aggregate(a, func(q ...repo.Option) iter.Seq2[*T, error] { return r.stream(ctx, q) })
	return rows, wrap("aggregate", err)
}
