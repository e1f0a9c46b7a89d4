package mongodb

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// Database returns an empty database of [embedded.MongoURI] for this test alone,
// dropped at its end.
func Database(t testing.TB) *mongo.Database {
	t.Helper()
	db := NewClient(t, embedded.MongoURI(t)).Database(servers.UniqueName("holdfast_test_"))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := db.Drop(ctx); err != nil {
			t.Errorf("dropping the test's database: %v", err)
		}
	})
	return db
}

// NewClient returns a client that is closed with the test.
func NewClient(t testing.TB, uri string) *mongo.Client {
	t.Helper()
	cli, err := mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(10 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := cli.Disconnect(ctx); err != nil {
			t.Errorf("closing the mongodb client: %v", err)
		}
	})
	return cli
}

// HasTransactions tells whether the server is one with transactions. The stand-in is not.
func HasTransactions(t *testing.T, db *mongo.Database) bool {
	t.Helper()
	var hello struct {
		SetName string `bson:"setName"`
		Msg     string `bson:"msg"`
	}
	if err := db.RunCommand(check.Bounded(t, time.Minute), bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		t.Fatal(err)
	}
	return hello.SetName != "" || hello.Msg == "isdbgrid"
}

// Repository makes a repository on an empty collection of its own.
func Repository[T any](t *testing.T, opts *mongorepo.Options) (*mongorepo.Repository[T], *mongo.Collection) {
	t.Helper()
	coll := Database(t).Collection(servers.UniqueName("c_"))
	r, err := mongorepo.New[T](coll, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r, coll
}

// NewMonitoredClient returns a client that reports each command it sends.
func NewMonitoredClient(t *testing.T, report func(name string, cmd bson.Raw)) *mongo.Client {
	t.Helper()
	cli, err := mongo.Connect(options.Client().ApplyURI(embedded.MongoURI(t)).SetMonitor(&event.CommandMonitor{
		Started: func(_ context.Context, e *event.CommandStartedEvent) { report(e.CommandName, e.Command) },
	}))
	check.Must(t, err)
	t.Cleanup(func() {
		if err := cli.Disconnect(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return cli
}
