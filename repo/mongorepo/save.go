package mongorepo

import (
	"context"
	"errors"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// Save inserts or overwrites e; see repo.Repository. Fields of the stored
// document that T does not have stay as they are.
func (r *Repository[T]) Save(ctx context.Context, e *T) error {
	return wrap(ctx, "save", single(r.saveAll(ctx, []*T{e}, false)))
}

// single is the error of a list of one, without the list. The cause of a rollback may have
// been another list.
func single(err error) error {
	if errors.Is(err, repo.ErrRolledBack) {
		return err
	}
	if batch, ok := errors.AsType[*repo.BatchError](err); ok {
		return batch.Items[0].Err
	}
	return err
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
	if err := driver.Ended(ctx); err != nil {
		return err
	}
	if err := driver.CheckEntities(es); err != nil {
		return err
	}
	now := r.now()
	var writes []*write[T]
	var bad []*repo.ItemError
	for _, i := range entity.LastOfEach(es, r.identity) {
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
	return r.perform(ctx, writes)
}

// beSure finds out in a transaction which inserts are of entities that were
// read. Elsewhere an insert that fails tells, but that would abort it.
func (r *Repository[T]) beSure(ctx context.Context, writes []*write[T]) error {
	if mongo.SessionFromContext(ctx) == nil {
		return nil
	}
	unsure := lo.Filter(writes, func(w *write[T], _ int) bool { return w.unsure })
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
