package mongorepo

import (
	"context"
	"errors"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo/driver"
)

// send sends the writes and notes in each what the server said: nothing where it is
// done, errNotMatched where it found no document to change, or how it was refused. An
// answer that was lost and can be asked for is noted too. Of those that were sent
// together it returns how many found none. An error concerns all of them.
func (r *Repository[T]) send(ctx context.Context, writes []*write[T]) (missing int, err error) {
	single, together := lo.FilterReject(writes, func(w *write[T], _ int) bool { return len(writes) == 1 || r.goesAlone(w) })
	if len(together) > 0 {
		if missing, err = r.bulk(ctx, together); err != nil {
			return 0, err
		}
	}
	return missing, inParallel(workers(ctx, len(single)), single, func(w *write[T]) error {
		missing, err := r.bulk(ctx, []*write[T]{w})
		if missing > 0 {
			w.err = errNotMatched
		}
		return err
	})
}

// goesAlone tells whether a write needs a command of its own. How many documents
// matched is known for a whole bulk write only. Which ones did not can be seen
// afterwards by their absence, but not by their version, another writer may have set
// the same one, nor by their fence, which a newer holder may have raised since. Those
// that were raised show by their claims, but for a rest; see noteMissing.
func (r *Repository[T]) goesAlone(w *write[T]) bool {
	blind := w.keepGone && !w.insert && len(w.raised) == 0
	return w.stone != nil || blind && (r.ent.Version != nil || len(w.fence) > 0)
}

// bulk sends the writes in one unordered bulk write and notes the failed ones. It
// returns how many found no document to change.
func (r *Repository[T]) bulk(ctx context.Context, writes []*write[T]) (missing int, err error) {
	if err := driver.Ended(ctx); err != nil { // what is not sent need not be asked about
		return 0, err
	}
	models := lo.Map(writes, func(w *write[T], _ int) mongo.WriteModel {
		w.err, w.shared = nil, len(writes) > 1
		w.sent++
		return w.model()
	})
	res, err := r.on(writes[0].fence).BulkWrite(ctx, models)
	refused, ok := errors.AsType[mongo.BulkWriteException](err)
	switch {
	case err == nil:
	case ok && refused.WriteConcernError == nil && len(refused.WriteErrors) > 0:
	case canAsk(ctx, writes[0].fence, err):
		for _, w := range writes {
			w.lost, w.err = true, err
		}
		return 0, nil
	default:
		return 0, err
	}
	for _, e := range refused.WriteErrors {
		// Index is the place in models; the one in Raw counts from the start
		// of the server command that the driver made of a part of them.
		writes[e.Index].err = mongo.WriteException{WriteErrors: mongo.WriteErrors{e.WriteError}, Labels: refused.Labels}
	}
	if res == nil || !res.Acknowledged {
		return 0, nil
	}
	return len(writes) - len(refused.WriteErrors) - int(res.InsertedCount+res.MatchedCount+res.UpsertedCount), nil
}
