package mongostore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

func TestMongoFence_ListNamesWhatDidNotLand(t *testing.T) {
	ctx, r, _ := fencedTallies(t, nil, 1)
	check.Must(t, r.Save(ctx, &tally{ID: "b", N: 1}))
	_, err := r.FindByID(mongoHeld(ctx, 5), "b")
	check.Must(t, err)
	err = r.SaveAll(mongoHeld(ctx, 4), []*tally{{ID: "a", N: 2}, {ID: "b", N: 2}, {ID: "c", N: 2}})
	batch, ok := errors.AsType[*repo.BatchError](err)
	if !ok || len(batch.Items) != 1 || batch.Items[0].Index != 1 || batch.Items[0].ID != "b" {
		t.Fatalf("got %v, want a *repo.BatchError for element 1", err)
	}
	check.WantError(t, batch.Items[0], repo.ErrFenced)
	wantTally(t, r, "a", 2)
	wantTally(t, r, "b", 1)
	wantTally(t, r, "c", 2)
}

func TestMongoFence_TombstoneKeepsAStaleSaveOut(t *testing.T) {
	for name, del := range map[string]func(ctx context.Context, r *mongorepo.Repository[tally]) error{
		"Delete":     func(ctx context.Context, r *mongorepo.Repository[tally]) error { return r.Delete(ctx, &tally{ID: "a"}) },
		"DeleteByID": func(ctx context.Context, r *mongorepo.Repository[tally]) error { return r.DeleteByID(ctx, "a") },
		"Unfenced": func(ctx context.Context, r *mongorepo.Repository[tally]) error {
			if _, err := r.FindByID(ctx, "a"); err != nil { // the fence stays
				return err
			}
			return r.DeleteByID(driver.WithFence(ctx, nil), "a")
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, r, coll := fencedTallies(t, &mongorepo.Options{Tombstones: true}, 1)
			check.Must(t, del(mongoHeld(ctx, 5), r))
			check.WantError(t, r.Save(mongoHeld(ctx, 4), &tally{ID: "a", N: 2}), repo.ErrFenced)
			check.WantError(t, r.SaveAll(mongoHeld(ctx, 4), []*tally{{ID: "a", N: 2}}), repo.ErrFenced)
			wantHidden(ctx, t, r)
			if raw := storedDocument(t, coll, "a"); hasField(raw, "n") || !hasField(raw, "_f", "gone") {
				t.Errorf("the tombstone is %s", raw)
			}

			check.Must(t, r.Save(mongoHeld(ctx, 6), &tally{ID: "a", N: 3}))
			wantTally(t, r, "a", 3)
			if raw := storedDocument(t, coll, "a"); hasField(raw, "_f", "gone") {
				t.Errorf("what came back is %s", raw)
			}
			check.WantError(t, r.Save(mongoHeld(ctx, 5), &tally{ID: "a", N: 2}), repo.ErrFenced)
		})
	}
}

// wantHidden wants no method to find anything.
func wantHidden(ctx context.Context, t *testing.T, r *mongorepo.Repository[tally]) {
	t.Helper()
	_, err := r.FindByID(ctx, "a")
	check.WantError(t, err, repo.ErrNotFound)
	list, err := r.FindAllByID(ctx, []any{"a"})
	check.Must(t, err)
	found, err := r.Find(ctx)
	check.Must(t, err)
	n, err := r.Count(ctx)
	check.Must(t, err)
	there, err := r.ExistsByID(ctx, "a")
	check.Must(t, err)
	if len(list) != 0 || len(found) != 0 || n != 0 || there {
		t.Errorf("found by id %d, by query %d, counted %d, exists %t", len(list), len(found), n, there)
	}
	_, err = r.Update(ctx, "a", func(*tally) error { return nil })
	check.WantError(t, err, repo.ErrNotFound)
	check.Must(t, r.DeleteByID(ctx, "a"))
	deleted, err := r.DeleteAllByID(ctx, []any{"a"})
	check.Must(t, err)
	if deleted != 0 {
		t.Errorf("deleted %d of none", deleted)
	}
}

// Without tombstones the fence goes with the document: this is what they are
// for.
func TestMongoFence_WithoutTombstoneADeletedOneComesBack(t *testing.T) {
	ctx, r, _ := fencedTallies(t, nil, 1)
	check.Must(t, r.DeleteByID(mongoHeld(ctx, 5), "a"))
	check.Must(t, r.Save(mongoHeld(ctx, 4), &tally{ID: "a", N: 2}))
	wantTally(t, r, "a", 2)
}

func TestMongoFence_TombstonesArePruned(t *testing.T) {
	now := time.Now()
	ctx, r, coll := fencedTallies(t, &mongorepo.Options{Tombstones: true, Now: func() time.Time { return now }}, 1)
	check.Must(t, r.Save(ctx, &tally{ID: "b"}))
	check.Must(t, r.DeleteByID(mongoHeld(ctx, 5), "a"))
	n, err := r.PruneTombstones(ctx, time.Hour)
	check.Must(t, err)
	if n != 0 {
		t.Errorf("%d were pruned at once", n)
	}
	now = now.Add(2 * time.Hour)
	n, err = r.PruneTombstones(ctx, time.Hour)
	check.Must(t, err)
	left, err := coll.CountDocuments(ctx, bson.D{})
	check.Must(t, err)
	if n != 1 || left != 1 {
		t.Errorf("%d were pruned, %d documents are left, want one each", n, left)
	}
	_, err = r.PruneTombstones(ctx, 0)
	check.WantError(t, err, repo.ErrInvalid)
}

// A newer epoch makes lower tokens newer. Repositories that have the old one in
// mind find out when they are refused.
func TestMongoFence_AdvancedEpochIsNoticed(t *testing.T) {
	ctx, r, coll := fencedTallies(t, nil, 1)
	check.Must(t, r.Save(ctx, &tally{ID: "b"}))
	check.Must(t, r.SaveAll(mongoHeld(ctx, 900), []*tally{{ID: "a", N: 2}, {ID: "b", N: 2}}))
	restored := mongoHeld(ctx, 3)
	check.WantError(t, r.Save(restored, &tally{ID: "a", N: 3}), repo.ErrFenced)
	check.Must(t, mongorepo.AdvanceEpoch(ctx, coll.Database()))
	check.Must(t, r.Save(restored, &tally{ID: "a", N: 3}))
	wantTally(t, r, "a", 3)

	behind, err := mongorepo.New[tally](coll, nil)
	check.Must(t, err)
	_, err = behind.FindByID(restored, "a") // remembers epoch 1
	check.Must(t, err)
	for name, write := range map[string]func() error{
		"FindByID": func() error { _, err := behind.FindByID(restored, "b"); return err },
		"Save":     func() error { return behind.Save(restored, &tally{ID: "b", N: 3}) },
		"Update": func() error {
			_, err := behind.Update(restored, "b", func(e *tally) error { e.N++; return nil })
			return err
		},
		"SaveAll": func() error { return behind.SaveAll(restored, []*tally{{ID: "a", N: 3}, {ID: "b", N: 3}}) },
		"Merge": func() error {
			_, err := behind.SmartSave(restored, repo.SmartSaveDTO{EntityList: []string{`{"id": "b", "n": 4}`}}, repo.Merge())
			return err
		},
		"Delete": func() error { return behind.DeleteByID(restored, "b") },
	} {
		t.Run(name, func(t *testing.T) {
			check.Must(t, r.Save(ctx, &tally{ID: "b"}))
			check.Must(t, mongorepo.AdvanceEpoch(ctx, coll.Database()))
			fresh, err := mongorepo.New[tally](coll, nil)
			check.Must(t, err)
			check.Must(t, fresh.SaveAll(mongoHeld(ctx, 2), []*tally{{ID: "a", N: 2}, {ID: "b", N: 2}}))
			check.Must(t, write())
		})
	}
}

// bag is replaced whole, because its fields cannot be told.
type bag struct {
	ID     string         `bson:"_id"`
	Fields map[string]any `bson:",inline"`
}

func TestMongoFence_IsNoFieldOfAnInlineMap(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[bag](t, nil)
	check.Must(t, r.Save(mongoHeld(ctx, 5), &bag{ID: "a", Fields: map[string]any{"x": "1"}}))
	for name, read := range map[string]func() (*bag, error){
		"FindByID": func() (*bag, error) { return r.FindByID(ctx, "a") },
		"Update": func() (*bag, error) {
			return r.Update(ctx, "a", func(e *bag) error { e.Fields["x"] = "2"; return nil })
		},
		"UnderAFence": func() (*bag, error) { return r.FindByID(mongoHeld(ctx, 6), "a") },
	} {
		e, err := read()
		check.Must(t, err)
		if len(e.Fields) != 1 {
			t.Errorf("%s: got %v", name, e.Fields)
		}
	}
	if !hasField(storedDocument(t, coll, "a"), "_f") {
		t.Error("the fence is gone")
	}
	check.WantError(t, r.Save(mongoHeld(ctx, 4), &bag{ID: "a"}), repo.ErrFenced)
	check.WantError(t, r.Save(ctx, &bag{ID: "a", Fields: map[string]any{"_f": "mine"}}), repo.ErrInvalid)
}

// Of one version many may come, whatever they hold; only one gets through.
func TestMongoFence_VersionsAreCheckedToo(t *testing.T) {
	ctx := check.Bounded(t, time.Minute)
	r, _ := mongodb.Repository[versionedTally](t, nil)
	es := []*versionedTally{{ID: "a"}, {ID: "b"}}
	check.Must(t, r.SaveAll(mongoHeld(ctx, 1), es))
	old := []*versionedTally{{ID: "a", N: 9, Rev: 1}, {ID: "b", N: 9, Rev: 1}, {ID: "c", N: 9}}
	es[1].N = 5
	check.Must(t, r.Save(mongoHeld(ctx, 2), es[1]))
	err := r.SaveAll(mongoHeld(ctx, 3), old)
	batch, ok := errors.AsType[*repo.BatchError](err)
	if !ok || len(batch.Items) != 1 || batch.Items[0].Index != 1 {
		t.Fatalf("got %v, want a *repo.BatchError for element 1", err)
	}
	check.WantError(t, batch.Items[0], repo.ErrStale)
	if errors.Is(err, repo.ErrFenced) {
		t.Errorf("%v: a stale version is no refusal of the fence", err)
	}
	check.WantError(t, r.Delete(mongoHeld(ctx, 4), &versionedTally{ID: "b", Rev: 1}), repo.ErrStale)
	_, err = r.SmartSave(mongoHeld(ctx, 5), repo.SmartSaveDTO{EntityList: []string{`{"id": "b", "n": 8, "rev": 1}`}}, repo.Merge())
	check.WantError(t, err, repo.ErrStale)
	e, err := r.Update(mongoHeld(ctx, 6), "b", func(e *versionedTally) error { e.N++; return nil })
	check.Must(t, err)
	if e.N != 6 || e.Rev != 3 {
		t.Errorf("got %+v", e)
	}
}
