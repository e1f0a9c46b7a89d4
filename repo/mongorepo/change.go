package mongorepo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo/internal/actor"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
)

// changeOf makes the write that takes an entity, which is stored as raw, from was
// to what e is now, and sets the version and the time of change. It is nil when nothing
// differs; with touch a new version or time is a difference.
func (r *Repository[T]) changeOf(ctx context.Context, e *T, was *document, raw bson.Raw, index int, touch bool) (*write[T], error) {
	now, err := r.encode(e)
	if err != nil {
		return nil, err
	}
	if !touch && r.layout.same(was, now) {
		return nil, nil
	}
	v := valueOf(e)
	w := &write[T]{index: index, e: e, shown: r.shownID(e), version: r.ent.VersionOf(v), read: true, keepGone: true, undo: r.remember(e)}
	r.ent.SetVersion(v, w.version+1)
	if err := r.ent.StampUpdated(v, r.now(), actor.From(ctx)); err != nil {
		w.undo()
		return nil, err
	}
	if now, err = r.encode(e); err != nil {
		return nil, err
	}
	if r.layout.same(was, now) {
		return nil, nil
	}
	w.key = keyedBy(now.id)
	w.filter = command.And(byID(now.id), r.live(), r.versioned(w.version))
	w.whole = now.whole()
	if !r.layout.opaque {
		w.update = command.SetUnset(r.layout.difference(was, now, raw))
	}
	return w, nil
}
