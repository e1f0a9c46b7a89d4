package mongorepo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// readCreated tells entities that were overwritten when they were created.
func (r *Repository[T]) readCreated(ctx context.Context, writes []*write[T]) error {
	if len(r.ent.Created) == 0 || r.layout.opaque {
		return nil
	}
	var keys []keyed
	failed := false
	for _, w := range writes {
		if w.err == nil && !w.insert {
			keys = append(keys, w.key)
		}
		failed = failed || w.err != nil
	}
	// A failed write has aborted the transaction: nothing can be read in it.
	if len(keys) == 0 || failed && mongo.SessionFromContext(ctx) != nil {
		return nil
	}
	found, err := r.loadStored(ctx, nil, keys, r.fresh)
	if err != nil {
		return fmt.Errorf("saved, but the creation times cannot be read: %w", err)
	}
	for _, w := range writes {
		if s := found[w.key.cmp]; s != nil && s.e != nil && !w.insert {
			for _, f := range r.ent.Created {
				if created := f.Value(valueOf(s.e)); created.IsValid() {
					f.Reach(valueOf(w.e)).Set(created)
				}
			}
		}
	}
	return nil
}
