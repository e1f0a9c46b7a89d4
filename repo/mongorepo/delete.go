package mongorepo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/fence"
)

// Delete deletes or marks the entities; see repo.Repository. Those that a
// *repo.BatchError does not name are deleted.
func (r *Repository[T]) Delete(ctx context.Context, es ...*T) error {
	return wrap(ctx, "delete", r.delete(ctx, es))
}

func (r *Repository[T]) delete(ctx context.Context, es []*T) error {
	if err := driver.Ended(ctx); err != nil {
		return err
	}
	if err := driver.CheckEntities(es); err != nil {
		return err
	}
	list := make([]*deletion, len(es))
	for i, e := range es {
		id, err := r.idOf(r.ent.KeyOf(valueOf(e)))
		if err != nil {
			return err
		}
		list[i] = &deletion{keyed: keyedBy(id), shown: r.shownID(e)}
		list[i].index = i
		if r.ent.Version != nil {
			version := r.ent.VersionOf(valueOf(e))
			list[i].version = &version
		}
	}
	_, err := r.deleteAll(ctx, list)
	return err
}

// DeleteByID deletes or marks the entity with the id; see repo.Repository.
func (r *Repository[T]) DeleteByID(ctx context.Context, id any) error {
	if err := driver.Ended(ctx); err != nil {
		return wrap(ctx, "delete by id", err)
	}
	k, err := r.keyFrom(id)
	if err != nil {
		return wrap(ctx, "delete by id", err)
	}
	_, err = r.deleteAll(ctx, []*deletion{{keyed: k}})
	if batch, ok := errors.AsType[*repo.BatchError](err); ok {
		err = batch.Items[0].Err
	}
	return wrap(ctx, "delete by id", err)
}

// DeleteAllByID deletes or marks the entities with the ids and returns how
// many there were; see repo.Repository. A bad id is reported in a
// *repo.BatchError, and then nothing is deleted. With another error, and
// where an answer was lost and the documents are found to be gone, the number
// tells how many are known to be deleted.
func (r *Repository[T]) DeleteAllByID(ctx context.Context, ids []any) (int64, error) {
	if err := driver.Ended(ctx); err != nil {
		return 0, wrap(ctx, "delete all by id", err)
	}
	keys, err := r.keysFrom(ids)
	if err != nil {
		return 0, wrap(ctx, "delete all by id", err)
	}
	list := make([]*deletion, len(keys))
	for i, k := range keys {
		list[i] = &deletion{keyed: k}
	}
	n, err := r.deleteAll(ctx, list)
	return n, wrap(ctx, "delete all by id", err)
}

// deleteAll deletes all and names those that it could not. When the claims were
// refused because the epoch was an old one, it goes on with new claims.
func (r *Repository[T]) deleteAll(ctx context.Context, list []*deletion) (total int64, err error) {
	defer func() {
		if err != nil && total > 0 {
			r.spoil(ctx, err)
		}
	}()
	cs, err := r.fence.Claims(ctx)
	if err != nil {
		return 0, err
	}
	all := list
	for len(list) > 0 {
		n, err := r.deleteUnder(ctx, cs, list)
		total += n
		if err != nil {
			return total, err
		}
		list = slices.DeleteFunc(slices.Clone(list), func(d *deletion) bool { return !fence.IsRefusal(d.err) })
		if len(list) == 0 {
			break
		}
		if cs, err = r.fence.Renewed(ctx, cs); err != nil {
			return total, err
		}
		if cs == nil {
			break
		}
		for _, d := range list {
			d.err = nil
		}
	}
	var bad []*repo.ItemError
	for _, d := range all {
		if d.err != nil {
			bad = append(bad, &repo.ItemError{Index: d.index, ID: d.shown, Err: d.err})
		}
	}
	if len(bad) > 0 {
		return total, &repo.BatchError{Items: bad}
	}
	return total, nil
}

// deleteUnder deletes what accepts the claims and notes the errors of the
// others.
func (r *Repository[T]) deleteUnder(ctx context.Context, cs fence.Claims, list []*deletion) (total int64, err error) {
	if r.leavesTombstones() {
		return r.entombAll(ctx, cs, list)
	}
	mark, err := r.mark(cs)
	if err != nil {
		return 0, err
	}
	for part := range parts(list) {
		if err := driver.Ended(ctx); err != nil { // what is not sent need not be asked about
			return total, err
		}
		send := r.deleteMany
		if part[0].version != nil {
			send = r.deleteVersions
		}
		n, err := send(ctx, cs, part, mark)
		total += n
		if err != nil {
			if err := r.settleDeletions(ctx, cs, part, err); err != nil {
				return total, err
			}
			continue
		}
		if (len(cs) > 0 || part[0].version != nil) && n < int64(len(part)) {
			if err := r.explainDeletions(ctx, cs, part); err != nil {
				return total, err
			}
		}
	}
	return total, nil
}

func (r *Repository[T]) deleteMany(ctx context.Context, cs fence.Claims, list []*deletion, mark bson.D) (int64, error) {
	filter := command.And(byIDs(keysOf(list)), r.live(), cs.Accept())
	if mark == nil {
		res, err := r.on(cs).DeleteMany(ctx, filter)
		if err != nil {
			return 0, err
		}
		return res.DeletedCount, nil
	}
	res, err := r.on(cs).UpdateMany(ctx, filter, mark)
	if err != nil {
		return 0, err
	}
	return res.MatchedCount, nil
}

// deleteVersions deletes each entity on condition of its version.
func (r *Repository[T]) deleteVersions(ctx context.Context, cs fence.Claims, list []*deletion, mark bson.D) (int64, error) {
	models := make([]mongo.WriteModel, len(list))
	for i, d := range list {
		filter := command.And(byID(d.id), r.live(), r.versioned(*d.version), cs.Accept())
		if mark == nil {
			models[i] = mongo.NewDeleteOneModel().SetFilter(filter)
		} else {
			models[i] = mongo.NewUpdateOneModel().SetFilter(filter).SetUpdate(mark)
		}
	}
	res, err := r.on(cs).BulkWrite(ctx, models)
	if err != nil {
		return 0, err
	}
	if !res.Acknowledged { // nothing can be said of any of them
		return int64(len(list)), nil
	}
	return res.DeletedCount + res.MatchedCount, nil
}

// explainDeletions says of those that are still there why: a newer claim, or
// another version.
func (r *Repository[T]) explainDeletions(ctx context.Context, cs fence.Claims, list []*deletion) error {
	left, err := r.loadStored(ctx, nil, keysOf(list), r.fresh)
	if err != nil {
		return fmt.Errorf("finding out what was not deleted: %w", err)
	}
	for _, d := range list {
		s := left[d.cmp]
		if !r.alive(s) {
			continue
		}
		d.err = r.fence.RefusedBy(cs, s.fence)
		if d.err == nil && d.version != nil {
			d.err = r.stale(s, *d.version)
		}
	}
	return nil
}

// entombAll leaves tombstones, several at a time.
func (r *Repository[T]) entombAll(ctx context.Context, cs fence.Claims, list []*deletion) (int64, error) {
	var mu sync.Mutex
	var total int64
	err := inParallel(workers(ctx, len(list)), list, func(d *deletion) error {
		done, err := r.entomb(ctx, cs, d)
		mu.Lock()
		defer mu.Unlock()
		if done {
			total++
		}
		if fence.IsRefusal(err) || errors.Is(err, repo.ErrStale) || errors.Is(err, repo.ErrUnknown) {
			d.err, err = err, nil
		}
		return err
	})
	return total, err
}

// mark is the update that marks a document as deleted; nil where documents are
// removed.
func (r *Repository[T]) mark(cs fence.Claims) (bson.D, error) {
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
	return command.SetUnset(command.And(bson.D{{Key: r.layout.deleted, Value: v}}, cs.Set()), nil), nil
}
