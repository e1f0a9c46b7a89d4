package mongorepo_test

import (
	"context"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// BenchmarkWrites shows what writing costs here and in the driver: the server answers
// at once.
func BenchmarkWrites(b *testing.B) {
	type row struct {
		ID    string `bson:"_id"`
		Name  string
		N     int64
		Parts []string
	}
	var documents []bson.Raw
	s, coll := newScript(b, nil)
	s.answer = func(name string, cmd bson.Raw) bson.D {
		s.seen = nil
		if collectionOf(cmd) != "c" || name == "aggregate" {
			return calm(name, cmd)
		}
		if name == "find" {
			return ok(bson.E{Key: "cursor", Value: bson.D{{Key: "id", Value: int64(0)}, {Key: "ns", Value: "db.c"}, {Key: "firstBatch", Value: documents}}})
		}
		if updates, isUpdate := cmd.Lookup("updates").ArrayOK(); isUpdate {
			list, _ := updates.Values()
			if len(list) == 1 && list[0].Document().Lookup("multi").Type == bson.TypeBoolean {
				documents = raisedBy(list[0].Document(), documents)
			}
			return matched(len(list))
		}
		return matched(1)
	}
	r, err := mongorepo.New[row](coll, nil)
	if err != nil {
		b.Fatal(err)
	}
	rows := make([]*row, 249)
	docs := make([]string, len(rows))
	for i := range rows {
		rows[i] = &row{ID: fmt.Sprint("id", i), Name: "some name", N: int64(i), Parts: []string{"a", "b"}}
		docs[i] = fmt.Sprintf(`{"ID": "id%d", "N": %d}`, i, -i-1)
		raw, err := bson.Marshal(rows[i])
		if err != nil {
			b.Fatal(err)
		}
		documents = append(documents, raw)
	}
	fenced := driver.WithFence(context.Background(), turnOf("orders"))
	for _, way := range []struct {
		name string
		do   func() error
	}{
		{"Save", func() error { return r.Save(context.Background(), rows[0]) }},
		{"SaveAll100", func() error { return r.SaveAll(context.Background(), rows[:100]) }},
		{"FencedMerge249", func() error {
			_, err := r.SmartSave(fenced, repo.SmartSaveDTO{EntityList: docs}, repo.Merge())
			return err
		}},
	} {
		b.Run(way.name, func(b *testing.B) {
			for b.Loop() {
				if err := way.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// raisedBy are the documents with the claims of an update.
func raisedBy(update bson.Raw, documents []bson.Raw) []bson.Raw {
	set, _ := update.Lookup("u", "$set").Document().Elements()
	var fence bson.D
	for _, el := range set {
		fence = append(fence, bson.E{Key: el.Key()[len("_f."):], Value: el.Value()})
	}
	out := make([]bson.Raw, len(documents))
	for i, raw := range documents {
		var doc bson.D
		_ = bson.Unmarshal(raw, &doc)
		if doc[len(doc)-1].Key == "_f" {
			doc = doc[:len(doc)-1]
		}
		out[i], _ = bson.Marshal(append(doc, bson.E{Key: "_f", Value: fence}))
	}
	return out
}
