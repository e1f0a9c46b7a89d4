package mongostore_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

// hexBook refers to others, as Spring Data stores it.
type hexBook struct {
	ID     string `bson:"_id" json:"id"`
	Title  string
	Code   string   // of 24 hex digits, and no reference
	Author string   `holdfast:"objectid"`
	Seen   []string `holdfast:"objectid"`
}

// What is an ObjectID stays one and what is text stays text, whatever it looks like.
func TestMongoHexIDs_ReferencesKeepTheirForm(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[hexBook](t, &mongorepo.Options{HexIDs: true})
	code, author, seen := bson.NewObjectID().Hex(), bson.NewObjectID(), bson.A{bson.NewObjectID(), bson.NewObjectID()}
	next := bson.NewObjectID()
	ways := map[string]func(e *hexBook) error{
		"Save":    func(e *hexBook) error { return r.Save(ctx, e) },
		"SaveAll": func(e *hexBook) error { return r.SaveAll(ctx, []*hexBook{e, {Title: "other"}}) },
		"Update": func(e *hexBook) error {
			_, err := r.Update(ctx, e.ID, func(old *hexBook) error { *old = *e; return nil })
			return err
		},
		"Merge": func(e *hexBook) error {
			doc := fmt.Sprintf(`{"id":%q,"title":%q,"author":%q,"seen":[%q,"a word"]}`, e.ID, e.Title, e.Author, e.Seen[0])
			_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{doc}}, repo.Merge())
			return err
		},
	}
	for name, save := range ways {
		for _, changed := range []bool{false, true} {
			id := bson.NewObjectID()
			insertDocument(t, coll, bson.D{
				{Key: "_id", Value: id}, {Key: "title", Value: "old"}, {Key: "code", Value: code}, {Key: "author", Value: author}, {Key: "seen", Value: seen},
			})
			e, err := r.FindByID(ctx, id.Hex())
			check.Must(t, err)
			if e.Author != author.Hex() || e.Code != code || e.Seen[1] != seen[1].(bson.ObjectID).Hex() {
				t.Fatalf("read %+v", e)
			}
			want := author
			e.Title = "new"
			if changed {
				e.Author, want = next.Hex(), next
			}
			e.Seen[1] = "a word"
			check.Must(t, save(e))
			raw := storedDocument(t, coll, id)
			first, _ := raw.Lookup("seen", "0").ObjectIDOK()
			second, _ := raw.Lookup("seen", "1").StringValueOK()
			text, _ := raw.Lookup("code").StringValueOK()
			if got, ok := raw.Lookup("author").ObjectIDOK(); !ok || got != want || first != seen[0] || second != "a word" || text != code {
				t.Errorf("%s: stored %s", name, raw)
			}
			found, err := r.Find(ctx, repo.F[hexBook, string]("Author").Eq(e.Author), repo.F[hexBook, string]("Code").Eq(code), repo.F[hexBook, string]("ID").Eq(e.ID))
			check.Must(t, err)
			if len(found) != 1 {
				t.Errorf("%s: found %d", name, len(found))
			}
		}
	}
}

// An ObjectID where the type has text that is not marked would become text.
func TestMongoHexIDs_WhatWouldChangeIsNotRead(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[hexBook](t, &mongorepo.Options{HexIDs: true})
	id := bson.NewObjectID()
	insertDocument(t, coll, bson.D{{Key: "_id", Value: id}, {Key: "code", Value: bson.NewObjectID()}})
	if e, err := r.FindByID(ctx, id.Hex()); err == nil {
		t.Errorf("read %+v", e)
	}
	textID := bson.NewObjectID().Hex()
	insertDocument(t, coll, bson.D{{Key: "_id", Value: textID}, {Key: "title", Value: "text"}})
	_, err := r.Find(ctx, repo.F[hexBook, string]("Title").Eq("text"))
	check.WantError(t, err, repo.ErrInvalid)
}

func TestMongoUUIDs_AreThoseOfJava(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	id := repotest.Seal{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
	legacy, err := hex.DecodeString("7766554433221100ffeeddccbbaa9988")
	check.Must(t, err)
	forms := map[mongorepo.UUIDs]bson.Binary{
		mongorepo.UUIDsAsArrays:   {Subtype: 0, Data: id[:]},
		mongorepo.UUIDsStandard:   {Subtype: 4, Data: id[:]},
		mongorepo.UUIDsJavaLegacy: {Subtype: 3, Data: legacy},
	}
	for form, stored := range forms {
		r, coll := mongodb.Repository[repotest.Sealed](t, &mongorepo.Options{UUIDs: form})
		insertDocument(t, coll, bson.D{{Key: "_id", Value: stored}, {Key: "text", Value: "java"}})
		e, err := r.FindByID(ctx, id)
		check.Must(t, err)
		if e.ID != id || e.Text != "java" {
			t.Fatalf("%d: read %+v", form, e)
		}
		e.Text = "go"
		check.Must(t, r.Save(ctx, e))
		_, err = r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id":"` + hex.EncodeToString(id[:]) + `","text":"doc"}`}}, repo.Merge())
		check.Must(t, err)
		if raw := storedDocument(t, coll, stored); raw.Lookup("text").StringValue() != "doc" {
			t.Errorf("%d: stored %s", form, raw)
		}
		if n, err := coll.CountDocuments(ctx, bson.D{}); n != 1 || err != nil {
			t.Errorf("%d: %d documents, %v", form, n, err)
		}
		check.Must(t, r.DeleteByID(ctx, strings.ToUpper(hex.EncodeToString(id[:]))))
		for other, stored := range forms {
			if other == form {
				continue
			}
			insertDocument(t, coll, bson.D{{Key: "_id", Value: stored}})
			if _, err := r.Find(ctx); !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("%d reads what %d wrote: %v", form, other, err)
			}
			_, err := coll.DeleteMany(ctx, bson.D{})
			check.Must(t, err)
		}
	}
	coll := mongodb.Database(t).Collection("c")
	if _, err := mongorepo.New[repotest.Sealed](coll, &mongorepo.Options{UUIDs: mongorepo.UUIDsStandard, Registry: bson.NewRegistry()}); !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("with a registry: %v", err)
	}
}

type sharded struct {
	ID     string `bson:"_id"`
	Region string
	Part   struct{ Zone int }
	N      int
}

// An upsert names the shard key, without which a sharded collection refuses it.
func TestMongoShardKey_IsInTheFilterOfUpserts(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	var filters []bson.Raw
	client := mongodb.NewMonitoredClient(t, func(name string, cmd bson.Raw) {
		if name == "update" {
			filters = append(filters, slices.Clone(cmd.Lookup("updates", "0", "q").Document()))
		}
	})
	coll := client.Database(mongodb.Database(t).Name()).Collection("sharded")
	r, err := mongorepo.New[sharded](coll, &mongorepo.Options{ShardKey: []string{"Region", "Part.Zone", "ID"}})
	check.Must(t, err)
	e := &sharded{ID: "a", Region: "eu", N: 1}
	e.Part.Zone = 7
	check.Must(t, r.Save(ctx, e))
	e.N = 2
	check.Must(t, r.SaveAll(ctx, []*sharded{e}))
	if len(filters) != 2 {
		t.Fatalf("%d updates", len(filters))
	}
	for _, f := range filters {
		var names []string
		elems, err := f.Elements()
		check.Must(t, err)
		for _, el := range elems {
			names = append(names, el.Key())
		}
		slices.Sort(names)
		if fmt.Sprint(names) != "[_id part.zone region]" || f.Lookup("region").StringValue() != "eu" || f.Lookup("part.zone").AsInt64() != 7 {
			t.Errorf("the filter is %s", f)
		}
	}
	if got, err := r.FindByID(ctx, "a"); err != nil || *got != *e {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err = mongorepo.New[sharded](coll, &mongorepo.Options{ShardKey: []string{"Nowhere"}})
	check.WantError(t, err, repo.ErrInvalid)
}
