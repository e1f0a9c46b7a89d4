package mongoharness

import (
	"context"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

// New makes repositories in one database, each in a collection of its
// own with the unique indexes of the gorm tags.
func New(t *testing.T) repotest.Harness {
	t.Helper()
	db := mongodb.Database(t)
	large := 0
	if os.Getenv("MONGODB_URI") == "" {
		// The stand-in looks through the whole collection for every update,
		// so that the usual length takes minutes.
		large = 120
	}
	return repotest.Harness{
		Large: large,
		Features: repotest.Features{
			Update: true, Reader: true, Writer: true, IsolatedUpdate: true, CaseSensitiveText: true,
			Transactions: mongodb.HasTransactions(t, db),
		},
		Items:    mongoMaker[repotest.Item](db),
		Autos:    mongoMaker[repotest.Auto](db),
		Pairs:    mongoMaker[repotest.Pair](db),
		Lines:    mongoMaker[repotest.Line](db),
		Pointed:  mongoMaker[repotest.Pointed](db),
		Sealed:   mongoMaker[repotest.Sealed](db),
		Assigned: mongoMaker[repotest.Assigned](db),
		Plain:    mongoMaker[repotest.Plain](db),
		Coded:    mongoMaker[repotest.Coded](db),
		Told:     mongoMaker[repotest.Told](db),
		Marked:   mongoMaker[repotest.Marked](db),
		FromZero: func(t *testing.T) repo.Repository[repotest.Marked] {
			t.Helper()
			r, err := mongorepo.New[repotest.Marked](mongoCollection[repotest.Marked](t, db), &mongorepo.Options{VersionFromZero: true})
			if err != nil {
				t.Fatal(err)
			}
			return r
		},
		Stamped:  mongoMaker[repotest.Stamped](db),
		Unmarked: mongoMaker[repotest.Unmarked](db),
		Native:   func(n int64) any { return bson.D{{Key: "stock", Value: bson.D{{Key: "$gt", Value: n}}}} },
	}
}

func mongoMaker[T any](db *mongo.Database) func(t *testing.T) repo.Repository[T] {
	return func(t *testing.T) repo.Repository[T] {
		t.Helper()
		coll := mongoCollection[T](t, db)
		opts := &mongorepo.Options{}
		if reflect.TypeFor[T]() == reflect.TypeFor[repotest.Auto]() {
			opts.NewID = Numbers()
		}
		r, err := mongorepo.New[T](coll, opts)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

// mongoCollection makes a collection with the unique indexes that the gorm tags
// of T name, dropped with the test.
func mongoCollection[T any](t *testing.T, db *mongo.Database) *mongo.Collection {
	t.Helper()
	ctx := check.Bounded(t, time.Minute)
	coll := db.Collection(servers.UniqueName("c_"))
	if err := db.CreateCollection(ctx, coll.Name()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := coll.Drop(ctx); err != nil {
			t.Errorf("dropping the collection: %v", err)
		}
	})
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if !strings.Contains(f.Tag.Get("gorm"), "uniqueIndex") {
			continue
		}
		name, settings, _ := strings.Cut(f.Tag.Get("bson"), ",")
		index := options.Index().SetUnique(true)
		if strings.Contains(settings, "omitempty") && os.Getenv("MONGODB_URI") != "" {
			// To MongoDB a missing field is one value, to SQL and to the
			// stand-in, which does not know sparse indexes, it is none.
			index.SetSparse(true)
		}
		if _, err := coll.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: bson.D{{Key: name, Value: 1}}, Options: index}); err != nil {
			t.Fatal(err)
		}
	}
	return coll
}

// Numbers are ids as a sequence gives them.
func Numbers() func(context.Context) (any, error) {
	var last atomic.Int64
	return func(context.Context) (any, error) { return last.Add(1), nil }
}
