package gormstore_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
)

type gormItem struct {
	ID    int64
	Email string `gorm:"size:100;uniqueIndex"`
	Name  string `gorm:"size:100"`
}

func gormItems(n int, from int64) []*gormItem {
	list := make([]*gormItem, n)
	for i := range list {
		list[i] = &gormItem{ID: from, Email: fmt.Sprintf("%d-%d@x", from, i), Name: "n"}
		if from > 0 {
			list[i].ID += int64(i)
		}
	}
	return list
}

func TestGormSaveFindDelete(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormItem](t, db, nil)
		e := &gormItem{Email: "a@x", Name: "a"}
		check.Must(t, r.Save(ctx, e))
		if e.ID == 0 {
			t.Fatal("no key was written back")
		}
		e.Name = "b"
		check.Must(t, r.Save(ctx, e))
		got, err := r.FindByID(ctx, int(e.ID))
		check.Must(t, err)
		if *got != *e {
			t.Fatalf("got %+v, want %+v", got, e)
		}
		check.Must(t, r.Save(ctx, &gormItem{ID: 70, Email: "c@x"}))
		all, err := r.FindAllByID(ctx, []any{70, 5000, e, 70})
		check.Must(t, err)
		if len(all) != 2 || all[0].ID != 70 || all[1].ID != e.ID {
			t.Fatalf("got %v", all)
		}
		check.Must(t, r.Delete(ctx, e, e))
		if _, err := r.FindByID(ctx, e.ID); !errors.Is(err, repo.ErrNotFound) {
			t.Fatalf("got %v", err)
		}
		n, err := r.DeleteAllByID(ctx, []any{70, 71})
		check.Must(t, err)
		if n != 1 {
			t.Fatalf("deleted %d", n)
		}
		check.Must(t, r.DeleteByID(ctx, 70))
	})
}

func TestGormSaveAllManyBatches(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormItem](t, db, nil)
		const n = 2500
		fresh := gormItems(n, 0)
		check.Must(t, r.SaveAll(ctx, fresh))
		ids := make([]any, n)
		for i, e := range fresh {
			ids[n-1-i] = e.ID
			e.Name = fmt.Sprint("renamed ", i)
		}
		check.Must(t, r.SaveAll(ctx, fresh))
		found, err := r.FindAllByID(ctx, ids)
		check.Must(t, err)
		slices.Reverse(found)
		if len(found) != n {
			t.Fatalf("found %d", len(found))
		}
		for i, e := range found {
			if *e != *fresh[i] {
				t.Fatalf("%d: got %+v, want %+v", i, e, fresh[i])
			}
		}
		deleted, err := r.DeleteAllByID(ctx, ids)
		check.Must(t, err)
		if count, err := r.Count(ctx); deleted != n || err != nil || count != 0 {
			t.Fatalf("deleted %d, %d are left, %v", deleted, count, err)
		}
	})
}

// Two lists that lock the same rows in opposite order are a deadlock, which the
// database resolves by giving up one of them.
func TestGormListsInOppositeOrderBothSucceed(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		ctx, r := t.Context(), sqldb.Repository[gormItem](t, b.Open(t), nil)
		check.Must(t, r.SaveAll(ctx, gormItems(200, 1)))
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				list := gormItems(200, 1)
				if g%2 == 0 {
					slices.Reverse(list)
				}
				for range 15 {
					if err := r.SaveAll(ctx, list); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

// Somebody else's transaction may lock in any order. When the database gives up
// the save for it, the save is done again.
func TestGormSaveIsRepeatedAfterADeadlock(t *testing.T) {
	t.Parallel()
	for _, b := range sqldb.Backends() {
		if b.Name == "SQLite" {
			continue // it has one writer at a time
		}
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			db := b.Open(t)
			ctx, r := check.Bounded(t, time.Minute), sqldb.Repository[gormItem](t, db, nil)
			check.Must(t, r.SaveAll(ctx, gormItems(100, 1)))
			other := db.WithContext(ctx).Begin()
			defer other.Rollback()
			check.Must(t, other.Model(new(gormItem)).Where("id > 1").Update("name", "other").Error)
			saved := make(chan error, 1)
			go func() { saved <- r.SaveAll(ctx, []*gormItem{{1, "a@x", "saved"}, {2, "b@x", "saved"}}) }()
			for free := int64(1); free > 0; { // until the save has the first row
				var ids []int64
				check.Must(t, db.WithContext(ctx).Raw("SELECT id FROM gorm_items WHERE id = 1 FOR UPDATE SKIP LOCKED").Scan(&ids).Error)
				free = int64(len(ids))
			}
			err := other.Model(new(gormItem)).Where("id = 1").Update("name", "other").Error
			t.Logf("the other transaction: %v", err)
			if err == nil {
				check.Must(t, other.Commit().Error)
			} else {
				other.Rollback()
			}
			check.Must(t, <-saved)
			if got, err := r.FindByID(ctx, 1); err != nil || got.Name != "saved" {
				t.Fatalf("got %+v, %v", got, err)
			}
		})
	}
}
