package mongorepo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/repo"
)

// Delete deletes or marks the entities; see repo.Repository. Those that a
// *repo.BatchError does not name are deleted.
func (r *Repository[T]) Delete(ctx context.Context, es ...*T) error {
	return wrap(ctx, "delete", r.delete(ctx, es))
}

func (r *Repository[T]) delete(ctx context.Context, es []*T) error {
	if err := done(ctx); err != nil {
		return err
	}
	if err := repo.CheckEntities(es); err != nil {
		return err
	}
	keys := make([]keyed, len(es))
	for i, e := range es {
		id, err := r.idOf(r.ent.KeyOf(valueOf(e)))
		if err != nil {
			return err
		}
		keys[i] = keyed{id, keyText(id)}
	}
	if r.ent.Version == nil {
		_, err := r.deleteKeys(ctx, keys)
		return err
	}
	return r.deleteVersions(ctx, es, keys)
}

// deleteVersions deletes each entity on condition of its version. What is
// still there afterwards has another one.
func (r *Repository[T]) deleteVersions(ctx context.Context, es []*T, keys []keyed) error {
	if len(es) == 0 {
		return nil
	}
	mark, err := r.mark()
	if err != nil {
		return err
	}
	models := make([]mongo.WriteModel, len(es))
	for i, e := range es {
		filter := and(byID(keys[i].id), r.live(), r.versioned(r.ent.VersionOf(valueOf(e))))
		if mark == nil {
			models[i] = mongo.NewDeleteOneModel().SetFilter(filter)
		} else {
			models[i] = mongo.NewUpdateOneModel().SetFilter(filter).SetUpdate(mark)
		}
	}
	res, err := r.coll.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	if err != nil {
		return err
	}
	if !res.Acknowledged || res.DeletedCount+res.MatchedCount == int64(len(es)) {
		return nil
	}
	left, err := r.loadAll(ctx, keys, r.live())
	if err != nil {
		return fmt.Errorf("finding out what was not deleted: %w", err)
	}
	var bad []*repo.ItemError
	for i, e := range es {
		if s, ok := left[keys[i].cmp]; ok {
			err := fmt.Errorf("%w: version %d is stored, not %d", repo.ErrStale, r.ent.VersionOf(valueOf(s)), r.ent.VersionOf(valueOf(e)))
			bad = append(bad, &repo.ItemError{Index: i, ID: r.shownID(e), Err: err})
		}
	}
	if len(bad) > 0 {
		return &repo.BatchError{Items: bad}
	}
	return nil
}

// DeleteByID deletes or marks the entity with the id; see repo.Repository.
func (r *Repository[T]) DeleteByID(ctx context.Context, id any) error {
	if err := done(ctx); err != nil {
		return wrap(ctx, "delete by id", err)
	}
	k, err := r.keyFrom(id)
	if err != nil {
		return wrap(ctx, "delete by id", err)
	}
	_, err = r.deleteKeys(ctx, []keyed{k})
	return wrap(ctx, "delete by id", err)
}

// DeleteAllByID deletes or marks the entities with the ids and returns how
// many there were; see repo.Repository. A bad id is reported in a
// *repo.BatchError, and then nothing is deleted. Beside another error the
// number tells how many are known to be deleted.
func (r *Repository[T]) DeleteAllByID(ctx context.Context, ids []any) (int64, error) {
	if err := done(ctx); err != nil {
		return 0, wrap(ctx, "delete all by id", err)
	}
	keys, err := r.keysFrom(ids)
	if err != nil {
		return 0, wrap(ctx, "delete all by id", err)
	}
	n, err := r.deleteKeys(ctx, keys)
	return n, wrap(ctx, "delete all by id", err)
}

func (r *Repository[T]) deleteKeys(ctx context.Context, keys []keyed) (total int64, err error) {
	mark, err := r.mark()
	if err != nil {
		return 0, err
	}
	for len(keys) > 0 {
		part := keys[:min(len(keys), idsPerQuery)]
		keys = keys[len(part):]
		n, err := r.deletePart(ctx, and(byIDs(part), r.live()), mark)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func (r *Repository[T]) deletePart(ctx context.Context, filter, mark bson.D) (int64, error) {
	if mark == nil {
		res, err := r.coll.DeleteMany(ctx, filter)
		if err != nil {
			return 0, err
		}
		return res.DeletedCount, nil
	}
	res, err := r.coll.UpdateMany(ctx, filter, mark)
	if err != nil {
		return 0, err
	}
	return res.MatchedCount, nil
}

// mark is the update that marks a document as deleted; nil where documents are
// removed.
func (r *Repository[T]) mark() (bson.D, error) {
	if r.ent.Deleted == nil {
		return nil, nil
	}
	now := r.now()
	var e T
	r.ent.SetDeleted(valueOf(&e), &now)
	v, err := r.codec.value(r.ent.Deleted.Value(valueOf(&e)).Interface())
	if err != nil {
		return nil, err
	}
	return updateOf(bson.D{{Key: r.layout.deleted, Value: v}}, nil), nil
}
