package mongostore_test

import (
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

var tallyN = repo.MustField[tally, int64]("N")

// One document with a newer claim refuses the whole call, before the others are written.
func TestMongoWriters_AskEveryDocument(t *testing.T) {
	for _, tombstones := range []bool{false, true} {
		ctx, r, _ := fencedTallies(t, &mongorepo.Options{Tombstones: tombstones}, 1)
		check.Must(t, r.Insert(mongoHeld(ctx, 3), &tally{ID: "b", N: 1}, &tally{ID: "c", N: 9}))
		_, err := r.FindByID(mongoHeld(ctx, 5), "b")
		check.Must(t, err)
		n, err := r.UpdateWhere(mongoHeld(ctx, 4), tallyN.Eq(1), tallyN.Set(2))
		check.WantError(t, err, repo.ErrFenced)
		if n != 0 {
			t.Errorf("%d were written", n)
		}
		wantTally(t, r, "a", 1)
		n, err = r.UpdateWhere(mongoHeld(ctx, 4), tallyN.Eq(9), repo.Increase(tallyN, 1))
		check.Must(t, err)
		if n != 1 {
			t.Errorf("%d were written", n)
		}
		wantTally(t, r, "c", 10)
		check.WantError(t, r.Save(mongoHeld(ctx, 3), &tally{ID: "c", N: 0}), repo.ErrFenced)
		_, err = r.DeleteWhere(mongoHeld(ctx, 4), tallyN.NotNull())
		check.WantError(t, err, repo.ErrFenced)
		wantTally(t, r, "b", 1)
		_, err = r.DeleteWhere(mongoHeld(ctx, 6), tallyN.NotNull())
		check.Must(t, err)
		if left, err := r.Count(ctx); err != nil || left != 0 {
			t.Errorf("%d are left, %v", left, err)
		}
	}
}

// What DeleteWhere leaves behind keeps a stale save out, and Insert takes its place.
func TestMongoWriters_Tombstones(t *testing.T) {
	ctx, r, coll := fencedTallies(t, &mongorepo.Options{Tombstones: true}, 1)
	n, err := r.DeleteWhere(mongoHeld(ctx, 5), tallyN.Eq(1))
	check.Must(t, err)
	if raw := storedDocument(t, coll, "a"); n != 1 || !hasField(raw, "_f", "gone") {
		t.Errorf("%d, the tombstone is %s", n, raw)
	}
	check.WantError(t, r.Insert(mongoHeld(ctx, 4), &tally{ID: "a", N: 2}), repo.ErrFenced)
	if n, err := r.UpdateWhere(mongoHeld(ctx, 6), repo.Or(tallyN.Null(), tallyN.NotNull()), tallyN.Set(3)); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	inserted, err := r.InsertIfAbsent(mongoHeld(ctx, 6), &tally{ID: "a", N: 2})
	check.Must(t, err)
	if len(inserted) != 1 {
		t.Error("the tombstone counts as an entity")
	}
	wantTally(t, r, "a", 2)
}

type hexSale struct {
	ID      string `bson:"_id"`
	Product string `holdfast:"objectid"`
}

// A change is written in the form in which Save writes it, inside of documents too, and
// what the type does not know stays.
func TestMongoWriters_FormOfChanges(t *testing.T) {
	ctx := t.Context()
	r, coll := mongodb.Repository[hexSale](t, &mongorepo.Options{HexIDs: true})
	const product = "507f1f77bcf86cd799439011"
	e := &hexSale{Product: product}
	check.Must(t, r.Insert(ctx, e))
	oid, err := bson.ObjectIDFromHex(e.ID)
	check.Must(t, err)
	_, err = coll.UpdateByID(ctx, oid, bson.D{{Key: "$set", Value: bson.D{{Key: "more", Value: 1}}}})
	check.Must(t, err)
	const other = "507f191e810c19729de860ea"
	field := repo.MustField[hexSale, string]("Product")
	n, err := r.UpdateWhere(ctx, field.Eq(product), field.Set(other))
	check.Must(t, err)
	raw := storedDocument(t, coll, oid)
	if got, ok := raw.Lookup("product").ObjectIDOK(); n != 1 || !ok || got.Hex() != other || !hasField(raw, "more") {
		t.Errorf("%d, %s", n, raw)
	}
	mine := &hexSale{Product: other}
	done, err := r.UpsertBy(ctx, []*hexSale{mine, {Product: product}}, field)
	check.Must(t, err)
	if done != (repo.Upserted{Inserted: 1, Updated: 1}) || mine.ID != e.ID || !hasField(storedDocument(t, coll, oid), "more") {
		t.Errorf("%+v, %+v", done, mine)
	}
}

type nestedTally struct {
	ID  string `bson:"_id"`
	Box struct {
		N     int32   `bson:"n"`
		Notes []int32 `bson:"notes,omitempty"`
	} `bson:"box"`
	Rev int64 `bson:"rev" holdfast:"version"`
}

func TestMongoWriters_NestedFields(t *testing.T) {
	ctx := t.Context()
	r, coll := mongodb.Repository[nestedTally](t, nil)
	insertDocument(t, coll, bson.D{{Key: "_id", Value: "a"}, {Key: "box", Value: bson.D{{Key: "n", Value: 4}, {Key: "kept", Value: true}}}})
	boxN, notes := repo.MustField[nestedTally, int32]("Box.N"), repo.MustField[nestedTally, []int32]("Box.Notes")
	n, err := r.UpdateWhere(ctx, boxN.Eq(4), repo.Decrease(boxN, 1), notes.Set([]int32{7}))
	check.Must(t, err)
	e, err := r.FindByID(ctx, "a")
	check.Must(t, err)
	if raw := storedDocument(t, coll, "a"); n != 1 || e.Box.N != 3 || !slices.Equal(e.Box.Notes, []int32{7}) || e.Rev != 1 || !hasField(raw, "box", "kept") {
		t.Errorf("%d, %s", n, raw)
	}
	_, err = r.UpdateWhere(ctx, boxN.Eq(3), notes.SetNull())
	check.Must(t, err)
	if raw := storedDocument(t, coll, "a"); hasField(raw, "box", "notes") {
		t.Errorf("got %s", raw)
	}
}
