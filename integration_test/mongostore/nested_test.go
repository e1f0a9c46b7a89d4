package mongostore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/repo"
)

// An Update of one member of a nested document keeps its other members.
func TestMongoForeign_UpdateKeepsNestedMembers(t *testing.T) {
	type inner struct {
		X int    `bson:"x" json:"x"`
		Y string `bson:"y,omitempty" json:"y"`
	}
	type outer struct {
		ID   string             `bson:"_id" json:"id"`
		In   inner              `bson:"in" json:"in"`
		Ptr  *inner             `bson:"ptr" json:"ptr"`
		Deep struct{ In inner } `bson:"deep" json:"deep"`
		Map  map[string]int     `bson:"map" json:"map"`
	}
	nested := bson.D{{Key: "x", Value: 1}, {Key: "y", Value: "old"}, {Key: "unknown", Value: true}}
	changes := map[string]func(ctx context.Context, r repo.Repository[outer]) error{
		"Update": func(ctx context.Context, r repo.Repository[outer]) error {
			u, ok := repo.As[repo.Updater[outer]](r)
			if !ok {
				return errors.New("no Updater")
			}
			_, err := u.Update(ctx, "a", func(e *outer) error {
				e.In = inner{X: 2}
				e.Ptr.X, e.Deep.In.X = 2, 2
				e.Map = map[string]int{"b": 2, "d": 4}
				return nil
			})
			return err
		},
		"Merge": func(ctx context.Context, r repo.Repository[outer]) error {
			_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{
				`{"id": "a", "in": {"x": 2, "y": null}, "ptr": {"x": 2}, "deep": {"In": {"x": 2}}, "map": {"a": null, "b": 2, "d": 4}}`,
			}}, repo.Merge())
			return err
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			plainAndLocked(t, nil, func(ctx context.Context, t *testing.T, r repo.Repository[outer], coll *mongo.Collection) {
				insertDocument(t, coll, bson.D{
					{Key: "_id", Value: "a"},
					{Key: "in", Value: nested},
					{Key: "ptr", Value: nested},
					{Key: "deep", Value: bson.D{{Key: "in", Value: nested}, {Key: "unknown", Value: true}}},
					{Key: "map", Value: bson.D{{Key: "a", Value: 1}, {Key: "d", Value: 3}}},
				})
				check.Must(t, change(ctx, r))
				raw := storedDocument(t, coll, "a")
				for _, path := range [][]string{{"in"}, {"ptr"}, {"deep", "in"}} {
					at := raw.Lookup(path...).Document()
					if !hasField(at, "unknown") || at.Lookup("x").AsInt64() != 2 {
						t.Errorf("%v is %s", path, at)
					}
				}
				if hasField(raw, "in", "y") || !hasField(raw, "ptr", "y") || !hasField(raw, "deep", "unknown") {
					t.Errorf("stored is %s", raw)
				}
				if m := raw.Lookup("map").Document(); hasField(m, "a") || m.Lookup("b").AsInt64() != 2 || m.Lookup("d").AsInt64() != 4 {
					t.Errorf("the map is %s", m)
				}
			})
		})
	}
	// Where no document is stored yet, the new one is written whole.
	for name, stored := range map[string]bson.D{
		"Null":   {{Key: "_id", Value: "a"}, {Key: "in", Value: nil}, {Key: "ptr", Value: nil}},
		"Absent": {{Key: "_id", Value: "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, coll := mongodb.Repository[outer](t, nil)
			insertDocument(t, coll, stored)
			_, err := r.Update(check.Bounded(t, time.Minute), "a", func(e *outer) error {
				e.In.X, e.Ptr, e.Deep.In.X = 2, &inner{X: 2}, 2
				return nil
			})
			check.Must(t, err)
			got, err := r.FindByID(check.Bounded(t, time.Minute), "a")
			if err != nil || got.In.X != 2 || got.Ptr.X != 2 || got.Deep.In.X != 2 {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}
