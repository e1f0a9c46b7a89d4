package mongorepo

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
)

// goneName marks a tombstone inside the fence with the time of the deletion. No
// claim has this name: theirs are longer.
const goneName = "gone"

func isGone(fence bson.Raw) bool {
	_, err := fence.LookupErr(goneName)
	return err == nil
}

// standing leaves out tombstones.
func (r *Repository[T]) standing() bson.D {
	if !r.buries() {
		return nil
	}
	// A comparison with null would become a field of what an upsert inserts.
	return bson.D{{Key: fenceField + "." + goneName, Value: bson.D{{Key: "$exists", Value: false}}}}
}

// buries tells whether a deletion leaves a tombstone. A mark of deletion is one
// already.
func (r *Repository[T]) buries() bool { return r.opts.Tombstones && r.ent.Deleted == nil }

// bury replaces the document by a tombstone, and tells whether there was one to
// delete.
func (r *Repository[T]) bury(ctx context.Context, cs claims, d *deletion) (bool, error) {
	for try := range updateTries {
		found, err := r.loadStored(ctx, cs, []keyed{d.keyed}, r.fresh)
		if err != nil {
			return false, err
		}
		s := found[d.cmp]
		if !r.alive(s) {
			return false, nil
		}
		if d.version != nil && r.ent.VersionOf(valueOf(s.e)) != *d.version {
			return false, r.stale(s, *d.version)
		}
		switch buried, err := r.buryAsRead(ctx, s, d); {
		case err != nil:
			return false, err
		case buried:
			return true, nil
		}
		if err := pause(ctx, try); err != nil {
			return false, err
		}
		if cs, err = r.claims(ctx); err != nil {
			return false, err
		}
	}
	return false, fmt.Errorf("%w: given up after %d tries", repo.ErrStale, updateTries)
}

// buryAsRead does it unless the document has changed since it was read. The
// claims of the next attempt tell afterwards whether it was done.
func (r *Repository[T]) buryAsRead(ctx context.Context, s *stored[T], d *deletion) (bool, error) {
	cs, err := r.claims(ctx)
	if err != nil {
		return false, err
	}
	filter, err := unchanged(s.raw)
	if err != nil {
		return false, err
	}
	stone := bson.D{{Key: goneName, Value: r.now()}}
	if kept := cs.field(s.fence); len(kept) > 0 {
		stone = and(kept[0].Value.(bson.D), stone)
	}
	res, err := r.on(cs).replaceOne(ctx, filter, bson.D{{Key: fenceField, Value: stone}})
	if err != nil {
		err = r.settleDeletions(ctx, cs, []*deletion{d}, err)
		if err == nil {
			err, d.err = d.err, nil
		}
		return err == nil, err
	}
	return !res.Acknowledged || res.MatchedCount == 1, nil
}

// dig puts an entity in the place of a tombstone as it was read.
func (r *Repository[T]) dig(ctx context.Context, w *write[T], stone *stored[T]) error {
	filter := and(byID(w.key.id), bson.D{{Key: fenceField, Value: bson.D{{Key: "$eq", Value: stone.fence}}}})
	res, err := r.on(w.fence).replaceOne(ctx, filter, and(w.whole, w.fence.field(stone.fence)))
	if isDuplicateKey(err) {
		return fmt.Errorf("%w: %w", repo.ErrDuplicateKey, err)
	}
	if err != nil {
		return r.settle(ctx, w, err)
	}
	if res.Acknowledged && res.MatchedCount == 0 {
		return fmt.Errorf("%w: another writer was first", repo.ErrStale)
	}
	return nil
}

// PruneTombstones removes the tombstones of entities that were deleted longer
// than olderThan ago, and returns how many; see Options.Tombstones. A write of
// a holder that was delayed for longer than that can bring an entity back, so
// choose days. It returns repo.ErrInvalid for an age of zero or less.
func (r *Repository[T]) PruneTombstones(ctx context.Context, olderThan time.Duration) (int64, error) {
	if olderThan <= 0 {
		return 0, wrap(ctx, "prune tombstones", fmt.Errorf("%w: age %s", repo.ErrInvalid, olderThan))
	}
	if err := done(ctx); err != nil {
		return 0, wrap(ctx, "prune tombstones", err)
	}
	res, err := r.firm.deleteMany(ctx, bson.D{{Key: fenceField + "." + goneName, Value: bson.D{{Key: "$lt", Value: r.now().Add(-olderThan)}}}})
	if err != nil {
		return 0, wrap(ctx, "prune tombstones", err)
	}
	return res.DeletedCount, nil
}
