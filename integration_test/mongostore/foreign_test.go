package mongostore_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// The tests here are of documents that another program has written, such as
// Spring Data's, and of members that are not in the Go type.

// plainAndLocked runs a test on a repository and on a locked one.
func plainAndLocked[T any](t *testing.T, opts *mongorepo.Options, test func(ctx context.Context, t *testing.T, r repo.Repository[T], coll *mongo.Collection)) {
	t.Helper()
	t.Run("Plain", func(t *testing.T) {
		r, coll := mongodb.Repository[T](t, opts)
		test(check.Bounded(t, time.Minute), t, r, coll)
	})
	t.Run("Locked", func(t *testing.T) {
		inner, coll := mongodb.Repository[T](t, opts)
		r, err := lockedrepo.New[T](inner, locks.NewFleet(t, embedded.EtcdEndpoints(t)).Locker(nil), &lockedrepo.Options{Key: servers.UniqueName("key-")})
		check.Must(t, err)
		test(check.Bounded(t, time.Minute), t, r, coll)
	})
}

type versionedNote struct {
	ID      string `bson:"_id" json:"id"`
	Name    string `bson:"name" json:"name"`
	Version int64  `bson:"version" json:"version" holdfast:"version"`
}

// Hibernate and Spring Data begin with version 0, and what was stored before
// the type had a version has none: neither is new once it was read.
func TestMongoForeign_VersionZeroIsNotNew(t *testing.T) {
	saves := map[string]func(ctx context.Context, r repo.Repository[versionedNote], e *versionedNote) error{
		"Save": func(ctx context.Context, r repo.Repository[versionedNote], e *versionedNote) error {
			return r.Save(ctx, e)
		},
		"SaveAll": func(ctx context.Context, r repo.Repository[versionedNote], e *versionedNote) error {
			return r.SaveAll(ctx, []*versionedNote{{ID: "with " + e.ID}, e})
		},
		"SmartSave": func(ctx context.Context, r repo.Repository[versionedNote], e *versionedNote) error {
			doc := fmt.Sprintf(`{"id": %q, "name": %q, "version": 0}`, e.ID, e.Name)
			list, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{doc}})
			if err == nil {
				*e = *list[0]
			}
			return err
		},
	}
	plainAndLocked(t, nil, func(ctx context.Context, t *testing.T, r repo.Repository[versionedNote], coll *mongo.Collection) {
		for name, save := range saves {
			zero, none := "zero "+name, "none "+name
			insertDocument(t, coll, bson.D{{Key: "_id", Value: zero}, {Key: "name", Value: "n"}, {Key: "version", Value: int64(0)}, {Key: "_class", Value: "x"}})
			insertDocument(t, coll, bson.D{{Key: "_id", Value: none}, {Key: "name", Value: "n"}})
			for _, id := range []string{zero, none} {
				e, err := r.FindByID(ctx, id)
				check.Must(t, err)
				stale := *e
				e.Name = "changed"
				if err := save(ctx, r, e); err != nil || e.Version != 1 {
					t.Errorf("%s: version %d, %v", id, e.Version, err)
				}
				if name == "SmartSave" {
					continue // a document with version 0 replaces any
				}
				check.WantError(t, save(ctx, r, &stale), repo.ErrDuplicateKey)
				if got, err := r.FindByID(ctx, id); err != nil || got.Name != "changed" || got.Version != 1 {
					t.Errorf("%s: stored is %+v, %v", id, got, err)
				}
			}
			if !hasField(storedDocument(t, coll, zero), "_class") {
				t.Error("_class is lost")
			}
		}
	})
}

// A save that has nothing to set keeps what the type does not have, and the
// creation time.
func TestMongoForeign_NothingToSetKeepsTheRest(t *testing.T) {
	type note struct {
		ID      string    `bson:"_id" json:"id"`
		Text    string    `bson:"text,omitempty" json:"text"`
		Created time.Time `bson:"created" holdfast:"created" json:"created"`
	}
	old := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	plainAndLocked(t, nil, func(ctx context.Context, t *testing.T, r repo.Repository[note], coll *mongo.Collection) {
		insertDocument(t, coll, bson.D{{Key: "_id", Value: "a"}, {Key: "text", Value: "hello"}, {Key: "created", Value: old}, {Key: "_class", Value: "x.Note"}})
		e := &note{ID: "a"}
		check.Must(t, r.Save(ctx, e))
		raw := storedDocument(t, coll, "a")
		if !hasField(raw, "_class") || hasField(raw, "text") || !raw.Lookup("created").Time().Equal(old) || !e.Created.Equal(old) {
			t.Errorf("stored is %s, the entity says %s", raw, e.Created)
		}
		check.Must(t, r.Save(ctx, &note{ID: "new"}))
		if created := storedDocument(t, coll, "new").Lookup("created").Time(); created.IsZero() {
			t.Error("a new one has no creation time")
		}
	})
	type tag struct {
		ID string `bson:"_id" json:"id"`
	}
	plainAndLocked(t, nil, func(ctx context.Context, t *testing.T, r repo.Repository[tag], coll *mongo.Collection) {
		insertDocument(t, coll, bson.D{{Key: "_id", Value: "a"}, {Key: "price", Value: 12}})
		check.Must(t, r.SaveAll(ctx, []*tag{{ID: "a"}, {ID: "new"}}))
		if raw := storedDocument(t, coll, "a"); !hasField(raw, "price") {
			t.Errorf("price is lost: %s", raw)
		}
		storedDocument(t, coll, "new")
	})
}

// What the driver decodes objects of no type into is merged like any other
// object.
func TestMongoForeign_MergesObjectsWithoutAType(t *testing.T) {
	type event struct {
		ID      string         `bson:"_id" json:"id"`
		Payload any            `bson:"payload" json:"payload"`
		Attrs   map[string]any `bson:"attrs" json:"attrs"`
		M       bson.M         `bson:"m" json:"m"`
		D       bson.D         `bson:"d" json:"d"`
	}
	for name, decoding := range map[string]*options.BSONOptions{"D": nil, "M": {DefaultDocumentM: true}, "Map": {DefaultDocumentMap: true}} {
		t.Run(name, func(t *testing.T) {
			plainAndLocked(t, &mongorepo.Options{BSON: decoding}, func(ctx context.Context, t *testing.T, r repo.Repository[event], coll *mongo.Collection) {
				object := `{"a": 1, "b": {"x": 1, "y": 2}, "gone": {"x": 1}}`
				change := `{"b": {"x": 9, "new": [{"k": null}]}, "gone": null}`
				for _, doc := range []string{object, change} {
					_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{
						fmt.Sprintf(`{"id": "a", "payload": %[1]s, "attrs": %[1]s, "m": %[1]s, "d": %[1]s}`, doc),
					}}, repo.Merge())
					check.Must(t, err)
				}
				raw := storedDocument(t, coll, "a")
				for _, field := range []string{"payload", "attrs", "m", "d"} {
					for _, path := range [][]string{{field, "a"}, {field, "b", "x"}, {field, "b", "y"}, {field, "b", "new"}} {
						if !hasField(raw, path...) {
							t.Errorf("%v is lost: %s", path, raw)
						}
					}
					if hasField(raw, field, "gone") || raw.Lookup(field, "b", "x").AsInt64() != 9 {
						t.Errorf("%s is not merged: %s", field, raw)
					}
				}
			})
		})
	}
}

// bigText writes big.Int as text, which the driver's own registry writes as {}.
func bigText() *bson.Registry {
	reg := bson.NewRegistry()
	typ := reflect.TypeFor[*big.Int]()
	reg.RegisterTypeEncoder(typ, bson.ValueEncoderFunc(func(_ bson.EncodeContext, vw bson.ValueWriter, v reflect.Value) error {
		n, ok := reflect.TypeAssert[*big.Int](v)
		if !ok {
			return errors.New("no number")
		}
		return vw.WriteString(n.String())
	}))
	reg.RegisterTypeDecoder(typ, bson.ValueDecoderFunc(func(_ bson.DecodeContext, vr bson.ValueReader, v reflect.Value) error {
		s, err := vr.ReadString()
		if err != nil {
			return err
		}
		n, ok := new(big.Int).SetString(s, 10)
		if !ok {
			return errors.New("no number")
		}
		v.Set(reflect.ValueOf(n))
		return nil
	}))
	return reg
}

// The registry and the options that the user's other code writes with count
// here too.
func TestMongoForeign_RegistryAndOptionsAreTheCollections(t *testing.T) {
	type price struct {
		ID     string   `bson:"_id"`
		Amount *big.Int `bson:"amount"`
		Tags   []string `bson:"tags"`
	}
	registry := bigText()
	empty := &options.BSONOptions{NilSliceAsEmpty: true}
	ctx := check.Bounded(t, time.Minute)
	cli, err := mongo.Connect(options.Client().ApplyURI(embedded.MongoURI(t)).SetRegistry(registry).SetBSONOptions(empty))
	check.Must(t, err)
	t.Cleanup(func() { check.Must(t, cli.Disconnect(context.Background())) })
	db := mongodb.Database(t)
	for name, coll := range map[string]*mongo.Collection{
		"Client":     cli.Database(db.Name()).Collection(servers.UniqueName("c_")),
		"Collection": db.Collection(servers.UniqueName("c_"), options.Collection().SetRegistry(registry).SetBSONOptions(empty)),
	} {
		t.Run(name, func(t *testing.T) {
			r, err := mongorepo.New[price](coll, nil)
			check.Must(t, err)
			check.Must(t, r.Save(ctx, &price{ID: "a", Amount: big.NewInt(123456789)}))
			raw := storedDocument(t, coll, "a")
			if text, ok := raw.Lookup("amount").StringValueOK(); !ok || text != "123456789" || raw.Lookup("tags").Type != bson.TypeArray {
				t.Errorf("stored is %s", raw)
			}
			e, err := r.FindByID(ctx, "a")
			if err != nil || e.Amount.Int64() != 123456789 {
				t.Errorf("read is %+v, %v", e, err)
			}
			for what, opts := range map[string]*mongorepo.Options{
				"Registry": {Registry: bson.NewRegistry()}, "BSON": {BSON: &options.BSONOptions{}},
			} {
				if _, err := mongorepo.New[price](coll, opts); !errors.Is(err, repo.ErrInvalid) {
					t.Errorf("another %s: %v, want ErrInvalid", what, err)
				}
			}
		})
	}
}

// A composite _id of another order, or with _class in it, cannot be found or
// saved by its key. It is refused when it is read, and nothing is saved twice.
func TestMongoForeign_CompositeIDOfAnotherForm(t *testing.T) {
	type row struct {
		Tenant string `bson:"tenant" gorm:"primaryKey" json:"tenant"`
		Number int64  `bson:"number" gorm:"primaryKey" json:"number"`
		Name   string `bson:"name" json:"name"`
	}
	tenant := bson.E{Key: "tenant", Value: "a"}
	plainAndLocked(t, nil, func(ctx context.Context, t *testing.T, r repo.Repository[row], coll *mongo.Collection) {
		number := func(n any) bson.E { return bson.E{Key: "number", Value: n} }
		insertDocument(t, coll, bson.D{{Key: "_id", Value: bson.D{tenant, number(int32(1))}}}) // an equal key to MongoDB
		list, err := r.Find(ctx)
		check.Must(t, err)
		list[0].Name = "changed"
		check.Must(t, r.Save(ctx, list[0]))
		for _, id := range []bson.D{
			{number(int64(2)), tenant},
			{tenant, number(int64(3)), {Key: "_class", Value: "x.Key"}},
			{tenant},
		} {
			insertDocument(t, coll, bson.D{{Key: "_id", Value: id}})
			_, err := r.Find(ctx)
			check.WantError(t, err, repo.ErrInvalid)
			if _, err := coll.DeleteOne(ctx, bson.D{{Key: "_id", Value: id}}); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := coll.CountDocuments(ctx, bson.D{}); n != 1 || err != nil {
			t.Errorf("%d documents, want 1; %v", n, err)
		}
	})
}
