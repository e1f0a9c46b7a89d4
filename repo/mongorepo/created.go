package mongorepo

import (
	"context"
	"fmt"
	"reflect"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// readCreated tells entities when they were created that were overwritten and not read
// before.
func (r *Repository[T]) readCreated(ctx context.Context, writes []*write[T]) error {
	if len(r.ent.Created) == 0 || r.layout.opaque {
		return nil
	}
	written := lo.Filter(writes, func(w *write[T], _ int) bool { return w.err == nil && !w.insert && !w.read })
	failed := lo.SomeBy(writes, func(w *write[T]) bool { return w.err != nil })
	// A failed write has aborted the transaction: nothing can be read in it.
	if len(written) == 0 || failed && mongo.SessionFromContext(ctx) != nil {
		return nil
	}
	found, err := r.loadStored(ctx, nil, lo.Map(written, func(w *write[T], _ int) keyed { return w.key }), r.fresh)
	if err != nil {
		return fmt.Errorf("saved, but the creation times cannot be read: %w", err)
	}
	for _, w := range written {
		if s := found[w.key.cmp]; s != nil && s.e != nil {
			r.copyCreated(valueOf(s.e), valueOf(w.e))
		}
	}
	return nil
}

func (r *Repository[T]) copyCreated(from, to reflect.Value) {
	for _, f := range r.ent.Created {
		copyField(f, from, to)
	}
}

func copyField(f *entity.Field, from, to reflect.Value) {
	if v := f.Value(from); v.IsValid() {
		f.Reach(to).Set(v)
	}
}
