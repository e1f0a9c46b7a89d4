package mongorepo

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
)

// Update reads the entity with the id, calls fn with it and writes what fn
// changed, on condition that the document is still as it was read: the version
// field decides where there is one, else the whole document. When it is not,
// Update starts over, so no update is lost. What fn does to the version, the
// times and the deletion mark is ignored; a changed key is repo.ErrInvalid. In
// a transaction a document that changed is repo.ErrStale at once. See
// repo.Updater.
func (r *Repository[T]) Update(ctx context.Context, id any, fn func(*T) error) (*T, error) {
	if fn == nil {
		return nil, wrap(ctx, "update", fmt.Errorf("%w: nil function", repo.ErrInvalid))
	}
	if err := driver.Ended(ctx); err != nil {
		return nil, wrap(ctx, "update", err)
	}
	k, err := r.keyFrom(id)
	if err != nil {
		return nil, wrap(ctx, "update", err)
	}
	for try := range updateTries {
		e, err := r.updateOnce(ctx, k, fn)
		own, byFn := errors.AsType[*fnError](err)
		switch {
		case err == nil:
			return e, nil
		case byFn:
			return nil, own.err
		case !errors.Is(err, errNotMatched):
			return nil, wrap(ctx, "update", err)
		case r.TxState(ctx) != driver.TxNone:
			return nil, wrap(ctx, "update", fmt.Errorf("%w: %w", repo.ErrStale, err))
		}
		if err := pause(ctx, try); err != nil {
			return nil, wrap(ctx, "update", err)
		}
	}
	return nil, wrap(ctx, "update", fmt.Errorf("%w: given up after %d tries", repo.ErrStale, updateTries))
}

func (r *Repository[T]) updateOnce(ctx context.Context, k keyed, fn func(*T) error) (*T, error) {
	s, err := r.load(ctx, k, r.fresh)
	if err != nil {
		return nil, err
	}
	e := s.e
	was, err := r.encode(e)
	if err != nil {
		return nil, err
	}
	restore := r.keepDuties(e)
	if err := fn(e); err != nil {
		return nil, &fnError{err}
	}
	if id, err := r.idOf(r.ent.KeyOf(valueOf(e))); err != nil || keyText(id) != keyText(was.id) {
		return nil, fmt.Errorf("%w: the key was changed", repo.ErrInvalid)
	}
	restore(e)
	w, err := r.changeOf(ctx, e, was, s.raw, 0, true)
	if err != nil || w == nil {
		return e, err
	}
	if r.ent.Version == nil {
		if w.filter, err = unchanged(s.raw); err != nil {
			return nil, err
		}
	}
	w.old, w.raised = s.fence, s.raised
	if w.fence, err = r.fence.Claims(ctx); err != nil {
		return nil, err
	}
	if _, err := r.send(ctx, []*write[T]{w}); err != nil {
		return nil, err
	}
	r.settle(ctx, []*write[T]{w})
	switch {
	case w.err == nil:
		r.onRollback(ctx, w.undo)
		return e, nil
	case command.IsDuplicateKey(w.err):
		return nil, fmt.Errorf("%w: %w", repo.ErrDuplicateKey, w.err)
	default:
		return nil, w.err
	}
}
