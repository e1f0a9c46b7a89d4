package mongorepo

import (
	"context"
	"errors"
	"fmt"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/fence"
)

// UpdateWhere assigns to fields of all documents that satisfy the condition, by one
// updateMany; see repo.Writer. After an error some of the documents can be written, unless
// it is repo.ErrInvalid. Under a fence every document is asked for its claims: where one has
// seen newer ones it is repo.ErrFenced, with nothing written but what was refused while it
// went on. Whether an increase leaves its range is asked before; a document that comes to
// it in between is left as it is.
func (r *Repository[T]) UpdateWhere(ctx context.Context, where repo.Condition, set ...repo.Assignment) (int64, error) {
	n, err := r.updateWhere(ctx, where, set)
	return n, wrap(ctx, "update where", err)
}

func (r *Repository[T]) updateWhere(ctx context.Context, where repo.Condition, set []repo.Assignment) (int64, error) {
	if err := driver.Ended(ctx); err != nil {
		return 0, err
	}
	u, err := driver.CompileUpdate(r.ent.Type, where, set)
	if err != nil {
		return 0, err
	}
	filter, err := r.filter(driver.Query{Where: u.Where})
	if err != nil {
		return 0, err
	}
	change, err := r.changing(ctx, u.Changes)
	if err != nil {
		return 0, err
	}
	return r.writeWhere(ctx, filter, change)
}

// DeleteWhere deletes or marks all documents that satisfy the condition, by one command;
// see repo.Writer. After an error some of the documents can be deleted. A fence does with
// it what it does with UpdateWhere. With Options.Tombstones the documents are found first
// and deleted by their ids.
func (r *Repository[T]) DeleteWhere(ctx context.Context, where repo.Condition) (int64, error) {
	n, err := r.deleteWhere(ctx, where)
	return n, wrap(ctx, "delete where", err)
}

func (r *Repository[T]) deleteWhere(ctx context.Context, where repo.Condition) (int64, error) {
	if err := driver.Ended(ctx); err != nil {
		return 0, err
	}
	conds, err := driver.CompileWhere(r.ent.Type, where)
	if err != nil {
		return 0, err
	}
	filter, err := r.filter(driver.Query{Where: conds})
	if err != nil {
		return 0, err
	}
	if r.leavesTombstones() {
		return r.entombWhere(ctx, filter)
	}
	mark, err := r.mark(nil)
	if err != nil {
		return 0, err
	}
	return r.writeWhere(ctx, filter, &changing{update: mark})
}

// entombWhere leaves tombstones.
func (r *Repository[T]) entombWhere(ctx context.Context, filter bson.D) (int64, error) {
	var list []*deletion
	err := r.fresh.Find(ctx, filter, options.Find(), func(raw bson.Raw) error {
		e, err := r.decode(raw)
		if err != nil {
			return err
		}
		id, err := r.idOf(r.ent.KeyOf(valueOf(e)))
		list = append(list, &deletion{keyed: keyedBy(id)})
		return err
	})
	if err != nil {
		return 0, err
	}
	n, err := r.deleteAll(ctx, list)
	return n, single(err)
}

// Restore takes the deletion mark off the documents with the ids; see repo.Writer. After
// an error some of them can be restored.
func (r *Repository[T]) Restore(ctx context.Context, ids ...any) (int64, error) {
	n, err := r.restore(ctx, ids)
	return n, wrap(ctx, "restore", err)
}

func (r *Repository[T]) restore(ctx context.Context, ids []any) (total int64, err error) {
	if err := driver.Ended(ctx); err != nil {
		return 0, err
	}
	if r.ent.Deleted == nil {
		return 0, fmt.Errorf("%w: %s has no deletion mark", repo.ErrInvalid, r.ent.Type)
	}
	keys, err := r.keysFrom(ids)
	if err != nil {
		return 0, err
	}
	change, err := r.changing(ctx, nil)
	if err != nil {
		return 0, err
	}
	set, unset, err := r.assignments(new(T), []*entity.Field{r.ent.Deleted})
	if err != nil {
		return 0, err
	}
	change.update = withSet(change.update, set)
	if len(unset) > 0 {
		change.update = append(change.update, bson.E{Key: "$unset", Value: unset})
	}
	for part := range parts(keys) {
		n, err := r.writeWhere(ctx, both(byIDs(part), r.gone()), change)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// gone asks for documents that are marked as deleted.
func (r *Repository[T]) gone() bson.D {
	if r.deletedDoc {
		return bson.D{{Key: r.layout.deleted + ".valid", Value: true}}
	}
	return test(r.layout.deleted, "$ne", nil)
}

// writeWhere changes the documents that the filter finds, or removes them where there is
// no update.
func (r *Repository[T]) writeWhere(ctx context.Context, filter bson.D, change *changing) (int64, error) {
	cs, err := r.fence.Claims(ctx)
	if err != nil {
		return 0, err
	}
	if cs, err = r.accepted(ctx, cs, filter); err != nil {
		return 0, err
	}
	for _, b := range change.leaves {
		n, err := r.fresh.Count(ctx, both(filter, b.filter))
		if err != nil {
			return 0, err
		}
		if n > 0 {
			return 0, b.err
		}
	}
	if err := driver.Ended(ctx); err != nil {
		return 0, err
	}
	n, err := r.sendWhere(ctx, cs, filter, change)
	if err == nil {
		err = r.left(ctx, cs, filter)
	}
	if err != nil {
		r.spoil(ctx, err)
	}
	return n, err
}

func (r *Repository[T]) sendWhere(ctx context.Context, cs fence.Claims, filter bson.D, change *changing) (n int64, err error) {
	filters := []bson.D{filter, cs.Accept()}
	if len(change.leaves) > 0 {
		filters = append(filters, bson.D{{Key: "$nor", Value: lo.Map(change.leaves, func(b bound, _ int) bson.D { return b.filter })}})
	}
	if change.update == nil {
		var res *mongo.DeleteResult
		if res, err = r.on(cs).DeleteMany(ctx, both(filters...)); err == nil {
			n = res.DeletedCount
		}
	} else {
		var res *mongo.UpdateResult
		if res, err = r.on(cs).UpdateMany(ctx, both(filters...), withSet(change.update, cs.Set())); err == nil {
			n = res.MatchedCount
		}
	}
	switch {
	case err == nil:
	case command.IsDuplicateKey(err):
		err = fmt.Errorf("%w: %w", repo.ErrDuplicateKey, err)
	case canAsk(ctx, cs, err): // but not of documents that nobody has named
		err = &repo.UnknownError{Op: cs.String(), Err: err}
	}
	return n, err
}

// accepted refuses claims that one of the documents does not accept, before the first is
// written. It returns new claims where the epoch was an old one.
func (r *Repository[T]) accepted(ctx context.Context, cs fence.Claims, filter bson.D) (fence.Claims, error) {
	for range raiseTries {
		if len(cs) == 0 {
			break
		}
		refused, err := r.refusedIn(ctx, cs, both(filter, bson.D{{Key: "$nor", Value: bson.A{cs.Accept()}}}))
		if err != nil || refused == nil {
			return cs, err
		}
		again, err := r.fence.Renewed(ctx, cs)
		if err != nil {
			return nil, err
		}
		if again == nil {
			return nil, refused
		}
		cs = again
	}
	return cs, nil
}

// left finds a document that a newer holder has been at since: it was not written.
func (r *Repository[T]) left(ctx context.Context, cs fence.Claims, filter bson.D) error {
	if len(cs) == 0 || mongo.SessionFromContext(ctx) != nil { // which sees nothing newer
		return nil
	}
	refused, err := r.refusedIn(ctx, cs, both(filter, bson.D{{Key: "$nor", Value: bson.A{cs.Accept(), cs.Equal()}}}))
	if err != nil {
		return fmt.Errorf("finding out what was not written: %w", err)
	}
	return refused
}

// refusedIn is why a document that the filter finds refuses the claims, if there is one.
func (r *Repository[T]) refusedIn(ctx context.Context, cs fence.Claims, filter bson.D) (refused, err error) {
	raw, err := r.fresh.FindOne(ctx, filter, options.FindOne().SetProjection(bson.D{{Key: fence.Field, Value: 1}}))
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r.fence.RefusedBy(cs, fence.Of(raw)), nil
}
