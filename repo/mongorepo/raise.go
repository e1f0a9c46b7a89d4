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
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/fence"
)

// raiseTries bounds how often a raise starts over because the document came,
// went or became acceptable between its two command.Collection.
const raiseTries = 5

// raise stores the claims in the document with the key and returns it as it is
// then, in one step: from then on no older claim changes it. A document that is
// not there is nil. The read alone would not do: a stale holder's write could
// still come between it and the write that follows.
func (r *Repository[T]) raise(ctx context.Context, cs fence.Claims, k keyed) (*loaded[T], error) {
	for range raiseTries {
		raw, err := r.on(cs).FindOneAndUpdate(ctx, command.And(byID(k.id), cs.Accept()), command.SetUnset(cs.Set(), nil),
			options.FindOneAndUpdate().SetReturnDocument(options.After))
		if err == nil {
			return r.seen(raw, cs)
		}
		if !errors.Is(err, mongo.ErrNoDocuments) {
			return nil, err
		}
		raw, err = r.fresh.FindOne(ctx, byID(k.id), options.FindOne().SetProjection(bson.D{{Key: fence.Field, Value: 1}}))
		if errors.Is(err, mongo.ErrNoDocuments) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if refused := r.fence.RefusedBy(cs, fence.Of(raw)); refused != nil {
			again, err := r.fence.Renewed(ctx, cs)
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
func (r *Repository[T]) raiseAll(ctx context.Context, cs fence.Claims, keys []keyed) (map[string]*loaded[T], error) {
	found := make(map[string]*loaded[T], len(keys))
	left := keys
	if len(keys) > 1 {
		left = nil
		for part := range parts(keys) {
			if _, err := r.on(cs).UpdateMany(ctx, command.And(byIDs(part), cs.Accept()), command.SetUnset(cs.Set(), nil)); err != nil {
				return nil, err
			}
			seen, err := r.loadStored(ctx, nil, part, r.fresh)
			if err != nil {
				return nil, err
			}
			for _, k := range part {
				switch s := seen[k.cmp]; {
				case s == nil:
				case cs.NewestIn(s.fence):
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
func (r *Repository[T]) raiseEach(ctx context.Context, cs fence.Claims, keys []keyed, found map[string]*loaded[T]) error {
	var mu sync.Mutex
	return inParallel(workers(ctx, len(keys)), keys, func(k keyed) error {
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
func (r *Repository[T]) loadStored(ctx context.Context, cs fence.Claims, keys []keyed, from command.Collection) (map[string]*loaded[T], error) {
	if len(cs) > 0 {
		return r.raiseAll(ctx, cs, keys)
	}
	found := make(map[string]*loaded[T], len(keys))
	for part := range parts(keys) {
		// One more than there can be, or the server is asked whether there is more.
		all := options.Find().SetBatchSize(int32(len(part) + 1))
		err := from.Find(ctx, byIDs(part), all, func(raw bson.Raw) error {
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

// load reads the document with the key, unless it is marked as deleted, and
// raises it under a fence. Without one it reads from the given collection.
func (r *Repository[T]) load(ctx context.Context, k keyed, from command.Collection) (*loaded[T], error) {
	cs, err := r.fence.Claims(ctx)
	if err != nil {
		return nil, err
	}
	if len(cs) > 0 {
		s, err := r.raise(ctx, cs, k)
		if err == nil && !r.alive(s) {
			return nil, r.absent(k)
		}
		return s, err
	}
	raw, err := from.FindOne(ctx, command.And(byID(k.id), r.live()))
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, r.absent(k)
	}
	if err != nil {
		return nil, err
	}
	return r.seen(raw, nil)
}

func (r *Repository[T]) absent(k keyed) error {
	return fmt.Errorf("%w: %s %s", repo.ErrNotFound, r.ent.Type, k.id)
}
