package devserver_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/internal/devserver"
)

// The proxy compares what a filter names next to an _id. It must find what FerretDB finds.
func TestMongo_ComparesAsFerretDB(t *testing.T) {
	srv, err := devserver.StartMongo(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	proxied, raw := clientOf(t, srv.MongoURI()).Database("proxied"), clientOf(t, srv.RawURI()).Database("raw")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := tried{rand.New(rand.NewPCG(seed, 0))}
	seen := map[string]int{}
	for i := range 500 {
		u := random.update(fmt.Sprintf("d%d", i))
		got, want := u.run(t, proxied), u.run(t, raw)
		if got != want {
			t.Fatalf("%+v:\n got %s\nwant %s", u, got, want)
		}
		seen[u.kind(want)]++
	}
	for _, kind := range []string{"matched", "other document", "absent, inserted", "absent"} {
		if seen[kind] < 20 {
			t.Errorf("%d of 500 were %q; too few to say anything", seen[kind], kind)
		}
	}
}

func clientOf(t *testing.T, uri string) *mongo.Client {
	t.Helper()
	cli, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cli.Disconnect(context.Background()) })
	return cli
}

// triedUpdate changes the document that a filter of an _id and more selects.
type triedUpdate struct {
	Doc, Filter bson.D // Doc is nil where the collection has none with the id
	Upsert      bool
}

func (u *triedUpdate) kind(outcome string) string {
	switch {
	case outcome == "matched":
		return outcome
	case u.Doc != nil:
		return "other document"
	case u.Upsert:
		return "absent, inserted"
	}
	return "absent"
}

// run makes the update and says what it did.
func (u *triedUpdate) run(t *testing.T, db *mongo.Database) string {
	t.Helper()
	coll := db.Collection("c")
	defer func() { _, _ = coll.DeleteOne(t.Context(), u.Filter[:1]) }()
	if u.Doc != nil {
		if _, err := coll.InsertOne(t.Context(), u.Doc); err != nil {
			t.Fatal(err)
		}
	}
	res, err := coll.UpdateOne(t.Context(), u.Filter, bson.D{{Key: "$set", Value: bson.D{{Key: "x", Value: 1}}}},
		options.UpdateOne().SetUpsert(u.Upsert))
	switch {
	case err != nil:
		return "refused" // there is another document with the id
	case res.MatchedCount == 1 && res.UpsertedCount == 0:
		return "matched"
	}
	var after bson.D
	_ = coll.FindOne(t.Context(), u.Filter[:1]).Decode(&after)
	return fmt.Sprintf("%d inserted: %v", res.UpsertedCount, after)
}

// tried makes updates with conditions of the kinds that fences have, and some others.
type tried struct{ *rand.Rand }

func (r tried) update(id string) *triedUpdate {
	u := &triedUpdate{Filter: bson.D{{Key: "_id", Value: id}}, Upsert: r.IntN(2) == 0}
	if r.IntN(3) > 0 {
		u.Doc = bson.D{{Key: "_id", Value: id}}
		if r.IntN(4) > 0 {
			u.Doc = append(u.Doc, bson.E{Key: "f", Value: bson.D{{Key: "k", Value: bson.D{{Key: "t", Value: int64(r.IntN(3))}, {Key: "o", Value: r.text()}}}}})
		}
		if r.IntN(2) == 0 {
			u.Doc = append(u.Doc, bson.E{Key: "v", Value: r.value()})
		}
	}
	for range 1 + r.IntN(2) {
		u.Filter = append(u.Filter, r.condition(2))
	}
	return u
}

func (r tried) condition(depth int) bson.E {
	if depth > 0 && r.IntN(2) == 0 {
		list := bson.A{}
		for range 1 + r.IntN(3) {
			list = append(list, bson.D{r.condition(depth - 1)})
		}
		return bson.E{Key: []string{"$or", "$or", "$and"}[r.IntN(3)], Value: list}
	}
	path := []string{"f.k.t", "f.k.o", "f.k", "v", "w"}[r.IntN(5)]
	switch r.IntN(4) {
	case 0:
		return bson.E{Key: path, Value: bson.D{{Key: "$exists", Value: r.IntN(2) == 0}}}
	case 1:
		return bson.E{Key: path, Value: bson.D{{Key: []string{"$lt", "$gt", "$gte"}[r.IntN(3)], Value: int64(r.IntN(3))}}}
	case 2:
		return bson.E{Key: path, Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$gt", Value: int64(r.IntN(3))}}}}}
	}
	return bson.E{Key: path, Value: r.value()}
}

func (r tried) value() any {
	switch r.IntN(4) {
	case 0:
		return r.text()
	case 1:
		return int32(r.IntN(3))
	case 2:
		return float64(r.IntN(3)) / 2
	}
	return int64(r.IntN(3))
}

func (r tried) text() string { return []string{"a", "b"}[r.IntN(2)] }
