package mongostore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

type tally struct {
	ID    string `bson:"_id"`
	N     int64
	Parts map[string]int64
	Notes []string
}

type versionedTally struct {
	ID  string `bson:"_id"`
	N   int64
	Rev int64 `holdfast:"version"`
}

const (
	updaters        = 6
	updatesOfEach   = 15
	updatesTogether = updaters * updatesOfEach
)

// Without a version the whole document is the condition, fields that the type
// does not have included.
func TestMongoUpdate_LosesNothingOfAnybody(t *testing.T) {
	ctx := check.Bounded(t, 2*time.Minute)
	r, coll := mongodb.Repository[tally](t, nil)
	insertDocument(t, coll, bson.D{{Key: "_id", Value: "a"}, {Key: "n", Value: 0}, {Key: "others", Value: 0}})
	var g errgroup.Group
	for range updaters {
		g.Go(func() error {
			for range updatesOfEach {
				_, err := r.Update(ctx, "a", func(e *tally) error {
					e.N++
					if e.Parts == nil {
						e.Parts = map[string]int64{}
					}
					e.Parts["x"]++
					e.Parts["y"]++
					return nil
				})
				if err != nil {
					return err
				}
				if _, err := coll.UpdateByID(ctx, "a", bson.D{{Key: "$inc", Value: bson.D{{Key: "others", Value: 1}}}}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	check.Must(t, g.Wait())
	raw := storedDocument(t, coll, "a")
	for _, path := range [][]string{{"n"}, {"others"}, {"parts", "x"}, {"parts", "y"}} {
		if got := raw.Lookup(path...).AsInt64(); got != updatesTogether {
			t.Errorf("%v is %d, want %d", path, got, updatesTogether)
		}
	}
}

func TestMongoUpdate_WithAVersionLosesNothing(t *testing.T) {
	ctx := check.Bounded(t, 2*time.Minute)
	r, _ := mongodb.Repository[versionedTally](t, nil)
	check.Must(t, r.Save(ctx, &versionedTally{ID: "a"}))
	var g errgroup.Group
	for range updaters {
		g.Go(func() error {
			for range updatesOfEach {
				if _, err := r.Update(ctx, "a", func(e *versionedTally) error { e.N++; return nil }); err != nil {
					return err
				}
			}
			return nil
		})
	}
	check.Must(t, g.Wait())
	e, err := r.FindByID(ctx, "a")
	check.Must(t, err)
	if e.N != updatesTogether || e.Rev != 1+updatesTogether {
		t.Errorf("got %+v", e)
	}
}

// What came in between is seen, and fn runs again with it.
func TestMongoUpdate_RunsAgainWhenTheDocumentChanged(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[tally](t, nil)
	check.Must(t, r.Save(ctx, &tally{ID: "a", N: 1}))
	calls := 0
	e, err := r.Update(ctx, "a", func(e *tally) error {
		calls++
		if calls == 1 {
			if _, err := coll.UpdateByID(ctx, "a", bson.D{{Key: "$set", Value: bson.D{{Key: "n", Value: 20}}}}); err != nil {
				return err
			}
		}
		e.N++
		return nil
	})
	check.Must(t, err)
	if calls != 2 || e.N != 21 {
		t.Errorf("%d calls, %+v", calls, e)
	}
}

func TestMongoUpdate_OfADocumentThatGoesAway(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[tally](t, nil)
	check.Must(t, r.Save(ctx, &tally{ID: "a"}))
	_, err := r.Update(ctx, "a", func(e *tally) error {
		e.N++
		_, err := coll.DeleteOne(ctx, bson.D{{Key: "_id", Value: "a"}})
		return err
	})
	check.WantError(t, err, repo.ErrNotFound)
	if n, err := coll.CountDocuments(ctx, bson.D{}); n != 0 || err != nil {
		t.Errorf("the document is back: %d, %v", n, err)
	}
}

// Two merges that change different fields do not undo each other, and a map
// that has not changed is not written.
func TestMongoMerge_WritesOnlyWhatChanged(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[tally](t, nil)
	check.Must(t, r.Save(ctx, &tally{ID: "a", N: 1, Parts: map[string]int64{"a": 1, "b": 2, "c": 3, "d": 4}}))
	for range 20 { // the order in which a map is encoded changes by chance
		updates := watchUpdates(t, coll, func(r *mongorepo.Repository[tally]) {
			_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id": "a", "n": 1}`}}, repo.Merge())
			check.Must(t, err)
		})
		if len(updates) != 0 {
			t.Fatalf("nothing changed, and sent was %s", updates[0])
		}
	}
	updates := watchUpdates(t, coll, func(r *mongorepo.Repository[tally]) {
		_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id": "a", "n": 5}`}}, repo.Merge())
		check.Must(t, err)
	})
	if len(updates) != 1 {
		t.Fatalf("%d updates, want 1", len(updates))
	}
	set := updates[0].Lookup("updates", "0", "u", "$set")
	if doc, ok := set.DocumentOK(); !ok || !hasField(doc, "n") || hasField(doc, "parts") {
		t.Errorf("sent was %s", updates[0])
	}
}

// watchUpdates returns the update commands that fn sends with its repository.
func watchUpdates(t *testing.T, coll *mongo.Collection, fn func(*mongorepo.Repository[tally])) []bson.Raw {
	t.Helper()
	var mu sync.Mutex
	var updates []bson.Raw
	cli := mongodb.NewMonitoredClient(t, func(name string, cmd bson.Raw) {
		if name == "update" {
			mu.Lock()
			defer mu.Unlock()
			updates = append(updates, append(bson.Raw(nil), cmd...))
		}
	})
	r, err := mongorepo.New[tally](cli.Database(coll.Database().Name()).Collection(coll.Name()), nil)
	check.Must(t, err)
	fn(r)
	mu.Lock()
	defer mu.Unlock()
	return updates
}

func TestMongoInTx_IsRefusedWhereItCannotWork(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[tally](t, nil)
	never := func(context.Context) error {
		t.Error("fn was called")
		return nil
	}
	if !mongodb.HasTransactions(t, coll.Database()) {
		check.WantError(t, r.InTx(ctx, never), repo.ErrUnsupported)
	}
	session, err := coll.Database().Client().StartSession()
	check.Must(t, err)
	defer session.EndSession(ctx)
	foreign := mongo.NewSessionContext(ctx, session)
	other := driver.WithTx(ctx, driver.Tx{Store: "another database"})
	for name, ctx := range map[string]context.Context{"Session": foreign, "OtherDatabase": other} {
		if got := r.TxState(ctx); got != driver.TxForeign {
			t.Errorf("%s: state %v, want foreign", name, got)
		}
		if err := r.InTx(ctx, never); !errors.Is(err, repo.ErrInTx) {
			t.Errorf("%s: %v, want ErrInTx", name, err)
		}
	}
	if got := r.TxState(ctx); got != driver.TxNone {
		t.Errorf("state %v of a plain context", got)
	}
}
