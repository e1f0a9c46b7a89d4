package mongorepo

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
)

// FindByID returns the entity with the id; see repo.Repository.
func (r *Repository[T]) FindByID(ctx context.Context, id any) (*T, error) {
	if err := driver.Ended(ctx); err != nil {
		return nil, wrap(ctx, "find by id", err)
	}
	k, err := r.keyFrom(id)
	if err != nil {
		return nil, wrap(ctx, "find by id", err)
	}
	s, err := r.load(ctx, k, r.loose)
	if err != nil {
		return nil, wrap(ctx, "find by id", err)
	}
	return s.e, nil
}

// FindAllByID returns the entities in the order of ids; see repo.Repository. A
// bad id is reported in a *repo.BatchError.
func (r *Repository[T]) FindAllByID(ctx context.Context, ids []any) ([]*T, error) {
	if err := driver.Ended(ctx); err != nil {
		return nil, wrap(ctx, "find all by id", err)
	}
	keys, err := r.keysFrom(ids)
	if err != nil {
		return nil, wrap(ctx, "find all by id", err)
	}
	cs, err := r.fence.Claims(ctx)
	if err != nil {
		return nil, wrap(ctx, "find all by id", err)
	}
	found, err := r.loadStored(ctx, cs, keys, r.loose)
	if err != nil {
		return nil, wrap(ctx, "find all by id", err)
	}
	list := make([]*T, 0, len(found))
	for _, k := range keys {
		if s := found[k.cmp]; r.alive(s) {
			list = append(list, s.e)
		}
	}
	return list, nil
}

// ExistsByID tells whether there is an entity with the id; see
// repo.Repository.
func (r *Repository[T]) ExistsByID(ctx context.Context, id any) (bool, error) {
	if err := driver.Ended(ctx); err != nil {
		return false, wrap(ctx, "exists by id", err)
	}
	k, err := r.keyFrom(id)
	if err != nil {
		return false, wrap(ctx, "exists by id", err)
	}
	if err := r.enter(ctx); err != nil {
		return false, wrap(ctx, "exists by id", err)
	}
	_, err = r.reading(ctx).FindOne(ctx, command.And(byID(k.id), r.live()), options.FindOne().SetProjection(bson.D{{Key: "_id", Value: 1}}))
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
	list := []*T{}
	err := r.each(ctx, opts, func(e *T) error {
		list = append(list, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// each calls visit with every entity that satisfies the options. visit must send no
// command in the transaction of ctx.
func (r *Repository[T]) each(ctx context.Context, opts []repo.Option, visit func(e *T) error) error {
	if err := driver.Ended(ctx); err != nil {
		return err
	}
	q, err := driver.Compile[T](opts...)
	if err != nil {
		return err
	}
	filter, err := r.filter(q)
	if err != nil {
		return err
	}
	o, err := r.findOptions(q)
	if err != nil {
		return err
	}
	if err := r.enter(ctx); err != nil {
		return err
	}
	return r.reading(ctx).Find(ctx, filter, o, func(raw bson.Raw) error {
		e, err := r.decode(raw)
		if err != nil {
			return err
		}
		return visit(e)
	})
}

// Count counts the entities that Find would return; see repo.Repository.
func (r *Repository[T]) Count(ctx context.Context, opts ...repo.Option) (int64, error) {
	n, err := r.count(ctx, opts)
	return n, wrap(ctx, "count", err)
}

func (r *Repository[T]) count(ctx context.Context, opts []repo.Option) (int64, error) {
	if err := driver.Ended(ctx); err != nil {
		return 0, err
	}
	q, err := driver.Compile[T](opts...)
	if err != nil {
		return 0, err
	}
	filter, err := r.filter(q)
	if err != nil {
		return 0, err
	}
	if err := r.enter(ctx); err != nil {
		return 0, err
	}
	return r.reading(ctx).Count(ctx, filter)
}
