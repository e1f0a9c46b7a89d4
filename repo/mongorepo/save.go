package mongorepo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// Save inserts or overwrites e; see repo.Repository. Fields of the stored
// document that T does not have stay as they are.
func (r *Repository[T]) Save(ctx context.Context, e *T) error {
	err := r.saveAll(ctx, []*T{e}, false)
	if batch, ok := errors.AsType[*repo.BatchError](err); ok {
		err = batch.Items[0].Err
	}
	return wrap(ctx, "save", err)
}

// SaveAll inserts or overwrites every element; see repo.Repository. Entities
// without a version go in one unordered bulk write, each of the others in a
// command of its own, because only that tells of one document whether it was
// there. Elements that are not named in a *repo.BatchError are written. An
// error that is no *repo.BatchError says nothing about single elements: any of
// them may be written.
func (r *Repository[T]) SaveAll(ctx context.Context, es []*T) error {
	return wrap(ctx, "save all", r.saveAll(ctx, es, false))
}

// saveAll saves entities, or what documents gave.
func (r *Repository[T]) saveAll(ctx context.Context, es []*T, documents bool) error {
	if err := done(ctx); err != nil {
		return err
	}
	if err := driver.CheckEntities(es); err != nil {
		return err
	}
	now := r.now()
	var writes []*write[T]
	var bad []*repo.ItemError
	for _, i := range r.lastOfEach(es) {
		w, err := r.prepare(ctx, i, es[i], now)
		if err != nil {
			bad = append(bad, &repo.ItemError{Index: i, ID: r.shownID(es[i]), Err: err})
			continue
		}
		w.unnamed = documents && w.unsure
		writes = append(writes, w)
	}
	if len(bad) > 0 { // nothing was sent yet: nothing is written
		undoAll(writes)
		return &repo.BatchError{Items: bad}
	}
	if err := r.beSure(ctx, writes); err != nil {
		undoAll(writes)
		return err
	}
	return r.send(ctx, writes)
}

// beSure finds out in a transaction which inserts are of entities that were
// read. Elsewhere an insert that fails tells, but that would abort it.
func (r *Repository[T]) beSure(ctx context.Context, writes []*write[T]) error {
	if mongo.SessionFromContext(ctx) == nil {
		return nil
	}
	unsure := slices.DeleteFunc(slices.Clone(writes), func(w *write[T]) bool { return !w.unsure })
	if len(unsure) == 0 {
		return nil
	}
	found, err := r.storedNow(ctx, unsure, false)
	if err != nil {
		return err
	}
	for _, w := range unsure {
		if s := found[w.key.cmp]; r.wasMeant(w, s) {
			if err := r.overRead(w, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// send writes all and puts back the entities whose write failed.
func (r *Repository[T]) send(ctx context.Context, writes []*write[T]) error {
	cs, err := r.claims(ctx)
	if err != nil {
		undoAll(writes)
		return err
	}
	var together, single []*write[T]
	for _, w := range writes {
		// How many documents matched is known for a whole bulk write only. Which
		// ones did not can be seen afterwards by their absence, but not by
		// their version, another writer may have set the same one, nor by their
		// fence, which a newer holder may have raised since.
		// Those that were raised show by their claims, but for a rest; see noteMissing.
		w.fence = cs
		certain := len(w.raised) > 0 && len(writes) > 1
		if w.keepGone && !w.insert && !certain && (r.ent.Version != nil || len(cs) > 0) {
			single = append(single, w)
		} else {
			together = append(together, w)
		}
	}
	err = r.bulk(ctx, together)
	if err == nil {
		err = r.singly(ctx, single)
	}
	if err == nil {
		err = r.explain(ctx, writes)
	}
	if err == nil {
		err = r.readCreated(ctx, writes)
	}
	if err != nil {
		undoAll(writes)
		r.spoil(ctx, err)
		return err
	}
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

// bulk sends the writes in one unordered bulk write and notes the failed ones.
// An error concerns the whole.
func (r *Repository[T]) bulk(ctx context.Context, writes []*write[T]) error {
	if len(writes) == 0 {
		return nil
	}
	if err := done(ctx); err != nil { // what is not sent need not be asked about
		return err
	}
	models := make([]mongo.WriteModel, len(writes))
	for i, w := range writes {
		models[i] = w.model()
	}
	res, err := r.on(writes[0].fence).bulkWrite(ctx, models)
	we, ok := errors.AsType[mongo.BulkWriteException](err)
	if err != nil && (!ok || we.WriteConcernError != nil || len(we.WriteErrors) == 0) {
		return r.settleAll(ctx, writes, err)
	}
	for _, e := range we.WriteErrors {
		// Index is the place in models; the one in Raw counts from the start
		// of the server command that the driver made of a part of them.
		writes[e.Index].err = mongo.WriteException{WriteErrors: mongo.WriteErrors{e.WriteError}, Labels: we.Labels}
	}
	done := int(res.InsertedCount + res.MatchedCount + res.UpsertedCount)
	if missing := len(writes) - len(we.WriteErrors) - done; res.Acknowledged && missing > 0 {
		return r.noteMissing(ctx, writes, missing, len(we.WriteErrors) > 0)
	}
	return nil
}

// noteMissing finds the writes that found no document to change, of which there
// are so many: those whose document went away before them, and those that were
// raised and do not show their claims. A document that a newer holder has raised
// since tells nothing, unless there are as many of them as are missing, or none
// is.
func (r *Repository[T]) noteMissing(ctx context.Context, writes []*write[T], missing int, aborted bool) error {
	asked := slices.DeleteFunc(slices.Clone(writes), func(w *write[T]) bool { return w.err != nil || !w.keepGone || w.insert })
	found, err := r.storedNow(ctx, asked, aborted)
	if err != nil {
		return fmt.Errorf("finding out what was not written: %w", err)
	}
	var unclear []*write[T]
	for _, w := range asked {
		s := found[w.key.cmp]
		switch {
		case len(w.raised) == 0 && r.alive(s), s != nil && len(w.raised) > 0 && w.fence.storedIn(s.fence):
		case s != nil && len(w.raised) > 0 && w.fence.refusedBy(s.fence) != nil:
			unclear = append(unclear, w)
		default:
			w.err = errNotMatched
			missing--
		}
	}
	for _, w := range unclear {
		switch {
		case missing >= len(unclear):
			w.err = errNotMatched
		case missing > 0:
			w.err = &repo.UnknownError{Op: fmt.Sprintf("%s on %s", w.fence, w.key.id), Err: errOvertaken}
		}
	}
	return nil
}

// parallelWrites is how many single writes are under way at once.
const parallelWrites = 8

// singly sends each write in a command of its own. A session takes one command
// at a time.
func (r *Repository[T]) singly(ctx context.Context, writes []*write[T]) error {
	workers := min(parallelWrites, len(writes))
	if mongo.SessionFromContext(ctx) != nil {
		workers = 1
	}
	return inParallel(workers, writes, func(w *write[T]) error {
		err := r.alone(ctx, w)
		var we mongo.BulkWriteException
		switch {
		case errors.Is(err, errNotMatched), errors.Is(err, repo.ErrUnknown):
			w.err = err
		case errors.As(err, &we) && we.WriteConcernError == nil:
			w.err = err
		default:
			return err
		}
		return nil
	})
}

func undoAll[T any](writes []*write[T]) {
	for _, w := range writes {
		w.undo()
	}
}

// lastOfEach lists the indexes of the elements to write: of those with the
// same key only the last. An unordered bulk write has no last one.
func (r *Repository[T]) lastOfEach(es []*T) []int {
	last := make(map[any]int, len(es))
	for i, e := range es {
		last[r.identity(e)] = i
	}
	list := make([]int, 0, len(last))
	for i, e := range es {
		if last[r.identity(e)] == i {
			list = append(list, i)
		}
	}
	return list
}
