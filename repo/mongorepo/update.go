package mongorepo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// Update starts over at most this often. Each time somebody else has saved the
// entity, so only a document that never equals itself gets here.
const (
	updateTries  = 1000
	longestPause = 20 * time.Millisecond
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
	if err := done(ctx); err != nil {
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

// fnError is an error of the caller's function, which goes back as it is.
type fnError struct{ err error }

func (e *fnError) Error() string { return e.err.Error() }

// Unwrap lets the driver find the label that asks for another try.
func (e *fnError) Unwrap() error { return e.err }

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
	w, err := r.changeOf(e, was, s.raw, 0, true)
	if err != nil || w == nil {
		return e, err
	}
	if r.ent.Version == nil {
		if w.filter, err = unchanged(s.raw); err != nil {
			return nil, err
		}
	}
	w.old, w.raised = s.fence, s.raised
	if w.fence, err = r.claims(ctx); err != nil {
		return nil, err
	}
	switch err := r.alone(ctx, w); {
	case err == nil:
		r.onRollback(ctx, w.undo)
		return e, nil
	case isDuplicateKey(err):
		return nil, fmt.Errorf("%w: %w", repo.ErrDuplicateKey, err)
	default:
		return nil, err
	}
}

// changeOf makes the write that takes an entity, which is stored as raw, from was
// to what e is now, and sets the version and the time of change. It is nil when nothing
// differs; with touch a new version or time is a difference.
func (r *Repository[T]) changeOf(e *T, was *document, raw bson.Raw, index int, touch bool) (*write[T], error) {
	now, err := r.encode(e)
	if err != nil {
		return nil, err
	}
	if !touch && r.layout.same(was, now) {
		return nil, nil
	}
	v := valueOf(e)
	w := &write[T]{index: index, e: e, shown: r.shownID(e), version: r.ent.VersionOf(v), keepGone: true, undo: r.remember(e)}
	r.ent.SetVersion(v, w.version+1)
	for _, f := range r.ent.Updated {
		f.SetTime(v, r.now())
	}
	if now, err = r.encode(e); err != nil {
		return nil, err
	}
	if r.layout.same(was, now) {
		return nil, nil
	}
	w.key = keyedBy(now.id)
	w.filter = and(byID(now.id), r.live(), r.versioned(w.version))
	w.whole = now.whole()
	if !r.layout.opaque {
		w.update = updateOf(r.layout.difference(was, now, raw))
	}
	return w, nil
}

// unchanged is a filter for the document as it is in raw, every field of it.
func unchanged(raw bson.Raw) (bson.D, error) {
	elems, err := elements(raw)
	if err != nil {
		return nil, err
	}
	filter := make(bson.D, len(elems))
	for i, el := range elems {
		if !isPlain(el.Key) {
			return nil, fmt.Errorf("%w: the document has the field %q, which no condition can name: without a version field it cannot be seen whether it changed", repo.ErrUnsupported, el.Key)
		}
		// $eq, because a bare regular expression would be a pattern.
		filter[i] = bson.E{Key: el.Key, Value: bson.D{{Key: "$eq", Value: el.Value}}}
	}
	return filter, nil
}

// keepDuties returns a function that gives an entity the key, the version, the
// times and the deletion mark that e has now.
func (r *Repository[T]) keepDuties(e *T) func(*T) {
	type kept struct {
		f   *entity.Field
		val reflect.Value
	}
	var list []kept
	for _, f := range slices.Concat([]*entity.Field{r.ent.Version, r.ent.Deleted}, r.ent.Created, r.ent.Updated, r.ent.Key) {
		if f == nil {
			continue
		}
		val := reflect.New(f.Type).Elem()
		if v := f.Value(valueOf(e)); v.IsValid() {
			val.Set(v)
		}
		list = append(list, kept{f, val})
	}
	return func(to *T) {
		for _, k := range list {
			k.f.Reach(valueOf(to)).Set(k.val)
		}
	}
}

// pause waits a random while that grows with the tries, so that many updaters
// of one document get out of each other's way.
func pause(ctx context.Context, try int) error {
	longest := min(time.Millisecond<<min(try, 10), longestPause)
	timer := time.NewTimer(rand.N(longest))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return done(ctx)
	}
}
