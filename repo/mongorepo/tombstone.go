package mongorepo

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/fence"
)

// entomb replaces the document by a tombstone, and tells whether there was one to
// delete.
func (r *Repository[T]) entomb(ctx context.Context, cs fence.Claims, d *deletion) (bool, error) {
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
		switch done, err := r.entombAsRead(ctx, s, d); {
		case err != nil:
			return false, err
		case done:
			return true, nil
		}
		if err := pause(ctx, try); err != nil {
			return false, err
		}
		if cs, err = r.fence.Claims(ctx); err != nil {
			return false, err
		}
	}
	return false, fmt.Errorf("%w: given up after %d tries", repo.ErrStale, updateTries)
}

// entombAsRead does it unless the document has changed since it was read. The
// claims of the next attempt tell afterwards whether it was done.
func (r *Repository[T]) entombAsRead(ctx context.Context, s *loaded[T], d *deletion) (bool, error) {
	cs, err := r.fence.Claims(ctx)
	if err != nil {
		return false, err
	}
	filter, err := unchanged(s.raw)
	if err != nil {
		return false, err
	}
	res, err := r.on(cs).ReplaceOne(ctx, filter, cs.Tombstone(s.fence, r.now()))
	if err != nil {
		err = r.settleDeletions(ctx, cs, []*deletion{d}, err)
		if err == nil {
			err, d.err = d.err, nil
		}
		return err == nil, err
	}
	return !res.Acknowledged || res.MatchedCount == 1, nil
}

// PruneTombstones removes the tombstones of entities that were deleted longer
// than olderThan ago, and returns how many; see Options.Tombstones. A write of
// a holder that was delayed for longer than that can bring an entity back, so
// choose days. It returns repo.ErrInvalid for an age of zero or less.
func (r *Repository[T]) PruneTombstones(ctx context.Context, olderThan time.Duration) (int64, error) {
	if olderThan <= 0 {
		return 0, wrap(ctx, "prune tombstones", fmt.Errorf("%w: age %s", repo.ErrInvalid, olderThan))
	}
	if err := driver.Ended(ctx); err != nil {
		return 0, wrap(ctx, "prune tombstones", err)
	}
	res, err := r.firm.DeleteMany(ctx, fence.GoneBefore(r.now().Add(-olderThan)))
	if err != nil {
		return 0, wrap(ctx, "prune tombstones", err)
	}
	return res.DeletedCount, nil
}
