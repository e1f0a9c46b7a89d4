package mongostore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

type customer struct {
	ID           bson.ObjectID `bson:"_id" json:"id"`
	CustomerName string        `json:"customerName"`
	Phone        string        `bson:",omitempty" json:"phone"`
	Note         *string       `json:"note"`
	Visits       int64         `json:"visits"`
}

// The driver stores a zero ObjectID as it is, and the second one is a duplicate.
func TestMongoDriver_ZeroObjectIDsGetKeys(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[customer](t, nil)
	a, b, c := &customer{CustomerName: "a"}, &customer{CustomerName: "b"}, &customer{CustomerName: "c"}
	check.Must(t, r.Save(ctx, a))
	check.Must(t, r.SaveAll(ctx, []*customer{b, c}))
	if a.ID.IsZero() || b.ID.IsZero() || c.ID.IsZero() || a.ID == b.ID || b.ID == c.ID {
		t.Errorf("keys %s, %s, %s", a.ID, b.ID, c.ID)
	}
	if n, err := coll.CountDocuments(ctx, bson.D{{Key: "_id", Value: bson.NilObjectID}}); n != 0 || err != nil {
		t.Errorf("%d documents with the zero key, %v", n, err)
	}
}

// An integer key cannot be made by anybody. Zero for all would let every new
// entity overwrite the one before.
func TestMongoDriver_ZeroIntegerKeyIsNoKey(t *testing.T) {
	type row struct {
		ID   int64 `gorm:"primaryKey" bson:"_id"`
		Name string
	}
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[row](t, nil)
	check.WantError(t, r.Save(ctx, &row{Name: "a"}), repo.ErrInvalid)
	if n, err := coll.CountDocuments(ctx, bson.D{}); n != 0 || err != nil {
		t.Errorf("%d documents, %v", n, err)
	}
}

func TestMongoDriver_FieldNamesAreLowerCase(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[customer](t, nil)
	e := &customer{CustomerName: "Ada"}
	check.Must(t, r.Save(ctx, e))
	if raw := storedDocument(t, coll, e.ID); !hasField(raw, "customername") || hasField(raw, "customerName") {
		t.Errorf("the driver's name of the field has changed: %s", raw)
	}
	found, err := r.Find(ctx, repo.F[customer, string]("CustomerName").Eq("Ada"))
	check.Must(t, err)
	if len(found) != 1 {
		t.Errorf("found %d under the codec's name", len(found))
	}
}

// With JSON names a collection that Spring wrote is read as it is.
func TestMongoDriver_JSONNamesReadWhatSpringWrote(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	json := &options.BSONOptions{UseJSONStructTags: true}
	cli, err := mongo.Connect(options.Client().ApplyURI(embedded.MongoURI(t)).SetBSONOptions(json))
	check.Must(t, err)
	t.Cleanup(func() { _ = cli.Disconnect(context.Background()) })
	coll := cli.Database(mongodb.Database(t).Name()).Collection("customers")
	id := bson.NewObjectID()
	insertDocument(t, coll, bson.D{{Key: "_id", Value: id}, {Key: "customerName", Value: "Ada"}, {Key: "visits", Value: int32(3)}})
	r, err := mongorepo.New[customer](coll, &mongorepo.Options{BSON: json})
	check.Must(t, err)
	found, err := r.Find(ctx, repo.F[customer, string]("CustomerName").Eq("Ada"))
	check.Must(t, err)
	if len(found) != 1 || found[0].CustomerName != "Ada" || found[0].Visits != 3 {
		t.Fatalf("found %+v", found)
	}
	found[0].Visits++
	check.Must(t, r.Save(ctx, found[0]))
	if raw := storedDocument(t, coll, id); raw.Lookup("visits").AsInt64() != 4 || hasField(raw, "customername") {
		t.Errorf("stored: %s", raw)
	}
}

// Spring leaves null fields out, the driver writes them: both have no value.
func TestMongoDriver_AbsentAndNullAreTheSame(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[customer](t, nil)
	absent, null, given := bson.NewObjectID(), bson.NewObjectID(), bson.NewObjectID()
	insertDocument(t, coll, bson.D{{Key: "_id", Value: absent}})
	insertDocument(t, coll, bson.D{{Key: "_id", Value: null}, {Key: "note", Value: nil}, {Key: "customername", Value: nil}})
	insertDocument(t, coll, bson.D{{Key: "_id", Value: given}, {Key: "note", Value: "n"}})
	note := repo.F[customer, string]("Note")
	for name, c := range map[string]struct {
		opt  repo.Option
		want int
	}{"Null": {note.Null(), 2}, "NotNull": {note.NotNull(), 1}, "Ne": {note.Ne("x"), 1}} {
		found, err := r.Find(ctx, c.opt)
		check.Must(t, err)
		if len(found) != c.want {
			t.Errorf("%s finds %d, want %d", name, len(found), c.want)
		}
	}
}

// Spring stores a String id of 24 hex digits as an ObjectID, which the driver
// neither finds as text nor decodes into text.
func TestMongoDriver_SpringStringIDsAreObjectIDs(t *testing.T) {
	type springUser struct {
		ID   string `bson:"_id"`
		Name string
	}
	ctx := check.Bounded(t, time.Minute)
	coll := mongodb.Database(t).Collection("users")
	oid := bson.NewObjectID()
	insertDocument(t, coll, bson.D{{Key: "_id", Value: oid}, {Key: "name", Value: "Ada"}, {Key: "_class", Value: "shop.User"}})

	plain, err := mongorepo.New[springUser](coll, nil)
	check.Must(t, err)
	if _, err := plain.Find(ctx); err == nil {
		t.Error("an ObjectID was decoded into text without being asked for")
	}

	r, err := mongorepo.New[springUser](coll, &mongorepo.Options{HexIDs: true})
	check.Must(t, err)
	e, err := r.FindByID(ctx, oid.Hex())
	check.Must(t, err)
	if e.ID != oid.Hex() || e.Name != "Ada" {
		t.Errorf("read %+v", e)
	}
	e.Name = "Grace"
	made := &springUser{Name: "new"}
	word := &springUser{ID: "a word", Name: "text"}
	check.Must(t, r.SaveAll(ctx, []*springUser{e, made, word}))
	if raw := storedDocument(t, coll, oid); raw.Lookup("name").StringValue() != "Grace" || !hasField(raw, "_class") {
		t.Errorf("stored: %s", raw)
	}
	madeID, err := bson.ObjectIDFromHex(made.ID)
	check.Must(t, err)
	storedDocument(t, coll, madeID)
	storedDocument(t, coll, "a word")
	id := repo.F[springUser, string]("ID")
	for _, opt := range []repo.Option{id.Eq(oid.Hex()), id.In(oid.Hex(), "nobody")} {
		if n, err := r.Count(ctx, opt); n != 1 || err != nil {
			t.Errorf("by condition: %d, %v", n, err)
		}
	}
}

// Replacing the document would take away what other programs keep in it.
func TestMongoDriver_UnknownFieldsSurvive(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	for name, write := range map[string]func(r *mongorepo.Repository[customer], e *customer) error{
		"Save":    func(r *mongorepo.Repository[customer], e *customer) error { return r.Save(ctx, e) },
		"SaveAll": func(r *mongorepo.Repository[customer], e *customer) error { return r.SaveAll(ctx, []*customer{e}) },
		"Update": func(r *mongorepo.Repository[customer], e *customer) error {
			_, err := r.Update(ctx, e.ID, func(c *customer) error { *c = *e; return nil })
			return err
		},
		"Replace": func(r *mongorepo.Repository[customer], e *customer) error { return smartSaveCustomer(ctx, r, e) },
		"Merge": func(r *mongorepo.Repository[customer], e *customer) error {
			return smartSaveCustomer(ctx, r, e, repo.Merge())
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, coll := mongodb.Repository[customer](t, nil)
			id := bson.NewObjectID()
			insertDocument(t, coll, bson.D{{Key: "_id", Value: id}, {Key: "_class", Value: "shop.Customer"}, {Key: "customername", Value: "old"}})
			check.Must(t, write(r, &customer{ID: id, CustomerName: "new", Visits: 7}))
			raw := storedDocument(t, coll, id)
			if raw.Lookup("customername").StringValue() != "new" || raw.Lookup("visits").AsInt64() != 7 || !hasField(raw, "_class") {
				t.Errorf("stored: %s", raw)
			}
		})
	}
}

func smartSaveCustomer(ctx context.Context, r *mongorepo.Repository[customer], e *customer, opts ...repo.SmartSaveOption) error {
	doc := fmt.Sprintf(`{"id": %q, "customerName": %q, "visits": %d}`, e.ID.Hex(), e.CustomerName, e.Visits)
	_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{doc}}, opts...)
	return err
}

// Setting the fields that the codec gives would leave a cleared omitempty field
// as it was.
func TestMongoDriver_ClearedOmitemptyFieldsGo(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[customer](t, nil)
	e := &customer{CustomerName: "Ada", Phone: "123"}
	check.Must(t, r.Save(ctx, e))
	e.Phone = ""
	check.Must(t, r.Save(ctx, e))
	if raw := storedDocument(t, coll, e.ID); hasField(raw, "phone") {
		t.Errorf("after Save: %s", raw)
	}
	e.Phone = "456"
	check.Must(t, r.Save(ctx, e))
	_, err := r.Update(ctx, e.ID, func(c *customer) error { c.Phone = ""; return nil })
	check.Must(t, err)
	if raw := storedDocument(t, coll, e.ID); hasField(raw, "phone") {
		t.Errorf("after Update: %s", raw)
	}
}

// The server's index of a failed write counts from the start of the command
// that the driver made, and folding moves elements too.
func TestMongoDriver_BulkErrorsNameTheCallersElements(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[customer](t, nil)
	_, err := coll.Indexes().CreateOne(ctx, mongo.IndexModel{
		Keys: bson.D{{Key: "customername", Value: 1}}, Options: options.Index().SetUnique(true),
	})
	check.Must(t, err)
	old := &customer{CustomerName: "taken"}
	other := &customer{CustomerName: "other"}
	check.Must(t, r.SaveAll(ctx, []*customer{old, other}))

	first := *other // folded away by the later one
	other.CustomerName = "taken"
	list := []*customer{
		&first,
		{CustomerName: "fine"},
		{CustomerName: "taken"}, // 2: a new one
		{ID: bson.NewObjectID(), CustomerName: "fine too"},
		other, // 4: a stored one
		{ID: bson.NewObjectID(), CustomerName: "taken"}, // 5: one with a key that is not stored
		{CustomerName: "last"},
	}
	err = r.SaveAll(ctx, list)
	batch, ok := errors.AsType[*repo.BatchError](err)
	if !ok || len(batch.Items) != 3 {
		t.Fatalf("got %v, want three elements named", err)
	}
	for i, want := range []int{2, 4, 5} {
		if it := batch.Items[i]; it.Index != want || !errors.Is(it, repo.ErrDuplicateKey) {
			t.Errorf("item %d: %v, want a duplicate key of element %d", i, it, want)
		}
	}
	if !list[2].ID.IsZero() {
		t.Error("an entity that was not inserted kept its new key")
	}
	found, err := r.Find(ctx, repo.F[customer, string]("CustomerName").Asc())
	check.Must(t, err)
	var names []string
	for _, e := range found {
		names = append(names, e.CustomerName)
	}
	if got := fmt.Sprint(names); got != "[fine fine too last other taken]" {
		t.Errorf("stored are %s", got)
	}
}

// Two inserts of one key are one insert and one duplicate.
func TestMongoDriver_SameKeyTwiceIsOneInsert(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, _ := mongodb.Repository[versionedTally](t, nil)
	first, second := &versionedTally{ID: "a", N: 1}, &versionedTally{ID: "a", N: 2}
	check.Must(t, r.SaveAll(ctx, []*versionedTally{first, second}))
	e, err := r.FindByID(ctx, "a")
	check.Must(t, err)
	if e.N != 2 || e.Rev != 1 || second.Rev != 1 || first.Rev != 0 {
		t.Errorf("stored %+v, first %+v, second %+v", e, first, second)
	}
}
