package mongorepo

import (
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// write is one entity on its way into the collection.
type write[T any] struct {
	index int
	e     *T
	shown any // the id for errors
	key   keyed
	// version is what must be stored; 0 when the type has none.
	version int64
	insert  bool
	// unsure tells that an insert may as well be of an entity that was read
	// without a version.
	unsure bool
	// unnamed tells of an insert that its document names no version: it overwrites
	// what is stored in any version.
	unnamed bool
	// keepGone tells that a missing document stays missing.
	keepGone bool
	filter   bson.D
	update   bson.D // nil: whole is written
	whole    bson.D
	// old is the fence of the document as it was read.
	old bson.Raw
	// raised are the claims that were stored when the document was read, and
	// must still be there; fence are those that the write stores. Both are none
	// without a fence.
	raised, fence claims
	// renewed tells that fence was refused once, by the epoch alone.
	renewed bool
	undo    func()
	err     error
}

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
		r.ent.Stamp(v, now)
		err = r.compose(w)
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
func (r *Repository[T]) overRead(w *write[T], s *stored[T]) error {
	w.insert, w.unsure, w.keepGone = false, w.unnamed, true
	w.version = r.ent.VersionOf(valueOf(s.e))
	r.ent.SetVersion(valueOf(w.e), w.version+1)
	return r.compose(w)
}

// wasMeant tells whether an insert is meant to overwrite what is stored: one that has
// no version, for then it is that one which was read, and any where the document
// names none.
func (r *Repository[T]) wasMeant(w *write[T], s *stored[T]) bool {
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
	w.filter = and(byID(doc.id), r.shardOf(doc), r.live(), r.versioned(w.version))
	if r.layout.opaque {
		return nil
	}
	w.update = updateOf(r.layout.replacement(doc))
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

// updateOf leaves out empty operators, which older servers refuse.
func updateOf(set, unset bson.D) bson.D {
	var u bson.D
	if len(set) > 0 {
		u = append(u, bson.E{Key: "$set", Value: set})
	}
	if len(unset) > 0 {
		u = append(u, bson.E{Key: "$unset", Value: unset})
	}
	return u
}

// model is w as a part of a bulk write. A document that was raised when it was
// read must still have the same claims, and not even later ones of
// the same hold; a blind write asks the document to accept its own.
func (w *write[T]) model() mongo.WriteModel {
	guard := w.fence.accept()
	if len(w.raised) > 0 {
		guard = w.raised.equal()
	}
	filter := and(w.filter, guard)
	switch {
	case w.insert:
		return mongo.NewInsertOneModel().SetDocument(and(w.whole, w.fence.field(nil)))
	case w.update == nil:
		return mongo.NewReplaceOneModel().SetFilter(filter).SetReplacement(and(w.whole, w.fence.field(w.old))).SetUpsert(!w.keepGone)
	default:
		return mongo.NewUpdateOneModel().SetFilter(filter).SetUpdate(withSet(w.update, w.fence.set())).SetUpsert(!w.keepGone)
	}
}

// withSet adds to what an update sets.
func withSet(update, more bson.D) bson.D {
	if len(more) == 0 {
		return update
	}
	out := slices.Clone(update)
	for i, op := range out {
		if op.Key == "$set" {
			out[i].Value = and(op.Value.(bson.D), more)
			return out
		}
	}
	return append(out, bson.E{Key: "$set", Value: more})
}

// alone writes w as a command of its own, which is the only way to learn of
// one element whether its document was there.
func (r *Repository[T]) alone(ctx context.Context, w *write[T]) error {
	if err := done(ctx); err != nil { // what is not sent need not be asked about
		return err
	}
	res, err := r.on(w.fence).bulkWrite(ctx, []mongo.WriteModel{w.model()})
	if err != nil {
		return r.settle(ctx, w, err)
	}
	if !res.Acknowledged {
		return nil
	}
	if res.InsertedCount+res.MatchedCount+res.UpsertedCount == 0 {
		return errNotMatched
	}
	return nil
}

// remember returns a function that puts the key, the version and the deletion
// mark of e back to what they are now.
func (r *Repository[T]) remember(e *T) func() {
	v := valueOf(e)
	var undo []func()
	for _, f := range append([]*entity.Field{r.ent.Version, r.ent.Deleted}, r.ent.Key...) {
		if f == nil {
			continue
		}
		old := reflect.New(f.Type).Elem()
		if fv := f.Value(v); fv.IsValid() {
			old.Set(fv)
		}
		undo = append(undo, func() {
			if f.Value(v).IsValid() {
				f.Reach(v).Set(old)
			}
		})
	}
	return func() {
		for _, fn := range undo {
			fn()
		}
	}
}
