package integration_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

func TestMongoShapes_AreKept(t *testing.T) {
	t.Parallel()
	db, rnd := mongoDatabase(t), shapeRandom(t)
	for _, s := range shapes() {
		if !s.onlySQL {
			t.Run(s.name, func(t *testing.T) { s.fresh(t, db, rnd) })
		}
	}
}

// documentsOf makes a repository on an empty collection of the database.
func documentsOf[T any](t *testing.T, db any) repo.Repository[T] {
	t.Helper()
	r, err := mongorepo.New[T](db.(*mongo.Database).Collection(uniqueName("c_")), nil)
	noError(t, err)
	return r
}
