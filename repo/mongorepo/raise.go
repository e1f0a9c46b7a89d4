package mongorepo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/repo"
)

// stored is a document that was read.
type stored[T any] struct {
	e     *T       // nil for a tombstone
	raw   bson.Raw // the document as it is in the store
	fence bson.Raw // nil when it has none
	// raised are the claims that were stored with the read; none without a
	// fence.
	raised claims
}

// seen takes a document apart.
func (r *Repository[T]) seen(raw bson.Raw, raised claims) (*stored[T], error) {
	s := &stored[T]{raw: raw, fence: fenceOf(raw), raised: raised}
	if isGone(s.fence) {
		return s, nil
	}
	var err error
	s.e, err = r.decode(raw)
	return s, err
}

// alive tells whether there is an entity, neither deleted nor marked so.
func (r *Repository[T]) alive(s *stored[T]) bool {
	return s != nil && s.e != nil && !r.ent.IsDeleted(valueOf(s.e))
}

// raiseTries bounds how often a raise starts over because the document came,
// went or became acceptable between its two commands.
const raiseTries = 5

// raise stores the claims in the document with the key and returns it as it is
// then, in one step: from then on no older claim changes it. A document that is
// not there is nil. The read alone would not do: a stale holder's write could
// still come between it and the write that follows.
func (r *Repository[T]) raise(ctx context.Context, cs claims, k keyed) (*stored[T], error) {
	for range raiseTries {
		raw, err := r.on(cs).findOneAndUpdate(ctx, and(byID(k.id), cs.accept()), updateOf(cs.set(), nil),
			options.FindOneAndUpdate().SetReturnDocument(options.After))
		if err == nil {
			return r.seen(raw, cs)
		}
		if !errors.Is(err, mongo.ErrNoDocuments) {
			return nil, err
		}
		raw, err = r.fresh.findOne(ctx, byID(k.id), options.FindOne().SetProjection(bson.D{{Key: fenceField, Value: 1}}))
		if errors.Is(err, mongo.ErrNoDocuments) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if refused := r.refusedBy(cs, fenceOf(raw)); refused != nil {
			again, err := r.renewed(ctx, cs)
			if err != nil {
				return nil, err
			}
			if again == nil {
				return nil, refused
			}
			cs = again
		}
	}
	return nil, fmt.Errorf("%w: the document %s changes all the time", repo.ErrStale, k.id)
}

// raiseAll raises the documents by one command, reads them by another, and
// returns those that are there. One that has other claims when it is read was
// refused, or came, went or was raised again in between: it is raised by itself,
// which tells. After an error some of them are raised and nothing else has
// happened.
func (r *Repository[T]) raiseAll(ctx context.Context, cs claims, keys []keyed) (map[string]*stored[T], error) {
	found := make(map[string]*stored[T], len(keys))
	left := keys
	if len(keys) > 1 {
		left = nil
		for part := range slices.Chunk(keys, idsPerQuery) {
			if _, err := r.on(cs).updateMany(ctx, and(byIDs(part), cs.accept()), updateOf(cs.set(), nil)); err != nil {
				return nil, err
			}
			seen, err := r.loadStored(ctx, nil, part, r.fresh)
			if err != nil {
				return nil, err
			}
			for _, k := range part {
				switch s := seen[k.cmp]; {
				case s == nil:
				case cs.newestIn(s.fence):
					s.raised = cs
					found[k.cmp] = s
				default:
					left = append(left, k)
				}
			}
		}
	}
	return found, r.raiseEach(ctx, cs, left, found)
}

// raiseEach raises each document by itself, several at a time.
func (r *Repository[T]) raiseEach(ctx context.Context, cs claims, keys []keyed, found map[string]*stored[T]) error {
	workers := min(parallelWrites, len(keys))
	if mongo.SessionFromContext(ctx) != nil {
		workers = 1
	}
	var mu sync.Mutex
	return inParallel(workers, keys, func(k keyed) error {
		s, err := r.raise(ctx, cs, k)
		if err == nil && s != nil {
			mu.Lock()
			defer mu.Unlock()
			found[k.cmp] = s
		}
		return err
	})
}

// loadStored reads the documents with the keys, raising them where there are
// claims, else from the given collection. What is read for a write or for
// explaining a refusal comes from the fresh one. Marked documents and tombstones
// are among them.
func (r *Repository[T]) loadStored(ctx context.Context, cs claims, keys []keyed, from commands) (map[string]*stored[T], error) {
	if len(cs) > 0 {
		return r.raiseAll(ctx, cs, keys)
	}
	found := make(map[string]*stored[T], len(keys))
	for part := range slices.Chunk(keys, idsPerQuery) {
		err := from.find(ctx, byIDs(part), options.Find(), func(raw bson.Raw) error {
			s, err := r.seen(slices.Clone(raw), nil)
			if err != nil {
				return err
			}
			key, err := r.storedKey(s)
			found[key] = s
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// storedKey is the text of a stored key. It can be written in another way than
// the one asked for (an int32 for an int64): the decoded one is what compares.
func (r *Repository[T]) storedKey(s *stored[T]) (string, error) {
	e := s.e
	if e == nil {
		var err error
		if e, err = r.decode(s.raw); err != nil {
			return "", err
		}
	}
	id, err := r.idOf(r.ent.KeyOf(valueOf(e)))
	return keyText(id), err
}
