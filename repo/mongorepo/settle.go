package mongorepo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/repo"
)

// askTimeout bounds finding out what became of a write whose answer was lost.
// The caller's context may be what cut it off, so it does not count here.
const askTimeout = 5 * time.Second

// wasLost tells whether a command may have been done although it failed.
func wasLost(err error) bool {
	we := mongo.WriteException{}
	bwe := mongo.BulkWriteException{}
	return mongo.IsNetworkError(err) || mongo.IsTimeout(err) || errors.Is(err, context.Canceled) ||
		errors.As(err, &we) && we.WriteConcernError != nil || errors.As(err, &bwe) && bwe.WriteConcernError != nil
}

// What asking after a write can find.
var (
	errNotWritten = errors.New("it was not written")
	errAbsent     = errors.New("the document is not there")
	// It may have been overwritten, or have come too late.
	errOvertaken = errors.New("a newer holder of the lock has been at the document")
)

// ask finds out whether the write that would have stored the claims in the
// document has happened: nil when it has, errNotWritten when it has not and
// never can, errAbsent when there is no document. It stores the next attempt's
// claims, so that a write that is still under way comes too late. Any other
// error means that it cannot be told.
func ask(ctx context.Context, coll commands, id bson.D, presented, next claims) error {
	opts := options.FindOneAndUpdate().SetReturnDocument(options.Before)
	raw, err := coll.findOneAndUpdate(ctx, and(id, next.accept()), updateOf(next.set(), nil), opts)
	switch {
	case err == nil && presented.storedIn(fenceOf(raw)):
		return nil
	case err == nil:
		return errNotWritten
	case !errors.Is(err, mongo.ErrNoDocuments):
		return err
	}
	n, err := fresh(coll.coll).count(ctx, id)
	if err != nil {
		return err
	}
	if n == 0 {
		return errAbsent
	}
	return errOvertaken
}

func (r *Repository[T]) askAbout(ctx context.Context, k keyed, presented claims) error {
	next, err := r.draw(ctx)
	if err != nil {
		return err
	}
	return ask(ctx, r.firm, byID(k.id), presented, next)
}

// settle gives a write whose answer was lost the error that tells what became
// of it: none when it happened, the lost answer's when it did not, and a
// *repo.UnknownError when that cannot be found out.
func (r *Repository[T]) settle(ctx context.Context, w *write[T], lost error) error {
	if len(w.fence) == 0 || mongo.SessionFromContext(ctx) != nil || !wasLost(lost) {
		return lost
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	err := r.askAbout(ctx, w.key, w.fence)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNotWritten), errors.Is(err, errAbsent) && w.keepGone && !w.insert:
		return lost
	}
	return &repo.UnknownError{Op: fmt.Sprintf("%s on %s", w.fence, w.key.id), Err: err}
}

// settleAll does so with every write of a bulk write and notes the errors. It
// returns the lost answer's where nothing can be asked.
func (r *Repository[T]) settleAll(ctx context.Context, writes []*write[T], lost error) error {
	if len(writes[0].fence) == 0 || mongo.SessionFromContext(ctx) != nil || !wasLost(lost) {
		return lost
	}
	return inParallel(min(parallelWrites, len(writes)), writes, func(w *write[T]) error {
		w.err = r.settle(ctx, w, lost)
		return nil
	})
}

// settleTx does the same for a commit: the claims of the transaction were
// written in it.
func (r *Repository[T]) settleTx(ctx context.Context, t *transaction, lost error) error {
	labeled, ok := errors.AsType[mongo.LabeledError](lost)
	if !ok || !labeled.HasErrorLabel(unknownCommit) || !t.fenced() {
		return lost
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(outside(ctx)), askTimeout)
	defer cancel()
	next, err := r.draw(ctx)
	if err != nil {
		return &repo.UnknownError{Op: "commit", Err: err}
	}
	for _, c := range next {
		shown, ok := t.shown(raisedKey{r.coll.Database().Name(), c.Key})
		if !ok {
			continue
		}
		err := ask(ctx, r.locks.coll, bson.D{{Key: "_id", Value: c.Key}}, claims{shown}.anywhere(), claims{c}.anywhere())
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errNotWritten):
			return lost
		}
		return &repo.UnknownError{Op: shown.String(), Err: err}
	}
	return &repo.UnknownError{Op: "commit", Err: lost}
}

// settleDeletions notes what became of deletions whose answer was lost: what is
// not there any more is deleted. It returns the lost answer's error where
// nothing can be asked.
func (r *Repository[T]) settleDeletions(ctx context.Context, cs claims, list []*deletion, lost error) error {
	if len(cs) == 0 || mongo.SessionFromContext(ctx) != nil || !wasLost(lost) {
		return lost
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	return inParallel(min(parallelWrites, len(list)), list, func(d *deletion) error {
		d.err = r.settleDeletion(ctx, cs, d, lost)
		return nil
	})
}

func (r *Repository[T]) settleDeletion(ctx context.Context, cs claims, d *deletion, lost error) error {
	err := r.askAbout(ctx, d.keyed, cs)
	switch {
	case err == nil, errors.Is(err, errAbsent):
		return nil
	case errors.Is(err, errNotWritten):
		return lost
	}
	return &repo.UnknownError{Op: fmt.Sprintf("%s on %s", cs, d.id), Err: err}
}
