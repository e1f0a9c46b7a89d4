package mongostore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

// formRow, formPair and so on have a key that the codec reads in more forms than it
// writes.
type (
	formRow[K any] struct {
		ID   K `bson:"_id"`
		Name string
	}
	formPair struct {
		First  bson.ObjectID `gorm:"primaryKey"`
		Second int64         `gorm:"primaryKey;autoIncrement:false"`
		Name   string
	}
)

// keyForm stores a document with the key, reads it, saves it, and wants it in place
// or an error.
func keyForm[T any](t *testing.T, opts *mongorepo.Options, id any, kept bool, rename func(*T)) {
	t.Helper()
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[T](t, opts)
	insertDocument(t, coll, bson.D{{Key: "_id", Value: id}, {Key: "name", Value: "old"}})
	list, err := r.Find(ctx)
	if !kept {
		check.WantError(t, err, repo.ErrInvalid)
		return
	}
	check.Must(t, err)
	rename(list[0])
	check.Must(t, r.Save(ctx, list[0]))
	if n, err := coll.CountDocuments(ctx, bson.D{}); n != 1 || err != nil {
		t.Errorf("%d documents, %v", n, err)
	}
	if raw := storedDocument(t, coll, id); raw.Lookup("name").StringValue() != "new" {
		t.Errorf("stored %s", raw)
	}
}

// A key that the codec would write in another form than it is stored in makes a
// second document of the one that was read.
func TestMongoKeys_AnotherFormIsNotReadOrSavedInPlace(t *testing.T) {
	oid := bson.NewObjectID()
	oids := func(e *formRow[bson.ObjectID]) { e.Name = "new" }
	keyForm(t, nil, oid, true, oids)
	keyForm(t, nil, oid.Hex(), false, oids)
	texts := func(e *formRow[string]) { e.Name = "new" }
	keyForm(t, nil, oid.Hex(), true, texts)
	keyForm(t, nil, bson.Binary{Data: []byte("a")}, false, texts)
	numbers := func(e *formRow[int64]) { e.Name = "new" }
	for _, id := range []any{int32(5), int64(5), 5.0} {
		keyForm(t, nil, id, true, numbers)
	}
	keyForm(t, &mongorepo.Options{BSON: &options.BSONOptions{AllowTruncatingDoubles: true}}, 5.5, false, numbers)
	keyForm(t, nil, int32(5), true, func(e *formRow[float64]) { e.Name = "new" })
	seals := func(e *repotest.Sealed) { t.Errorf("read %+v", e) }
	keyForm(t, nil, bson.Binary{Subtype: 2, Data: make([]byte, 16)}, false, seals)
	pairs := func(e *formPair) { e.Name = "new" }
	keyForm(t, nil, bson.D{{Key: "first", Value: oid}, {Key: "second", Value: int32(1)}}, true, pairs)
	keyForm(t, nil, bson.D{{Key: "first", Value: oid.Hex()}, {Key: "second", Value: int32(1)}}, false, pairs)
}

// hexLine and hexOrder refer to others in nested documents and lists.
type hexLine struct {
	Product string `holdfast:"objectid" json:"product"`
	N       int    `json:"n"`
}

type hexOrder struct {
	ID   string `bson:"_id" json:"id"`
	Meta struct {
		Owner string   `holdfast:"objectid" json:"owner"`
		Note  string   `json:"note"`
		Last  *hexLine `json:"last"`
	} `json:"meta"`
	Lines []hexLine `json:"lines"`
	Named map[string]hexLine
	N     int `json:"n"`
}

// References in nested documents and in lists are ObjectIDs too.
func TestMongoHexIDs_NestedReferencesKeepTheirForm(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[hexOrder](t, &mongorepo.Options{HexIDs: true})
	owner, product, note := bson.NewObjectID(), bson.NewObjectID(), bson.NewObjectID().Hex()
	line := bson.D{{Key: "product", Value: product}, {Key: "n", Value: 1}}
	for name, change := range map[string]func(ctx context.Context, id string, e *hexOrder) error{
		"Save": func(ctx context.Context, _ string, e *hexOrder) error { return r.Save(ctx, e) },
		"Update": func(ctx context.Context, id string, e *hexOrder) error {
			_, err := r.Update(ctx, id, func(stored *hexOrder) error { *stored = *e; return nil })
			return err
		},
		"Merge": func(ctx context.Context, id string, e *hexOrder) error {
			doc := fmt.Sprintf(`{"id":%q,"n":%d,"lines":[{"product":%q,"n":1},{"product":"a word"}]}`, id, e.N, product.Hex())
			_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{doc}}, repo.Merge())
			return err
		},
	} {
		id := bson.NewObjectID()
		insertDocument(t, coll, bson.D{
			{Key: "_id", Value: id},
			{Key: "meta", Value: bson.D{{Key: "owner", Value: owner}, {Key: "note", Value: note}, {Key: "last", Value: line}}},
			{Key: "lines", Value: bson.A{line, line}},
		})
		e, err := r.FindByID(ctx, id.Hex())
		check.Must(t, err)
		if e.Meta.Owner != owner.Hex() || e.Meta.Note != note || e.Meta.Last.Product != product.Hex() || e.Lines[1].Product != product.Hex() {
			t.Fatalf("read %+v", e)
		}
		e.N, e.Lines[1] = 7, hexLine{Product: "a word"}
		check.Must(t, change(ctx, id.Hex(), e))
		raw := storedDocument(t, coll, id)
		for _, c := range []struct {
			want bson.ObjectID
			path []string
		}{{owner, []string{"meta", "owner"}}, {product, []string{"meta", "last", "product"}}, {product, []string{"lines", "0", "product"}}} {
			if got, ok := raw.Lookup(c.path...).ObjectIDOK(); !ok || got != c.want {
				t.Errorf("%s: %v is %s", name, c.path, raw)
			}
		}
		text, _ := raw.Lookup("meta", "note").StringValueOK()
		if word, _ := raw.Lookup("lines", "1", "product").StringValueOK(); text != note || word != "a word" || raw.Lookup("n").AsInt64() != 7 {
			t.Errorf("%s: stored %s", name, raw)
		}
	}
}
