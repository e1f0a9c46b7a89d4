package mongorepo

import (
	"fmt"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/fence"
)

// nothing is a filter that no document satisfies.
func nothing() bson.D { return in("_id", bson.A{}) }

func in(path string, list bson.A) bson.D {
	return bson.D{{Key: path, Value: bson.D{{Key: "$in", Value: list}}}}
}

func test(path, op string, v any) bson.D {
	return bson.D{{Key: path, Value: bson.D{{Key: op, Value: v}}}}
}

// live leaves out documents that are marked as deleted, and tombstones. A
// document without the field is not marked.
func (r *Repository[T]) live() bson.D {
	switch {
	case r.ent.Deleted == nil:
		return r.standing()
	case r.deletedDoc:
		return bson.D{{Key: r.layout.deleted + ".valid", Value: bson.D{{Key: "$ne", Value: true}}}}
	default:
		return bson.D{{Key: r.layout.deleted, Value: nil}}
	}
}

// versioned asks for a stored version. A document without one has version 0,
// as it has when it is decoded.
func (r *Repository[T]) versioned(version int64) bson.D {
	switch {
	case r.ent.Version == nil:
		return nil
	case version == 0:
		return in(r.layout.version, bson.A{0, nil})
	default:
		return bson.D{{Key: r.layout.version, Value: version}}
	}
}

func byID(id bson.RawValue) bson.D { return bson.D{{Key: "_id", Value: id}} }

func byIDs(keys []keyed) bson.D {
	return in("_id", lo.Map(keys, func(k keyed, _ int) any { return k.id }))
}

// standing leaves out tombstones.
func (r *Repository[T]) standing() bson.D {
	if !r.leavesTombstones() {
		return nil
	}
	return fence.NotGone()
}

// leavesTombstones tells whether a deletion leaves a tombstone. A mark of deletion is
// one already.
func (r *Repository[T]) leavesTombstones() bool { return r.opts.Tombstones && r.ent.Deleted == nil }

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
