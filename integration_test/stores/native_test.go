package stores_test

import (
	"context"
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// Native is part of the transaction, and of none of another database.
func TestNative_JoinsTheTransaction(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		r := linesOn(t, db)
		other := linesOn(t, sqldb.SQLite(t))
		undone := errors.New("undone")
		err := r.InTx(t.Context(), func(ctx context.Context) error {
			tx, err := r.Native(ctx)
			if err != nil {
				return err
			}
			if err := tx.Create(&line{ID: 1}).Error; err != nil {
				return err
			}
			var n int64
			if err := tx.Count(&n).Error; err != nil || n != 1 {
				t.Errorf("%d lines in the transaction, %v", n, err)
			}
			if _, err := other.Native(ctx); !errors.Is(err, repo.ErrInTx) {
				t.Errorf("on another database: %v", err)
			}
			return undone
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		tx, err := r.Native(t.Context())
		check.Must(t, err)
		var n int64
		check.Must(t, tx.Count(&n).Error)
		if n != 0 {
			t.Errorf("%d lines after the rollback", n)
		}
	})
}

func TestNative_IsTheCollection(t *testing.T) {
	t.Parallel()
	r, err := mongorepo.New[line](mongodb.Database(t).Collection("lines"), nil)
	check.Must(t, err)
	saveLines(t.Context(), t, r, 10, 200)
	coll, err := r.Native(t.Context())
	check.Must(t, err)
	n, err := coll.CountDocuments(t.Context(), bson.D{{Key: "group", Value: bson.D{{Key: "$lt", Value: 5}}}})
	check.Must(t, err)
	if n != 5 {
		t.Errorf("%d documents", n)
	}
	other := linesOn(t, sqldb.SQLite(t))
	check.Must(t, other.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := r.Native(ctx); !errors.Is(err, repo.ErrInTx) {
			t.Errorf("in the transaction of another database: %v", err)
		}
		return nil
	}))
}
