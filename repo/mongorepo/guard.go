package mongorepo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// guardsCollection is where a database keeps for each collection, under its
// name, the key that guards it and how often that was moved.
const guardsCollection = "holdfast_guards"

// movesName is where the fence of a document has the number of moves that its
// last writer knew; none for 0. It is to the key what the epoch is to the token:
// a writer under the old key is refused by every document that one under the
// new key has read or written. No claim has this name: theirs are longer.
const movesName = "m"

// anyMoves is the number of a claim that no guard was checked for, and that
// documents are not asked to compare.
const anyMoves = -1

// guard is the key that guards a collection.
type guard struct {
	Key   string
	Moves int64
}

// guards reads the guard of one collection and remembers it.
type guards struct {
	all  commands
	name string // of the collection
	full string // with its database, for errors

	mu    sync.Mutex
	known *guard
}

func newGuards(coll *mongo.Collection) *guards {
	db := coll.Database()
	return &guards{all: firm(db.Collection(guardsCollection)), name: coll.Name(), full: db.Name() + "." + coll.Name()}
}

func (g *guards) id() bson.D { return bson.D{{Key: "_id", Value: g.name}} }

// candidates are the keys that a writer may be registered under: those that the
// fence names and shows a claim of, else its only one. None where that cannot be
// said.
func candidates(f driver.Fence, shown []repo.Claim) []string {
	if guard, ok := f.(driver.Guard); ok {
		return slices.DeleteFunc(slices.Clone(guard.Keys()), func(key string) bool {
			return !slices.ContainsFunc(shown, func(c repo.Claim) bool { return c.Key == key })
		})
	}
	if len(shown) == 1 {
		return []string{shown[0].Key}
	}
	return nil
}

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
	raw, err := g.all.findOne(outside(ctx), g.id())
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
	err := g.all.insertOne(outside(ctx), bson.D{{Key: "_id", Value: g.name}, {Key: "key", Value: key}, {Key: "moves", Value: int64(0)}})
	if isDuplicateKey(err) {
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

// MoveGuard makes to the key that guards the collection, where from does now.
// It is one step of three in renaming a key while processes run:
//
//  1. Start processes that hold both keys, and end all that hold only from.
//  2. Call MoveGuard once.
//  3. Start processes that hold only to, and end those that hold both.
//
// From then on a process that holds only from is refused with repo.ErrWrongKey
// when it starts, and one that still runs by the first document that another
// one has read by its id or written since. Until then it can write documents
// that nobody has touched since the move; no update of one is lost by that, but
// what transactions read by queries is not protected from it. So end them first.
//
// It is one write with majority and journal. Where to is the guard already it
// does nothing, so it can be called again after an error. It returns a
// *repo.WrongKeyError where neither of the two is the guard,
// repo.ErrNotFound where none is registered yet, and repo.ErrInvalid for an
// empty key or two equal ones.
func MoveGuard(ctx context.Context, coll *mongo.Collection, from, to string) error {
	return wrap(ctx, "move guard", moveGuard(ctx, coll, from, to))
}

func moveGuard(ctx context.Context, coll *mongo.Collection, from, to string) error {
	if coll == nil || from == "" || to == "" || from == to {
		return fmt.Errorf("%w: want a collection and two different keys", repo.ErrInvalid)
	}
	g := newGuards(coll)
	res, err := g.all.updateOne(outside(ctx), and(g.id(), bson.D{{Key: "key", Value: from}}), bson.D{
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

// refusedBy is [claims.refusedBy] with an error that names both keys.
func (r *Repository[T]) refusedBy(cs claims, fence bson.Raw) error {
	err := cs.refusedBy(fence)
	known := r.guards.last()
	if !errors.Is(err, errMoved) || known == nil {
		return err
	}
	keys := make([]string, len(cs))
	for i, c := range cs {
		keys[i] = c.Key
	}
	return r.guards.refuse(*known, keys)
}

// MoveGuard makes to the key that guards the repository's collection; see
// [MoveGuard].
func (r *Repository[T]) MoveGuard(ctx context.Context, from, to string) error {
	return MoveGuard(ctx, r.coll, from, to)
}
