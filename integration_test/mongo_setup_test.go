package integration_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// mongoRepository makes a repository on an empty collection of its own.
func mongoRepository[T any](t *testing.T, opts *mongorepo.Options) (*mongorepo.Repository[T], *mongo.Collection) {
	t.Helper()
	coll := mongoDatabase(t).Collection(uniqueName("c_"))
	r, err := mongorepo.New[T](coll, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r, coll
}

// storedDocument reads what is really in the collection.
func storedDocument(t *testing.T, coll *mongo.Collection, id any) bson.Raw {
	t.Helper()
	raw, err := coll.FindOne(bounded(t, time.Minute), bson.D{{Key: "_id", Value: id}}).Raw()
	if err != nil {
		t.Fatalf("reading document %v: %v", id, err)
	}
	return raw
}

func insertDocument(t *testing.T, coll *mongo.Collection, doc bson.D) {
	t.Helper()
	if _, err := coll.InsertOne(bounded(t, time.Minute), doc); err != nil {
		t.Fatal(err)
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

// hasField tells whether the document has the field, null or not.
func hasField(raw bson.Raw, path ...string) bool {
	_, err := raw.LookupErr(path...)
	return err == nil
}

// newMonitoredClient returns a client that reports each command it sends.
func newMonitoredClient(t *testing.T, report func(name string, cmd bson.Raw)) *mongo.Client {
	t.Helper()
	cli, err := mongo.Connect(options.Client().ApplyURI(mongoURI(t)).SetMonitor(&event.CommandMonitor{
		Started: func(_ context.Context, e *event.CommandStartedEvent) { report(e.CommandName, e.Command) },
	}))
	noError(t, err)
	t.Cleanup(func() {
		if err := cli.Disconnect(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return cli
}
