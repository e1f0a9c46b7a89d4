package mongorepo

import (
	"cmp"
	"context"
	"slices"

	"github.com/holdfast-go/holdfast/repo"
)

// A save is a sequence: its entities are encoded, which makes writes of them; those
// that are built on what is stored were raised before. Then, until no write has to be
// sent again, the writes are sent, refusals are explained and lost answers settled.

// perform sends all writes and puts back the entities whose write failed.
func (r *Repository[T]) perform(ctx context.Context, writes []*write[T]) error {
	cs, err := r.fence.Claims(ctx)
	if err != nil {
		undoAll(writes)
		return err
	}
	for _, w := range writes {
		w.fence = cs
	}
	for left := writes; len(left) > 0 && err == nil; {
		left, err = r.round(ctx, left)
	}
	if err == nil {
		err = r.readCreated(ctx, writes)
	}
	if err != nil {
		undoAll(writes)
		r.spoil(ctx, err)
		return err
	}
	return r.report(ctx, writes)
}

// round sends the writes once and returns those to send again.
func (r *Repository[T]) round(ctx context.Context, writes []*write[T]) ([]*write[T], error) {
	missing, err := r.send(ctx, writes)
	if err != nil {
		return nil, err
	}
	again, err := r.explain(ctx, writes, missing)
	if err != nil {
		return nil, err
	}
	r.settle(ctx, writes)
	return again, nil
}

// report names the writes that failed.
func (r *Repository[T]) report(ctx context.Context, writes []*write[T]) error {
	var bad []*repo.ItemError
	for _, w := range writes {
		if w.err != nil {
			w.undo()
			bad = append(bad, &repo.ItemError{Index: w.index, ID: w.shown, Err: w.err})
		} else if w.undo != nil {
			r.onRollback(ctx, w.undo)
		}
	}
	if len(bad) > 0 {
		slices.SortFunc(bad, func(a, b *repo.ItemError) int { return cmp.Compare(a.Index, b.Index) })
		err := &repo.BatchError{Items: bad}
		if len(bad) < len(writes) {
			r.spoil(ctx, err)
		}
		return err
	}
	return nil
}

func undoAll[T any](writes []*write[T]) {
	for _, w := range writes {
		w.undo()
	}
}
