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
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/internal/devserver"
)

const (
	standInClients = 8
	standInUpdates = 60 // acknowledged updates of each client
)

// The stand-in must be as atomic on one document as MongoDB is, or every test
// of the lock on it would count the losses of FerretDB.
func TestStandIn_LosesNoUpdate(t *testing.T) {
	srv := startStandIn(t)
	for name, update := range standInUpdateKinds() {
		t.Run(name, func(t *testing.T) {
			if lost := countLost(t, srv.MongoURI(), update); lost != 0 {
				t.Errorf("%d of %d acknowledged updates lost", lost, standInClients*standInUpdates)
			}
		})
	}
}

// Without the proxy the same server loses updates; this is why the proxy is
// there, and the proof that the test above can fail.
func TestStandIn_RawServerLosesUpdates(t *testing.T) {
	srv := startStandIn(t)
	total := 0
	for name, update := range standInUpdateKinds() {
		lost := countLost(t, srv.RawURI(), update)
		t.Logf("%s without the proxy: %d of %d acknowledged updates lost", name, lost, standInClients*standInUpdates)
		total += lost
	}
	if total == 0 {
		t.Error("nothing was lost: either FerretDB has become atomic and the proxy can go, or this test sees nothing")
	}
}

type updateFunc func(ctx context.Context, coll *mongo.Collection) error

func standInUpdateKinds() map[string]updateFunc {
	return map[string]updateFunc{
		"Inc": func(ctx context.Context, coll *mongo.Collection) error {
			_, err := coll.UpdateByID(ctx, 1, bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}})
			return err
		},
		"FindOneAndUpdate": compareAndSet,
	}
}

// compareAndSet adds one to n by reading it and writing the sum on condition
// that it has not changed.
func compareAndSet(ctx context.Context, coll *mongo.Collection) error {
	for {
		var doc struct{ N int }
		if err := coll.FindOne(ctx, bson.D{{Key: "_id", Value: 1}}).Decode(&doc); err != nil {
			return err
		}
		err := coll.FindOneAndUpdate(ctx,
			bson.D{{Key: "_id", Value: 1}, {Key: "n", Value: doc.N}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "n", Value: doc.N + 1}}}}).Err()
		if !errors.Is(err, mongo.ErrNoDocuments) {
			return err
		}
	}
}

// countLost lets several clients update one document and returns how many of
// their acknowledged updates are missing at the end.
func countLost(t *testing.T, uri string, update updateFunc) int {
	t.Helper()
	ctx := check.Bounded(t, time.Minute)
	first := mongodb.NewClient(t, uri)
	db := servers.UniqueName("standin_")
	coll := first.Database(db).Collection("c")
	if _, err := coll.InsertOne(ctx, bson.D{{Key: "_id", Value: 1}, {Key: "n", Value: 0}}); err != nil {
		t.Fatal(err)
	}
	var g errgroup.Group
	for range standInClients {
		cli := mongodb.NewClient(t, uri)
		g.Go(func() error {
			c := cli.Database(db).Collection("c")
			for range standInUpdates {
				if err := update(ctx, c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	var doc struct{ N int }
	if err := coll.FindOne(ctx, bson.D{{Key: "_id", Value: 1}}).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	return standInClients*standInUpdates - doc.N
}

// A command that wants no answer gets none from MongoDB, but one from
// FerretDB. Were it passed on, the next command would read it as its own.
func TestStandIn_UnacknowledgedWrite(t *testing.T) {
	srv := startStandIn(t)
	ctx := check.Bounded(t, time.Minute)
	cli := mongodb.NewClient(t, srv.MongoURI())
	coll := cli.Database(servers.UniqueName("standin_")).Collection("c",
		options.Collection().SetWriteConcern(writeconcern.Unacknowledged()))
	for i := range 20 {
		if _, err := coll.InsertOne(ctx, bson.D{{Key: "_id", Value: i}}); err != nil {
			t.Fatal(err)
		}
		if err := cli.Ping(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStandIn_UniqueIDs(t *testing.T) {
	srv := startStandIn(t)
	ctx := check.Bounded(t, time.Minute)
	coll := mongodb.NewClient(t, srv.MongoURI()).Database(servers.UniqueName("standin_")).Collection("c")
	doc := bson.D{{Key: "_id", Value: 1}}
	if _, err := coll.InsertOne(ctx, doc); err != nil {
		t.Fatal(err)
	}
	if _, err := coll.InsertOne(ctx, doc); !mongo.IsDuplicateKeyError(err) {
		t.Errorf("second insert: %v, want a duplicate key error", err)
	}
}

// A bulk update must do as MongoDB does: go on after a failure when it is
// unordered, name each failure by its place, say what was inserted, and take
// any number of statements.
func TestStandIn_BulkUpdate(t *testing.T) {
	srv := startStandIn(t)
	ctx := check.Bounded(t, time.Minute)
	coll := mongodb.NewClient(t, srv.MongoURI()).Database(servers.UniqueName("standin_")).Collection("c")
	unique := mongo.IndexModel{Keys: bson.D{{Key: "u", Value: 1}}, Options: options.Index().SetUnique(true)}
	if _, err := coll.Indexes().CreateOne(ctx, unique); err != nil {
		t.Fatal(err)
	}
	upsert := func(id, u int) mongo.WriteModel {
		return mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: id}}).
			SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: "u", Value: u}}}}).SetUpsert(true)
	}
	var many []mongo.WriteModel
	for i := range 150 {
		many = append(many, upsert(i, i))
	}
	for range 2 { // inserting, then matching
		if _, err := coll.BulkWrite(ctx, many); err != nil {
			t.Fatal(err)
		}
	}
	taken := []mongo.WriteModel{upsert(200, 200), upsert(201, 0), upsert(1, 0), upsert(2, 1000), upsert(202, 202)}
	for _, ordered := range []bool{false, true} {
		res, err := coll.BulkWrite(ctx, taken, options.BulkWrite().SetOrdered(ordered))
		failed, ok := errors.AsType[mongo.BulkWriteException](err)
		var places []int
		for _, e := range failed.WriteErrors {
			places = append(places, e.Index)
		}
		if want := map[bool]string{false: "[1 2]", true: "[1]"}[ordered]; !ok || fmt.Sprint(places) != want || !mongo.IsDuplicateKeyError(err) {
			t.Errorf("ordered %t: %v, want duplicate keys at %s", ordered, err, want)
		}
		if !ordered && (res.UpsertedCount != 2 || res.MatchedCount != 1 || res.UpsertedIDs[4] == nil) {
			t.Errorf("unordered: %+v", res)
		}
	}
	err := coll.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: 1}}, bson.D{{Key: "$set", Value: bson.D{{Key: "u", Value: 0}}}}).Err()
	if !mongo.IsDuplicateKeyError(err) {
		t.Errorf("findOneAndUpdate: %v, want a duplicate key", err)
	}
}

// A hello that waits for news must not hold up the commands of others: the
// driver keeps one open for each client.
func TestStandIn_ManyClientsStayConnected(t *testing.T) {
	srv := startStandIn(t)
	ctx := check.Bounded(t, time.Minute)
	var g errgroup.Group
	for i := range 20 {
		cli := mongodb.NewClient(t, srv.MongoURI())
		g.Go(func() error {
			for range 5 {
				if err := cli.Ping(ctx, nil); err != nil {
					return fmt.Errorf("client %d: %w", i, err)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

func startStandIn(t *testing.T) *devserver.Mongo {
	t.Helper()
	srv, err := devserver.StartMongo(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv
}
