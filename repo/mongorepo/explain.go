package mongorepo

import (
	"context"
	"errors"
	"fmt"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/fence"
)

// sendTries bounds how often a save is sent: once more after it raced with another
// one that inserted the same key, and so on.
const sendTries = 4

// explain turns what the server said of failed writes into the errors of the
// contract, and returns those to send again, now that it is known what is
// stored. A conditional write that did not find its document tried to insert it, if it
// may, and broke the index on _id: what is stored now says why. An insert can have met
// the claim of a newer holder, or a tombstone. Of the writes that were sent together
// so many as are missing found no document.
func (r *Repository[T]) explain(ctx context.Context, writes []*write[T], missing int) (again []*write[T], err error) {
	if missing > 0 {
		if err := r.noteMissing(ctx, writes, missing); err != nil {
			return nil, err
		}
	}
	unclear := lo.Filter(writes, func(w *write[T], _ int) bool {
		plain := w.insert && len(w.fence) == 0 && !r.leavesTombstones() && !w.unsure
		if command.IsDuplicateKey(w.err) && plain {
			w.err = fmt.Errorf("%w: %w", repo.ErrDuplicateKey, w.err)
			return false
		}
		return command.IsDuplicateKey(w.err) || errors.Is(w.err, errNotMatched)
	})
	if len(unclear) == 0 {
		return nil, nil
	}
	found, err := r.storedNow(ctx, unclear, abortedBy(writes))
	if err != nil {
		return nil, fmt.Errorf("finding out why %d writes failed: %w", len(unclear), err)
	}
	if err := r.renewRefused(ctx, unclear, found); err != nil {
		return nil, err
	}
	for _, w := range unclear {
		w.err = r.reason(w, found[w.key.cmp])
	}
	// A failed write has aborted the transaction that it was in.
	if mongo.SessionFromContext(ctx) != nil {
		return nil, nil
	}
	return r.repeatable(unclear, found)
}

// repeatable are the writes to send again.
func (r *Repository[T]) repeatable(writes []*write[T], found map[string]*loaded[T]) (again []*write[T], err error) {
	for _, w := range writes {
		if w.sent >= sendTries {
			continue
		}
		repeat, err := r.prepareAgain(w, found[w.key.cmp])
		if err != nil {
			return nil, err
		}
		if repeat {
			again = append(again, w)
		}
	}
	return again, nil
}

// reason says why a write was refused, where s is stored under its key.
func (r *Repository[T]) reason(w *write[T], s *loaded[T]) error {
	kind := repo.ErrDuplicateKey
	if errors.Is(w.err, errNotMatched) {
		// Gone, or gone and back in the same version since, or written by a later
		// call under the same hold.
		kind = fmt.Errorf("%w: the entity is gone or was changed", repo.ErrStale)
	}
	if s != nil {
		if refused := r.fence.RefusedBy(w.fence, s.fence); refused != nil {
			kind = refused
		} else if s.e != nil && !w.insert {
			kind = r.conflict(w, s, kind)
		}
	}
	return fmt.Errorf("%w: %w", kind, w.err)
}

// conflict says why an entity did not let itself be overwritten, else what else is the
// reason.
func (r *Repository[T]) conflict(w *write[T], s *loaded[T], otherwise error) error {
	switch {
	case r.ent.IsDeleted(valueOf(s.e)):
		return fmt.Errorf("%w: the entity is marked as deleted", repo.ErrNotFound)
	case r.ent.Version != nil && r.ent.VersionOf(valueOf(s.e)) != w.version:
		return r.stale(s, w.version)
	}
	return otherwise
}

// prepareAgain changes a refused write so that it can be sent again, where that is
// what it was meant to do: in the place of a tombstone, over the entity that it was
// read from, with new claims, or over what another writer inserted first.
func (r *Repository[T]) prepareAgain(w *write[T], s *loaded[T]) (bool, error) {
	renewed := w.renewed
	w.renewed = false
	switch {
	case s == nil, fence.IsRefusal(w.err):
		return false, nil
	case s.e == nil:
		w.stone = s.fence
		return !w.keepGone, nil
	case r.wasMeant(w, s):
		return true, r.overRead(w, s)
	case w.insert, errors.Is(w.err, repo.ErrNotFound), errors.Is(w.err, errNotMatched) && !renewed, errors.Is(w.err, repo.ErrStale) && !renewed:
		return false, nil
	}
	return renewed || command.OnID(w.err), nil
}

// abortedBy tells whether one of the writes has failed, which aborts a transaction.
func abortedBy[T any](writes []*write[T]) bool {
	return lo.SomeBy(writes, func(w *write[T]) bool { return w.err != nil && !errors.Is(w.err, errNotMatched) })
}

// noteMissing finds the writes that found no document to change, of which there
// are so many: those whose document went away before them, and those that were
// raised and do not show their claims. A document that a newer holder has raised
// since tells nothing, unless there are as many of them as are missing, or none
// is.
func (r *Repository[T]) noteMissing(ctx context.Context, writes []*write[T], missing int) error {
	asked := lo.Filter(writes, func(w *write[T], _ int) bool { return w.shared && w.err == nil && w.keepGone && !w.insert })
	found, err := r.storedNow(ctx, asked, abortedBy(writes))
	if err != nil {
		return fmt.Errorf("finding out what was not written: %w", err)
	}
	var unclear []*write[T]
	for _, w := range asked {
		s := found[w.key.cmp]
		switch {
		case len(w.raised) == 0 && r.alive(s), s != nil && len(w.raised) > 0 && w.fence.StoredIn(s.fence):
		case s != nil && len(w.raised) > 0 && w.fence.RefusedBy(s.fence):
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
			w.err = &repo.UnknownError{Op: fmt.Sprintf("%s on %s", w.fence, w.key.id), Err: fence.ErrOvertaken}
		}
	}
	return nil
}

// storedNow reads what is stored under the keys of the writes. In a transaction
// that a failed write has aborted nothing can be read, so this reads outside.
func (r *Repository[T]) storedNow(ctx context.Context, writes []*write[T], aborted bool) (map[string]*loaded[T], error) {
	if aborted {
		ctx = command.Outside(ctx)
	}
	keys := lo.Map(writes, func(w *write[T], _ int) keyed { return w.key })
	return r.loadStored(ctx, nil, keys, r.fresh)
}

// renewRefused gives blind writes that were refused new claims, when the epoch
// of this process was an old one.
func (r *Repository[T]) renewRefused(ctx context.Context, writes []*write[T], found map[string]*loaded[T]) error {
	refused := lo.Filter(writes, func(w *write[T], _ int) bool {
		s := found[w.key.cmp]
		return s != nil && len(w.raised) == 0 && w.fence.RefusedBy(s.fence)
	})
	if len(refused) == 0 || mongo.SessionFromContext(ctx) != nil {
		return nil
	}
	again, err := r.fence.Renewed(ctx, refused[0].fence)
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
