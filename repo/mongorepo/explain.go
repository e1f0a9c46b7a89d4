package mongorepo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
)

// errNotMatched marks a write that found no document to change.
var errNotMatched = errors.New("no document matched")

// upsertTries bounds how often a save is sent again after it raced with
// another one that inserted the same key.
const upsertTries = 3

// explain turns what the server said of failed writes into the errors of the
// contract. A conditional write that did not find its document tried to insert
// it, if it may, and broke the index on _id: what is stored now says why. An
// insert can have met the claim of a newer holder, or a tombstone.
func (r *Repository[T]) explain(ctx context.Context, writes []*write[T]) error {
	var unclear []*write[T]
	aborted := false
	for _, w := range writes {
		aborted = aborted || w.err != nil && !errors.Is(w.err, errNotMatched)
		switch {
		case w.err == nil:
		case w.insert && isDuplicateKey(w.err) && len(w.fence) == 0 && !r.buries() && !w.unsure:
			w.err = fmt.Errorf("%w: %w", repo.ErrDuplicateKey, w.err)
		case isDuplicateKey(w.err), errors.Is(w.err, errNotMatched):
			unclear = append(unclear, w)
		}
	}
	if len(unclear) == 0 {
		return nil
	}
	found, err := r.storedNow(ctx, unclear, aborted)
	if err != nil {
		return fmt.Errorf("finding out why %d writes failed: %w", len(unclear), err)
	}
	if err := r.renewRefused(ctx, unclear, found); err != nil {
		return err
	}
	for _, w := range unclear {
		if err := r.explainOne(ctx, w, found[w.key.cmp]); err != nil {
			return err
		}
	}
	return nil
}

// storedNow reads what is stored under the keys of the writes. In a transaction
// that a failed write has aborted nothing can be read, so this reads outside.
func (r *Repository[T]) storedNow(ctx context.Context, writes []*write[T], aborted bool) (map[string]*stored[T], error) {
	if aborted {
		ctx = outside(ctx)
	}
	keys := make([]keyed, len(writes))
	for i, w := range writes {
		keys[i] = w.key
	}
	return r.loadStored(ctx, nil, keys, r.fresh)
}

// renewRefused gives blind writes that were refused new claims, when the epoch
// of this process was an old one.
func (r *Repository[T]) renewRefused(ctx context.Context, writes []*write[T], found map[string]*stored[T]) error {
	var refused []*write[T]
	for _, w := range writes {
		if s := found[w.key.cmp]; s != nil && len(w.raised) == 0 && w.fence.refusedBy(s.fence) != nil {
			refused = append(refused, w)
		}
	}
	if len(refused) == 0 || mongo.SessionFromContext(ctx) != nil {
		return nil
	}
	again, err := r.renewed(ctx, refused[0].fence)
	if errors.Is(err, repo.ErrWrongKey) { // which each of them says by itself
		return nil
	}
	if err != nil || again == nil {
		return err
	}
	for _, w := range refused {
		w.fence, w.renewed = again, true
	}
	return nil
}

func (r *Repository[T]) explainOne(ctx context.Context, w *write[T], s *stored[T]) error {
	cause := w.err
	// A failed write has aborted the transaction that it was in.
	mayRepeat := mongo.SessionFromContext(ctx) == nil
	if s != nil {
		if refused := r.refusedBy(w.fence, s.fence); refused != nil {
			w.err = fmt.Errorf("%w: %w", refused, cause)
			return nil
		}
	}
	switch {
	case s != nil && s.e == nil && mayRepeat && !w.keepGone:
		w.err = r.dig(ctx, w, s)
		return nil
	case s == nil || s.e == nil:
		s = nil
	case mayRepeat && r.wasMeant(w, s):
		return r.writeOverRead(ctx, w, s)
	case w.insert:
	case r.ent.IsDeleted(valueOf(s.e)):
		w.err = fmt.Errorf("%w: the entity is marked as deleted: %w", repo.ErrNotFound, cause)
		return nil
	case r.ent.Version != nil && r.ent.VersionOf(valueOf(s.e)) != w.version:
		w.err = fmt.Errorf("%w: %w", r.stale(s, w.version), cause)
		return nil
	}
	switch {
	case s != nil && w.renewed && w.keepGone && !w.insert:
		w.err = r.alone(ctx, w)
		if errors.Is(w.err, errNotMatched) {
			w.err = fmt.Errorf("%w: another writer was first: %w", repo.ErrStale, w.err)
		}
		return nil
	case errors.Is(cause, errNotMatched):
		// Gone, or gone and back in the same version since, or written by a later
		// call under the same hold.
		w.err = fmt.Errorf("%w: the entity is gone or was changed: %w", repo.ErrStale, cause)
		return nil
	case s != nil && mayRepeat && !w.insert && (onID(cause) || w.renewed):
		return r.again(ctx, w)
	}
	w.err = fmt.Errorf("%w: %w", repo.ErrDuplicateKey, cause)
	return nil
}

// writeOverRead sends an insert again, whose entity was read.
func (r *Repository[T]) writeOverRead(ctx context.Context, w *write[T], s *stored[T]) error {
	if err := r.overRead(w, s); err != nil {
		return err
	}
	switch err := r.alone(ctx, w); {
	case err == nil:
		w.err = nil
	case errors.Is(err, errNotMatched):
		w.err = fmt.Errorf("%w: another writer was first: %w", repo.ErrStale, err)
	case isDuplicateKey(err):
		w.err = fmt.Errorf("%w: %w", repo.ErrDuplicateKey, err)
	default:
		return err
	}
	return nil
}

// again sends an upsert that lost a race for the insert: now there is
// something to update.
func (r *Repository[T]) again(ctx context.Context, w *write[T]) error {
	for range upsertTries {
		err := r.alone(ctx, w)
		if err == nil {
			w.err = nil
			return nil
		}
		if !isDuplicateKey(err) {
			return err
		}
		w.err = err
		if !onID(err) {
			break
		}
	}
	w.err = fmt.Errorf("%w: %w", repo.ErrDuplicateKey, w.err)
	return nil
}

// onID tells whether a duplicate key error speaks of the index on _id.
func onID(err error) bool { return strings.Contains(err.Error(), " _id_ ") }

// readCreated tells entities that were overwritten when they were created.
func (r *Repository[T]) readCreated(ctx context.Context, writes []*write[T]) error {
	if len(r.ent.Created) == 0 || r.layout.opaque {
		return nil
	}
	var keys []keyed
	failed := false
	for _, w := range writes {
		if w.err == nil && !w.insert {
			keys = append(keys, w.key)
		}
		failed = failed || w.err != nil
	}
	// A failed write has aborted the transaction: nothing can be read in it.
	if len(keys) == 0 || failed && mongo.SessionFromContext(ctx) != nil {
		return nil
	}
	found, err := r.loadStored(ctx, nil, keys, r.fresh)
	if err != nil {
		return fmt.Errorf("saved, but the creation times cannot be read: %w", err)
	}
	for _, w := range writes {
		if s := found[w.key.cmp]; s != nil && s.e != nil && !w.insert {
			for _, f := range r.ent.Created {
				if created := f.Value(valueOf(s.e)); created.IsValid() {
					f.Reach(valueOf(w.e)).Set(created)
				}
			}
		}
	}
	return nil
}
