package mongorepo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/fence"
)

// askTimeout bounds finding out what became of a write whose answer was lost.
// The caller's context may be what cut it off, so it does not count here.
const askTimeout = 5 * time.Second

// canAsk tells whether it can be found out what became of a command that failed so.
func canAsk(ctx context.Context, cs fence.Claims, err error) bool {
	return len(cs) > 0 && mongo.SessionFromContext(ctx) == nil && command.WasLost(err)
}

// settle gives the writes whose answer was lost the error that tells what became
// of each: none when it happened, the lost answer's when it did not, and a
// *repo.UnknownError when that cannot be found out.
func (r *Repository[T]) settle(ctx context.Context, writes []*write[T]) {
	lost := lo.Filter(writes, func(w *write[T], _ int) bool { return w.lost })
	_ = inParallel(min(parallelWrites, len(lost)), lost, func(w *write[T]) error {
		w.lost, w.err = false, r.outcome(ctx, w)
		return nil
	})
}

func (r *Repository[T]) outcome(ctx context.Context, w *write[T]) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	err := r.fence.Ask(ctx, byID(w.key.id), w.fence)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fence.ErrNotWritten), errors.Is(err, fence.ErrAbsent) && w.keepGone && !w.insert:
		return w.err
	}
	return &repo.UnknownError{Op: fmt.Sprintf("%s on %s", w.fence, w.key.id), Err: err}
}

// settleDeletions notes what became of deletions whose answer was lost: what is
// not there any more is deleted. It returns the lost answer's error where
// nothing can be asked.
func (r *Repository[T]) settleDeletions(ctx context.Context, cs fence.Claims, list []*deletion, lost error) error {
	if !canAsk(ctx, cs, lost) {
		return lost
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	return inParallel(min(parallelWrites, len(list)), list, func(d *deletion) error {
		d.err = r.settleDeletion(ctx, cs, d, lost)
		return nil
	})
}

func (r *Repository[T]) settleDeletion(ctx context.Context, cs fence.Claims, d *deletion, lost error) error {
	err := r.fence.Ask(ctx, byID(d.id), cs)
	switch {
	case err == nil, errors.Is(err, fence.ErrAbsent):
		return nil
	case errors.Is(err, fence.ErrNotWritten):
		return lost
	}
	return &repo.UnknownError{Op: fmt.Sprintf("%s on %s", cs, d.id), Err: err}
}
