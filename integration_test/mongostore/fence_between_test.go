package mongostore_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// A newer holder reads between the read and the write of what reads and writes
// in one call. Only the claims have changed in the document, and the write must
// not happen all the same.
func TestMongoFence_RefusesWhatWasReadByANewerHolderInBetween(t *testing.T) {
	merge := repo.SmartSaveDTO{EntityList: []string{`{"id": "a", "n": 9}`}}
	t.Run("Update", func(t *testing.T) {
		betweenReadAndWrite(t, &tally{ID: "a"}, func(ctx context.Context, r *mongorepo.Repository[tally]) error {
			_, err := r.Update(ctx, "a", func(e *tally) error { e.N = 9; return nil })
			return err
		})
	})
	t.Run("UpdateWithAVersion", func(t *testing.T) {
		betweenReadAndWrite(t, &versionedTally{ID: "a"}, func(ctx context.Context, r *mongorepo.Repository[versionedTally]) error {
			_, err := r.Update(ctx, "a", func(e *versionedTally) error { e.N = 9; return nil })
			return err
		})
	})
	t.Run("Merge", func(t *testing.T) {
		betweenReadAndWrite(t, &tally{ID: "a"}, func(ctx context.Context, r *mongorepo.Repository[tally]) error {
			_, err := r.SmartSave(ctx, merge, repo.Merge())
			return err
		})
	})
	t.Run("MergeWithAVersion", func(t *testing.T) {
		betweenReadAndWrite(t, &versionedTally{ID: "a"}, func(ctx context.Context, r *mongorepo.Repository[versionedTally]) error {
			_, err := r.SmartSave(ctx, merge, repo.Merge())
			return err
		})
	})
}

// betweenReadAndWrite calls change under a hold and lets a newer one read just
// before the first update is sent.
func betweenReadAndWrite[T any](t *testing.T, e *T, change func(ctx context.Context, r *mongorepo.Repository[T]) error) {
	t.Helper()
	ctx := check.Bounded(t, time.Minute)
	newer, coll := mongodb.Repository[T](t, nil)
	check.Must(t, newer.Save(ctx, e))
	var read atomic.Bool
	cli := mongodb.NewMonitoredClient(t, func(name string, _ bson.Raw) {
		if name == "update" && read.CompareAndSwap(false, true) {
			if _, err := newer.FindByID(mongoHeld(ctx, 2), "a"); err != nil {
				t.Error(err)
			}
		}
	})
	r, err := mongorepo.New[T](cli.Database(coll.Database().Name()).Collection(coll.Name()), nil)
	check.Must(t, err)
	check.WantError(t, change(mongoHeld(ctx, 1), r), repo.ErrFenced)
	if !read.Load() {
		t.Error("no update was sent: nothing came in between")
	}
	if n := storedDocument(t, coll, "a").Lookup("n").AsInt64(); n != 0 {
		t.Errorf("n is %d: the refused change was written", n)
	}
}

// Two calls under one hold are not kept apart by its claims alone, since those
// of the later call are newer: a merge asks for the very claims of its read.
func TestMongoFence_MergeSeesAnotherCallOfItsHold(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[tally](t, nil)
	check.Must(t, r.Save(ctx, &tally{ID: "a"}))
	hold := mongoHeld(ctx, 1)
	var saved atomic.Bool
	cli := mongodb.NewMonitoredClient(t, func(name string, _ bson.Raw) {
		if name == "update" && saved.CompareAndSwap(false, true) {
			if err := r.Save(hold, &tally{ID: "a", N: 5}); err != nil {
				t.Error(err)
			}
		}
	})
	merging, err := mongorepo.New[tally](cli.Database(coll.Database().Name()).Collection(coll.Name()), nil)
	check.Must(t, err)
	// The merge draws the claims of its write after those of the save.
	late := driver.WithFence(ctx, mongoLateFence{hold})
	_, err = merging.SmartSave(late, repo.SmartSaveDTO{EntityList: []string{`{"id": "a", "n": 9}`}}, repo.Merge())
	check.WantError(t, err, repo.ErrStale)
	wantTally(t, r, "a", 5)
}

// mongoLateFence draws from the fence of a context and adds a lead to all but the
// first draw, as if they came after those of other calls.
type mongoLateFence struct{ ctx context.Context }

func (f mongoLateFence) Claims() []repo.Claim {
	inner, _ := driver.FenceFrom(f.ctx)
	list := inner.Claims()
	if list[0].Sub > 1 {
		list[0].Sub += 100
	}
	return list
}
