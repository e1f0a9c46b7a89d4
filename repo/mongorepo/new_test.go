package mongorepo_test

import (
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

type thing struct {
	ID   bson.ObjectID `bson:"_id"`
	Name string        `json:"fullName"`
}

// collection belongs to a server that is not there: what these tests look at
// must be decided before anything is sent.
func collection(t *testing.T, opts *options.BSONOptions) *mongo.Collection {
	t.Helper()
	cli, err := mongo.Connect(options.Client().ApplyURI("mongodb://127.0.0.1:1").
		SetServerSelectionTimeout(time.Millisecond).SetBSONOptions(opts))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cli.Disconnect(t.Context()); err != nil && !errors.Is(err, t.Context().Err()) {
			t.Error(err)
		}
	})
	return cli.Database("db").Collection("c")
}

func TestNew_RefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	coll := collection(t, nil)
	if _, err := mongorepo.New[thing](nil, nil); !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("nil collection: %v", err)
	}
	if _, err := mongorepo.New[int](coll, nil); !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("no struct: %v", err)
	}
	if _, err := mongorepo.New[struct{ Name string }](coll, nil); !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("no key: %v", err)
	}
	type marked struct {
		ID  int
		Rev string `holdfast:"version"`
	}
	if _, err := mongorepo.New[marked](coll, nil); !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("a text as version: %v", err)
	}
	hex := &options.BSONOptions{ObjectIDAsHexString: true}
	for name, coll := range map[string]*mongo.Collection{"Client": collection(t, hex), "Repository": coll} {
		opts := &mongorepo.Options{HexIDs: true}
		if name == "Repository" {
			opts.BSON = hex
		}
		if _, err := mongorepo.New[thing](coll, opts); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("ObjectIDs read as text, %s: %v", name, err)
		}
	}
	if _, err := mongorepo.New[thing](coll, &mongorepo.Options{Tombstones: true, ShardKey: []string{"Name"}}); !errors.Is(err, repo.ErrUnsupported) {
		t.Errorf("tombstones in shards: %v", err)
	}
}

// Names that differ between the repository and the rest of the program would
// be found in production only.
func TestNew_SeesThatTheClientUsesJSONTags(t *testing.T) {
	t.Parallel()
	json := &options.BSONOptions{UseJSONStructTags: true}
	for name, c := range map[string]struct {
		client, repository *options.BSONOptions
		ok                 bool
	}{
		"Neither":        {nil, nil, true},
		"Both":           {json, json, true},
		"OnlyClient":     {json, nil, true}, // taken over
		"OnlyRepository": {nil, json, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := mongorepo.New[thing](collection(t, c.client), &mongorepo.Options{BSON: c.repository})
			if c.ok != (err == nil) || !c.ok && !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestBadArgumentsNeedNoServer(t *testing.T) {
	t.Parallel()
	r, err := mongorepo.New[thing](collection(t, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	name := repo.F[thing, string]("Name")
	for call, err := range map[string]error{
		"SaveNil":       r.Save(ctx, nil),
		"SaveAllNil":    r.SaveAll(ctx, []*thing{{}, nil}),
		"DeleteNil":     r.Delete(ctx, nil),
		"BadID":         second(r.FindByID(ctx, 3.5)),
		"NilID":         second(r.ExistsByID(ctx, nil)),
		"SliceID":       r.DeleteByID(ctx, []string{"a"}),
		"ShortHex":      second(r.FindByID(ctx, "abc")),
		"BadIDInList":   second(r.FindAllByID(ctx, []any{bson.NewObjectID(), 1})),
		"BadIDToDelete": second(r.DeleteAllByID(ctx, []any{1})),
		"UnknownField":  second(r.Find(ctx, repo.F[thing, string]("Nobody").Eq("x"))),
		"BadLimit":      second(r.Find(ctx, repo.Limit(0))),
		"OtherKind":     second(r.Count(ctx, repo.F[thing, int]("Name").Eq(1))),
		"UpdateNil":     second(r.Update(ctx, bson.NewObjectID(), nil)),
		"InTxNil":       r.InTx(ctx, nil),
	} {
		if !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", call, err)
		}
	}
	if _, err := r.Find(ctx, name.Eq("a"), repo.Native(func() {})); !errors.Is(err, repo.ErrUnsupported) {
		t.Errorf("a native option of another store: %v, want ErrUnsupported", err)
	}
	if _, err := r.SmartSave(ctx, repo.SmartSaveDTO{}); !errors.Is(err, repo.ErrEmptySave) {
		t.Errorf("an empty list: %v, want ErrEmptySave", err)
	}
	var batch *repo.BatchError
	if err := r.SaveAll(ctx, []*thing{{}, nil}); !errors.As(err, &batch) || len(batch.Items) != 1 || batch.Items[0].Index != 1 {
		t.Errorf("SaveAll with a nil entity: %v, want element 1 named", err)
	}
	for call, err := range map[string]error{
		"SaveAll": r.SaveAll(ctx, nil), "Delete": r.Delete(ctx),
		"FindAllByID": second(r.FindAllByID(ctx, nil)), "DeleteAllByID": second(r.DeleteAllByID(ctx, nil)),
	} {
		if err != nil {
			t.Errorf("%s of nothing: %v", call, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
