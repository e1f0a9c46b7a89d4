package memrepo

import (
	"context"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// Save inserts or overwrites e; see repo.Repository.
func (r *Repository[T]) Save(ctx context.Context, e *T) error {
	return wrap("save", single(r.saveAll(ctx, []*T{e})))
}

// SaveAll inserts or overwrites every element, all or none; see
// repo.Repository.
func (r *Repository[T]) SaveAll(ctx context.Context, es []*T) error {
	return wrap("save all", r.saveAll(ctx, es))
}

func (r *Repository[T]) saveAll(ctx context.Context, es []*T) error {
	if err := driver.Ended(ctx); err != nil {
		return err
	}
	if err := driver.CheckEntities(es); err != nil {
		return err
	}
	saved := make([]*T, len(es))
	err := r.write(ctx, len(es), func(b *batch[T]) []*repo.ItemError {
		var bad []*repo.ItemError
		for _, i := range entity.LastOfEach(es, r.identity) {
			saved[i] = copyOf(es[i])
			if err := b.save(saved[i], nil); err != nil {
				bad = append(bad, &repo.ItemError{Index: i, ID: r.shownID(es[i]), Err: err})
			}
		}
		return bad
	})
	if err != nil {
		return err
	}
	r.writeBackAll(es, saved)
	return nil
}
