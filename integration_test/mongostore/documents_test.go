package mongostore_test

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongoharness"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// A filter with one key twice is a filter with one of the two conditions.
func TestMongoDriver_TwoConditionsOnOneFieldBothHold(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, _ := mongodb.Repository[customer](t, nil)
	for i := range 5 {
		check.Must(t, r.Save(ctx, &customer{Visits: int64(i)}))
	}
	visits := repo.F[customer, int64]("Visits")
	for name, opts := range map[string][]repo.Option{
		"Typed":  {visits.Gt(1), visits.Lt(3)},
		"Native": {visits.Gt(1), repo.Native(bson.M{"visits": bson.M{"$lt": 3}})},
		"Both":   {repo.Native(bson.D{{Key: "visits", Value: bson.D{{Key: "$gt", Value: 1}}}}), repo.Native(bson.D{{Key: "visits", Value: bson.D{{Key: "$lt", Value: 3}}}})},
	} {
		found, err := r.Find(ctx, opts...)
		check.Must(t, err)
		if len(found) != 1 || found[0].Visits != 2 {
			t.Errorf("%s: found %d", name, len(found))
		}
	}
}

type gormEntity struct {
	gorm.Model `bson:",inline"`
	Name       string
}

// GORM's own types work as markers here too, and its DeletedAt is stored as a
// date, which other programs can query, and not as the struct that it is.
func TestMongoDriver_GormModelKeepsItsDuties(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[gormEntity](t, &mongorepo.Options{NewID: mongoharness.Numbers()})
	e := &gormEntity{Name: "a"}
	check.Must(t, r.Save(ctx, e))
	created := e.CreatedAt
	if e.ID != 1 || created.IsZero() || e.UpdatedAt.IsZero() {
		t.Fatalf("saved %+v", e)
	}
	if raw := storedDocument(t, coll, 1); raw.Lookup("deletedat").Type != bson.TypeNull || hasField(raw, "id") {
		t.Errorf("stored: %s", raw)
	}
	e.CreatedAt = time.Time{}
	check.Must(t, r.Save(ctx, e))
	if !e.CreatedAt.Equal(created) {
		t.Errorf("created %v, want %v", e.CreatedAt, created)
	}
	check.Must(t, r.Delete(ctx, e))
	if raw := storedDocument(t, coll, 1); raw.Lookup("deletedat").Type != bson.TypeDateTime {
		t.Errorf("deleted: %s", raw)
	}
	check.WantError(t, second(r.FindByID(ctx, 1)), repo.ErrNotFound)
	check.WantError(t, r.Save(ctx, e), repo.ErrNotFound)
}

type boxedEntity struct {
	gorm.Model
	Name string
}

// Without `bson:",inline"` the codec makes a document of the embedded struct.
// What is kept inside of it must survive that the rest is written.
func TestMongoDriver_EmbeddedStructWithoutInline(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[boxedEntity](t, &mongorepo.Options{NewID: mongoharness.Numbers()})
	e := &boxedEntity{Name: "a"}
	check.Must(t, r.Save(ctx, e))
	created := e.CreatedAt
	e.CreatedAt = time.Time{}
	e.Name = "b"
	check.Must(t, r.Save(ctx, e))
	if raw := storedDocument(t, coll, 1); raw.Lookup("model", "createdat").Time().Equal(created) != true || raw.Lookup("name").StringValue() != "b" {
		t.Errorf("stored: %s", raw)
	}
	found, err := r.Find(ctx, repo.F[boxedEntity, time.Time]("CreatedAt").Le(created), repo.F[boxedEntity, uint]("ID").Eq(1))
	check.Must(t, err)
	if len(found) != 1 || found[0].ID != 1 {
		t.Errorf("found %+v", found)
	}
	check.Must(t, r.DeleteByID(ctx, 1))
	if n, err := r.Count(ctx); n != 0 || err != nil {
		t.Errorf("%d are left, %v", n, err)
	}
}

// A type with an inline map holds the fields that it does not name: what was
// taken out of the map must go.
func TestMongoDriver_InlineMapIsReplacedWhole(t *testing.T) {
	type open struct {
		ID   string         `bson:"_id"`
		Rest map[string]any `bson:",inline"`
	}
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[open](t, nil)
	check.Must(t, r.Save(ctx, &open{ID: "a", Rest: map[string]any{"x": 1, "y": 2}}))
	check.Must(t, r.Save(ctx, &open{ID: "a", Rest: map[string]any{"y": 3}}))
	if raw := storedDocument(t, coll, "a"); hasField(raw, "x") || raw.Lookup("y").AsInt64() != 3 {
		t.Errorf("after Save: %s", raw)
	}
	_, err := r.Update(ctx, "a", func(e *open) error { e.Rest = map[string]any{"z": 4}; return nil })
	check.Must(t, err)
	if raw := storedDocument(t, coll, "a"); hasField(raw, "y") || !hasField(raw, "z") {
		t.Errorf("after Update: %s", raw)
	}
}

func second[T any](_ T, err error) error { return err }
