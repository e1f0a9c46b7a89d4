package shapes_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

func TestMongoShapes_AreKept(t *testing.T) {
	t.Parallel()
	db, rnd := mongodb.Database(t), shapeRandom(t)
	for _, s := range shapes() {
		t.Run(s.name, func(t *testing.T) { s.mongo(t, db, rnd) })
	}
}

// keepDocuments compares documents, in which another program keeps members too.
func keepDocuments[T any](t *testing.T, db *mongo.Database, rnd *rand.Rand) {
	t.Helper()
	coll := db.Collection(servers.UniqueName("c_"))
	r, err := mongorepo.New[T](coll, nil)
	check.Must(t, err)
	keep(t, &keeper[T]{r: r, rnd: rnd, column: documentPath, rows: func() []map[string]any {
		addMembers(t, coll)
		return lo.Map(documentsOf(t, coll), func(doc bson.Raw, _ int) map[string]any { return flatDocument(t, doc, "", map[string]any{}) })
	}})
}

func documentsOf(t *testing.T, coll *mongo.Collection) (list []bson.Raw) {
	t.Helper()
	cur, err := coll.Find(check.Bounded(t, time.Minute), bson.D{})
	check.Must(t, err)
	check.Must(t, cur.All(check.Bounded(t, time.Minute), &list))
	return list
}

// addMembers puts a member that the type does not have into every document.
func addMembers(t *testing.T, coll *mongo.Collection) {
	t.Helper()
	for _, doc := range documentsOf(t, coll) {
		if _, err := doc.LookupErr("_class"); err == nil {
			continue
		}
		set := bson.D{{Key: "_class", Value: "shop.Shape"}}
		elems, err := doc.Elements()
		check.Must(t, err)
		for _, el := range elems {
			if _, nested := el.Value().DocumentOK(); nested && el.Key() != "_id" {
				set = append(set, bson.E{Key: el.Key() + ".others", Value: 7})
			}
		}
		_, err = coll.UpdateOne(check.Bounded(t, time.Minute), bson.D{{Key: "_id", Value: doc.Lookup("_id")}}, bson.D{{Key: "$set", Value: set}})
		check.Must(t, err)
	}
}

// flatDocument adds the members of a document by their paths.
func flatDocument(t *testing.T, doc bson.Raw, prefix string, to map[string]any) map[string]any {
	t.Helper()
	elems, err := doc.Elements()
	check.Must(t, err)
	for _, el := range elems {
		if inner, ok := el.Value().DocumentOK(); ok {
			flatDocument(t, inner, prefix+el.Key()+".", to)
		} else {
			to[prefix+el.Key()] = el.Value().String()
		}
	}
	return to
}

// documentPath is where a field of a shape is in its document.
func documentPath(f *schema.Field) string {
	path := strings.ToLower(strings.Join(f.BindNames, "."))
	switch {
	case f.Tag.Get("bson") == "_id":
		return "_id"
	case f.PrimaryKey:
		return "_id." + path
	default:
		return path
	}
}
