package mongorepo

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/fence"
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
	// read tells that the entity is the stored one with changes, its times too.
	read bool
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
	raised, fence fence.Claims
	// renewed tells that fence was refused once, by the epoch alone.
	renewed bool
	// stone is the fence of the tombstone in whose place it is written; nil for none.
	stone bson.Raw
	undo  func()

	// sent counts how often it was sent, and shared tells that it was with others.
	sent   int
	shared bool
	// lost tells that the answer was lost, err what went wrong.
	lost bool
	err  error
	// done tells of a write that was prepared with others that it was written.
	done bool
}

// model is w as a part of a bulk write. A document that was raised when it was
// read must still have the same claims, and not even later ones of
// the same hold; a blind write asks the document to accept its own.
func (w *write[T]) model() mongo.WriteModel {
	guard := w.fence.Accept()
	if len(w.raised) > 0 {
		guard = w.raised.Equal()
	}
	filter := command.And(w.filter, guard)
	switch {
	case w.stone != nil:
		stone := bson.D{{Key: fence.Field, Value: bson.D{{Key: "$eq", Value: w.stone}}}}
		return mongo.NewReplaceOneModel().SetFilter(command.And(byID(w.key.id), stone)).SetReplacement(command.And(w.whole, w.fence.Field(w.stone)))
	case w.insert:
		return mongo.NewInsertOneModel().SetDocument(command.And(w.whole, w.fence.Field(nil)))
	case w.update == nil:
		return mongo.NewReplaceOneModel().SetFilter(filter).SetReplacement(command.And(w.whole, w.fence.Field(w.old))).SetUpsert(!w.keepGone)
	default:
		return mongo.NewUpdateOneModel().SetFilter(filter).SetUpdate(withSet(w.update, w.fence.Set())).SetUpsert(!w.keepGone)
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
			out[i].Value = command.And(op.Value.(bson.D), more)
			return out
		}
	}
	return append(out, bson.E{Key: "$set", Value: more})
}
