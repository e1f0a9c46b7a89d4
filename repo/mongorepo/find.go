package mongorepo

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/repo"
)

// idsPerQuery keeps a query by ids well below the largest message.
const idsPerQuery = 10_000

// FindByID returns the entity with the id; see repo.Repository.
func (r *Repository[T]) FindByID(ctx context.Context, id any) (*T, error) {
	if err := done(ctx); err != nil {
		return nil, wrap(ctx, "find by id", err)
	}
	k, err := r.keyFrom(id)
	if err != nil {
		return nil, wrap(ctx, "find by id", err)
	}
	_, e, err := r.load(ctx, k)
	return e, wrap(ctx, "find by id", err)
}

// load reads the document with the key, unless it is marked as deleted.
func (r *Repository[T]) load(ctx context.Context, k keyed) (bson.Raw, *T, error) {
	raw, err := r.coll.FindOne(ctx, and(byID(k.id), r.live())).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, nil, fmt.Errorf("%w: %s %s", repo.ErrNotFound, r.ent.Type, k.id)
	}
	if err != nil {
		return nil, nil, err
	}
	e, err := r.decode(raw)
	return raw, e, err
}

// FindAllByID returns the entities in the order of ids; see repo.Repository. A
// bad id is reported in a *repo.BatchError.
func (r *Repository[T]) FindAllByID(ctx context.Context, ids []any) ([]*T, error) {
	if err := done(ctx); err != nil {
		return nil, wrap(ctx, "find all by id", err)
	}
	keys, err := r.keysFrom(ids)
	if err != nil {
		return nil, wrap(ctx, "find all by id", err)
	}
	found, err := r.loadAll(ctx, keys, r.live())
	if err != nil {
		return nil, wrap(ctx, "find all by id", err)
	}
	list := make([]*T, 0, len(found))
	for _, k := range keys {
		if e, ok := found[k.cmp]; ok {
			list = append(list, e)
		}
	}
	return list, nil
}

// loadAll reads the documents with the keys that satisfy the filter.
func (r *Repository[T]) loadAll(ctx context.Context, keys []keyed, filter bson.D) (map[string]*T, error) {
	found := make(map[string]*T, len(keys))
	for len(keys) > 0 {
		n := min(len(keys), idsPerQuery)
		list, err := r.query(ctx, and(byIDs(keys[:n]), filter), options.Find())
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			// The stored key can be written in another way than the one asked
			// for (an int32 for an int64): the decoded one is what compares.
			id, err := r.idOf(r.ent.KeyOf(valueOf(e)))
			if err != nil {
				return nil, err
			}
			found[keyText(id)] = e
		}
		keys = keys[n:]
	}
	return found, nil
}

func (r *Repository[T]) query(ctx context.Context, filter bson.D, opts *options.FindOptionsBuilder) ([]*T, error) {
	cur, err := r.coll.Find(ctx, filter, opts)
	if err != nil {
		return nil, err
	}
	// The cursor must go back even when the caller's context is done.
	defer func() { _ = cur.Close(context.WithoutCancel(ctx)) }()
	list := []*T{}
	for cur.Next(ctx) {
		e, err := r.decode(cur.Current)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, cur.Err()
}

// ExistsByID tells whether there is an entity with the id; see
// repo.Repository.
func (r *Repository[T]) ExistsByID(ctx context.Context, id any) (bool, error) {
	if err := done(ctx); err != nil {
		return false, wrap(ctx, "exists by id", err)
	}
	k, err := r.keyFrom(id)
	if err != nil {
		return false, wrap(ctx, "exists by id", err)
	}
	err = r.coll.FindOne(ctx, and(byID(k.id), r.live()), options.FindOne().SetProjection(bson.D{{Key: "_id", Value: 1}})).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	return err == nil, wrap(ctx, "exists by id", err)
}

// Find returns the entities that satisfy the options; see repo.Repository.
func (r *Repository[T]) Find(ctx context.Context, opts ...repo.Option) ([]*T, error) {
	list, err := r.find(ctx, opts)
	return list, wrap(ctx, "find", err)
}

func (r *Repository[T]) find(ctx context.Context, opts []repo.Option) ([]*T, error) {
	if err := done(ctx); err != nil {
		return nil, err
	}
	q, err := repo.Compile[T](opts...)
	if err != nil {
		return nil, err
	}
	filter, err := r.filter(q)
	if err != nil {
		return nil, err
	}
	o, err := r.findOptions(q)
	if err != nil {
		return nil, err
	}
	return r.query(ctx, filter, o)
}

// Count counts the entities that Find would return; see repo.Repository.
func (r *Repository[T]) Count(ctx context.Context, opts ...repo.Option) (int64, error) {
	n, err := r.count(ctx, opts)
	return n, wrap(ctx, "count", err)
}

func (r *Repository[T]) count(ctx context.Context, opts []repo.Option) (int64, error) {
	if err := done(ctx); err != nil {
		return 0, err
	}
	q, err := repo.Compile[T](opts...)
	if err != nil {
		return 0, err
	}
	filter, err := r.filter(q)
	if err != nil {
		return 0, err
	}
	return r.coll.CountDocuments(ctx, filter)
}
