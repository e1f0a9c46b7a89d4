package mongorepo

import (
	"context"
	"time"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo/internal/actor"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
)

// prepare decides how e is saved and puts the key, the version and the times
// into it. On an error e is as it was.
func (r *Repository[T]) prepare(ctx context.Context, index int, e *T, now time.Time) (*write[T], error) {
	v := valueOf(e)
	w := &write[T]{index: index, e: e, shown: r.shownID(e), version: r.ent.VersionOf(v), undo: r.remember(e)}
	w.insert = r.ent.IsNew(v.Addr(), r.unnumbered(e))
	w.unsure = w.insert && r.ent.MayBeRead(e, r.unnumbered(e))
	w.keepGone = w.version != 0
	err := r.assignKey(ctx, e)
	if err == nil {
		r.ent.SetVersion(v, w.version+1)
		if w.insert {
			r.ent.SetVersion(v, r.firstVersion())
		}
		r.ent.SetDeleted(v, nil)
		if err = r.ent.Stamp(v, now, actor.From(ctx)); err == nil {
			err = r.compose(w)
		}
	}
	if err != nil {
		w.undo()
		return nil, err
	}
	return w, nil
}

func (r *Repository[T]) firstVersion() int64 {
	if r.opts.VersionFromZero {
		return 0
	}
	return 1
}

// overRead makes of an insert the overwriting of the entity that is stored.
func (r *Repository[T]) overRead(w *write[T], s *loaded[T]) error {
	w.insert, w.unsure, w.keepGone = false, w.unnamed, true
	w.version = r.ent.VersionOf(valueOf(s.e))
	r.ent.SetVersion(valueOf(w.e), w.version+1)
	return r.compose(w)
}

// wasMeant tells whether an insert is meant to overwrite what is stored: one that has
// no version, for then it is that one which was read, and any where the document
// names none.
func (r *Repository[T]) wasMeant(w *write[T], s *loaded[T]) bool {
	return w.unsure && r.alive(s) && (w.unnamed || r.ent.VersionOf(valueOf(s.e)) == 0)
}

// compose makes the documents of w from its entity.
func (r *Repository[T]) compose(w *write[T]) error {
	doc, err := r.encode(w.e)
	if err != nil {
		return err
	}
	w.key = keyedBy(doc.id)
	w.whole = doc.whole()
	if w.insert {
		return nil
	}
	w.filter = command.And(byID(doc.id), r.shardOf(doc), r.live(), r.versioned(w.version))
	if r.layout.opaque {
		return nil
	}
	w.update = command.SetUnset(r.layout.replacement(doc))
	if created := doc.at(r.layout.created); len(created) > 0 && !w.keepGone {
		w.update = append(w.update, bson.E{Key: "$setOnInsert", Value: created})
	}
	if len(w.update) == 0 { // nothing but a key: the server wants an operator
		w.update = bson.D{{Key: "$setOnInsert", Value: bson.D{{Key: "_id", Value: doc.id}}}}
	}
	return nil
}

// shardOf asks for the shard key of a document, without which a sharded collection
// takes no upsert. An absent field is null there.
func (r *Repository[T]) shardOf(doc *document) bson.D {
	return lo.Map(r.layout.shard, func(path string, _ int) bson.E {
		if v, ok := doc.lookup(path); ok {
			return bson.E{Key: path, Value: v}
		}
		return bson.E{Key: path, Value: nil}
	})
}
