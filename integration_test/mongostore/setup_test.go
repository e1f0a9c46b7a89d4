package mongostore_test

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
)

// storedDocument reads what is really in the collection.
func storedDocument(t *testing.T, coll *mongo.Collection, id any) bson.Raw {
	t.Helper()
	raw, err := coll.FindOne(check.Bounded(t, time.Minute), bson.D{{Key: "_id", Value: id}}).Raw()
	if err != nil {
		t.Fatalf("reading document %v: %v", id, err)
	}
	return raw
}

func insertDocument(t *testing.T, coll *mongo.Collection, doc bson.D) {
	t.Helper()
	if _, err := coll.InsertOne(check.Bounded(t, time.Minute), doc); err != nil {
		t.Fatal(err)
	}
}

// hasField tells whether the document has the field, null or not.
func hasField(raw bson.Raw, path ...string) bool {
	_, err := raw.LookupErr(path...)
	return err == nil
}
