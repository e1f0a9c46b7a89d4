package fence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
)

// guardsCollection is where a database keeps for each collection, under its
// name, the key that guards it and how often that was moved.
const guardsCollection = "holdfast_guards"

// guard is the key that guards a collection.
type guard struct {
	Key   string
	Moves int64
}

// guards reads the guard of one collection and remembers it.
type guards struct {
	all  command.Collection
	name string // of the collection
	full string // with its database, for errors

	mu    sync.Mutex
	known *guard
}

func newGuards(coll *mongo.Collection) *guards {
	db := coll.Database()
	return &guards{all: Firm(db.Collection(guardsCollection)), name: coll.Name(), full: db.Name() + "." + coll.Name()}
}

func (g *guards) id() bson.D { return bson.D{{Key: "_id", Value: g.name}} }

// check returns how often the guard was moved, or a *repo.WrongKeyError. It
// asks the server only before it knows the guard, and before it refuses.
func (g *guards) check(ctx context.Context, keys []string) (int64, error) {
	if len(keys) == 0 {
		return anyMoves, nil
	}
	if known := g.last(); known != nil && slices.Contains(keys, known.Key) {
		return known.Moves, nil
	}
	now, err := g.refresh(ctx)
	if err == nil && now == nil {
		now, err = g.register(ctx, keys[0])
	}
	if err != nil {
		return 0, fmt.Errorf("reading the guard of %s: %w", g.full, err)
	}
	if !slices.Contains(keys, now.Key) {
		return 0, g.refuse(*now, keys)
	}
	return now.Moves, nil
}

func (g *guards) refuse(now guard, keys []string) error {
	return &repo.WrongKeyError{Resource: g.full, Registered: now.Key, Presented: keys}
}

func (g *guards) last() *guard {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.known
}

// refresh reads the guard, outside of any transaction; nil where there is none.
func (g *guards) refresh(ctx context.Context) (*guard, error) {
	raw, err := g.all.FindOne(command.Outside(ctx), g.id())
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	now := &guard{}
	if err := bson.Unmarshal(raw, now); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known == nil || g.known.Moves <= now.Moves {
		g.known = now
	}
	return g.known, nil
}

// register makes key the guard unless another writer is first.
func (g *guards) register(ctx context.Context, key string) (*guard, error) {
	err := g.all.InsertOne(command.Outside(ctx), bson.D{{Key: "_id", Value: g.name}, {Key: "key", Value: key}, {Key: "moves", Value: int64(0)}})
	if command.IsDuplicateKey(err) {
		now, err := g.refresh(ctx)
		if err == nil && now == nil {
			err = errors.New("it was made and is gone")
		}
		return now, err
	}
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known = &guard{Key: key}
	return g.known, nil
}

// Move makes to the key that guards the collection, where from does now.
func Move(ctx context.Context, coll *mongo.Collection, from, to string) error {
	if coll == nil || from == "" || to == "" || from == to {
		return fmt.Errorf("%w: want a collection and two different keys", repo.ErrInvalid)
	}
	g := newGuards(coll)
	res, err := g.all.UpdateOne(command.Outside(ctx), command.And(g.id(), bson.D{{Key: "key", Value: from}}), bson.D{
		{Key: "$set", Value: bson.D{{Key: "key", Value: to}}},
		{Key: "$inc", Value: bson.D{{Key: "moves", Value: int64(1)}}},
	})
	if err != nil || res.MatchedCount == 1 {
		return err
	}
	now, err := g.refresh(ctx)
	switch {
	case err != nil:
		return err
	case now == nil:
		return fmt.Errorf("%w: no key guards %s yet", repo.ErrNotFound, g.full)
	case now.Key != to:
		return g.refuse(*now, []string{from})
	}
	return nil
}
