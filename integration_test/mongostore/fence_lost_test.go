package mongostore_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/repo"
)

// mongoTwoHolders is a way for two holders to add to a tally, each in two steps that
// a test can put in any order.
type mongoTwoHolders struct {
	read  func(ctx context.Context, token int64) (int64, error)
	write func(ctx context.Context, token, n int64) error // repo.ErrFenced when refused
}

// overlap is the order that a fence which is only checked by writes does not
// survive: the holder with token 1 has read and stops; the next one reads; the
// first goes on and writes, before the second does. It returns how many
// additions were acknowledged.
func (h mongoTwoHolders) overlap(ctx context.Context, t *testing.T) (acknowledged int64) {
	t.Helper()
	var read, resumed sync.WaitGroup
	read.Add(1)
	resumed.Add(1)
	var acks atomic.Int64
	add := func(token int64, between func()) error {
		n, err := h.read(ctx, token)
		if err != nil {
			return err
		}
		between()
		err = h.write(ctx, token, n+1)
		if errors.Is(err, repo.ErrFenced) {
			return nil
		}
		acks.Add(1)
		return err
	}
	var g errgroup.Group
	var firstRead sync.WaitGroup
	firstRead.Add(1)
	g.Go(func() error { // A
		defer resumed.Done()
		return add(1, func() {
			firstRead.Done()
			read.Wait()
		})
	})
	g.Go(func() error { // B
		firstRead.Wait()
		return add(2, func() {
			read.Done()
			resumed.Wait()
		})
	})
	check.Must(t, g.Wait())
	return acks.Load()
}

func TestMongoFence_RefusesAHolderWhoseSuccessorHasOnlyRead(t *testing.T) {
	ctx, r, _ := fencedTallies(t, nil, 0)
	holds := map[int64]context.Context{1: mongoHeld(ctx, 1), 2: mongoHeld(ctx, 2)}
	ways := map[string]func(ctx context.Context, n int64) error{
		"Save": func(ctx context.Context, n int64) error { return r.Save(ctx, &tally{ID: "a", N: n}) },
		"SaveAll": func(ctx context.Context, n int64) error {
			return r.SaveAll(ctx, []*tally{{ID: "a", N: n}})
		},
	}
	total := int64(0)
	for name, save := range ways {
		t.Run(name, func(t *testing.T) {
			var refused atomic.Int64
			h := mongoTwoHolders{
				read: func(_ context.Context, token int64) (int64, error) {
					e, err := r.FindByID(holds[token], "a")
					if err != nil {
						return 0, err
					}
					return e.N, nil
				},
				write: func(_ context.Context, token, n int64) error {
					err := save(holds[token], n)
					if errors.Is(err, repo.ErrFenced) {
						refused.Store(token)
					}
					return err
				},
			}
			acknowledged := h.overlap(ctx, t)
			if acknowledged != 1 || refused.Load() != 1 {
				t.Errorf("%d acknowledged, refused was holder %d; want one, and holder 1 refused", acknowledged, refused.Load())
			}
			total += acknowledged
			wantTally(t, r, "a", total)
		})
		holds = map[int64]context.Context{1: mongoHeld(ctx, 3), 2: mongoHeld(ctx, 4)}
	}
}

// The same order with a fence that only the writes check loses exactly one
// acknowledged update: this is why reads raise it.
func TestMongoFence_CheckedByWritesOnlyLosesAnUpdate(t *testing.T) {
	ctx, r, coll := fencedTallies(t, nil, 0)
	h := mongoTwoHolders{
		read: func(ctx context.Context, _ int64) (int64, error) {
			e, err := r.FindByID(ctx, "a")
			if err != nil {
				return 0, err
			}
			return e.N, nil
		},
		write: func(ctx context.Context, token, n int64) error {
			filter := bson.D{{Key: "_id", Value: "a"}, {Key: "$or", Value: bson.A{
				bson.D{{Key: "token", Value: bson.D{{Key: "$exists", Value: false}}}},
				bson.D{{Key: "token", Value: bson.D{{Key: "$lte", Value: token}}}},
			}}}
			res, err := coll.UpdateOne(ctx, filter, bson.D{{Key: "$set", Value: bson.D{{Key: "n", Value: n}, {Key: "token", Value: token}}}})
			if err == nil && res.MatchedCount == 0 {
				err = repo.ErrFenced
			}
			return err
		},
	}
	acknowledged := h.overlap(ctx, t)
	e, err := r.FindByID(ctx, "a")
	check.Must(t, err)
	if acknowledged != 2 || e.N != 1 {
		t.Errorf("%d acknowledged, %d counted; this fence should let both through and lose one", acknowledged, e.N)
	}
}

const (
	mongoHolders = 6
	mongoHolds   = 40
)

// Holders that overlap at random, each with a newer token than the one before,
// by every way to change an entity.
func TestMongoFence_OverlappingHoldersLoseNothing(t *testing.T) {
	ctx, r, coll := fencedTallies(t, nil, 0)
	adds := map[string]func(ctx context.Context) error{
		"Update": func(ctx context.Context) error {
			_, err := r.Update(ctx, "a", func(e *tally) error { e.N++; return nil })
			return err
		},
		"FindByIDAndSave": func(ctx context.Context) error {
			e, err := r.FindByID(ctx, "a")
			if err != nil {
				return err
			}
			e.N++
			return r.Save(ctx, e)
		},
		"FindAllByIDAndSaveAll": func(ctx context.Context) error {
			es, err := r.FindAllByID(ctx, []any{"a"})
			if err != nil {
				return err
			}
			es[0].N++
			return r.SaveAll(ctx, es)
		},
	}
	var token, acknowledged, refused atomic.Int64
	names := []string{"Update", "FindByIDAndSave", "FindAllByIDAndSaveAll"}
	var g errgroup.Group
	for range mongoHolders {
		g.Go(func() error {
			for range mongoHolds {
				err := adds[names[rand.IntN(len(names))]](mongoHeld(ctx, token.Add(1)))
				switch {
				case err == nil:
					acknowledged.Add(1)
				case errors.Is(err, repo.ErrFenced):
					refused.Add(1)
				default:
					return err
				}
			}
			return nil
		})
	}
	check.Must(t, g.Wait())
	t.Logf("%d acknowledged, %d refused", acknowledged.Load(), refused.Load())
	if refused.Load() == 0 {
		t.Error("nobody was refused: the holders did not overlap")
	}
	wantTally(t, r, "a", acknowledged.Load())
	wantMongoFence(t, coll, token.Load())
}

func wantMongoFence(t *testing.T, coll *mongo.Collection, newest int64) {
	t.Helper()
	elems, err := storedDocument(t, coll, "a").Lookup("_f").Document().Elements()
	check.Must(t, err)
	if len(elems) != 1 {
		t.Fatalf("%d claims in the document, want one for the one lock", len(elems))
	}
	if got := elems[0].Value().Document().Lookup("t").AsInt64(); got > newest || got == 0 {
		t.Errorf("token %d is stored, the newest was %d", got, newest)
	}
}
