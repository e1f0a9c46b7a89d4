package gormstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

func TestGormAStaleSaveIsNoInsert(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, on sqldb.Backend) {
		db := on.Open(t)
		ctx, r := t.Context(), sqldb.Repository[sqldb.GormVersioned](t, db, nil)
		a, b := &sqldb.GormVersioned{Name: "a"}, &sqldb.GormVersioned{Name: "b"}
		check.Must(t, r.SaveAll(ctx, []*sqldb.GormVersioned{a, b}))
		stale := *a
		a.Name = "newer"
		check.Must(t, r.Save(ctx, a))
		if a.Rev != 2 {
			t.Fatalf("version %d", a.Rev)
		}
		before := stale
		if err := r.Save(ctx, &stale); !errors.Is(err, repo.ErrStale) || stale != before {
			t.Fatalf("got %v, %+v", err, stale)
		}
		gone := &sqldb.GormVersioned{ID: 99, Rev: 4}
		err := r.SaveAll(ctx, []*sqldb.GormVersioned{b, &stale, {Name: "c"}, gone})
		var batch *repo.BatchError
		if !errors.As(err, &batch) || len(batch.Items) != 2 || batch.Items[0].Index != 1 || batch.Items[1].Index != 3 || !errors.Is(err, repo.ErrStale) {
			t.Fatalf("got %v", err)
		}
		if err := r.Delete(ctx, b, &stale); !errors.Is(err, repo.ErrStale) {
			t.Fatalf("delete: %v", err)
		}
		if got := sqldb.Rows[sqldb.GormVersioned](t, db); len(got) != 2 || got[0].Name != "newer" || got[1].Rev != 1 || b.Rev != 1 {
			t.Fatalf("got %+v, b is %+v", got, b)
		}
		check.Must(t, r.Delete(ctx, a, b, a))
		if n, err := r.Count(ctx); n != 0 || err != nil {
			t.Fatalf("%d rows, %v", n, err)
		}
	})
}

func TestGormReviveGoesOnCountingVersions(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[sqldb.GormVersioned](t, db, &gormrepo.Options{Revive: true})
		e := &sqldb.GormVersioned{ID: 5, Name: "e"}
		check.Must(t, r.Save(ctx, e))
		check.Must(t, r.Delete(ctx, e))
		again := &sqldb.GormVersioned{ID: 5, Name: "again"}
		check.Must(t, r.SaveAll(ctx, []*sqldb.GormVersioned{{ID: 6}, again}))
		if again.Rev != 2 {
			t.Fatalf("version %d", again.Rev)
		}
		if got, err := r.FindByID(ctx, 5); err != nil || got.Name != "again" || got.Rev != 2 {
			t.Fatalf("got %+v, %v", got, err)
		}
	})
}

// Many goroutines, each its own connection: no update is lost by Update, nor
// by saving again after ErrStale.
func TestGormUpdatesLoseNothing(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[sqldb.GormCounter](t, db, nil)
		check.Must(t, r.Save(ctx, &sqldb.GormCounter{ID: 1}))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 25 {
					if _, err := r.Update(ctx, 1, func(c *sqldb.GormCounter) error { c.N++; return nil }); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		if got, err := r.FindByID(ctx, 1); err != nil || got.N != 100 {
			t.Fatalf("got %+v, %v", got, err)
		}
	})
}

func TestGormMergeWritesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		var statements atomic.Int32
		db = sqldb.Renamed(t, db)
		check.Must(t, db.Callback().Raw().Before("gorm:raw").Register("count", func(*gorm.DB) { statements.Add(1) }))
		check.Must(t, db.Callback().Update().Before("gorm:update").Register("count", func(*gorm.DB) { statements.Add(1) }))
		ctx, r := t.Context(), sqldb.Repository[gormItem](t, db, nil)
		check.Must(t, r.SaveAll(ctx, []*gormItem{{1, "a@x", "a"}, {2, "b@x", "b"}}))
		// Somebody who is not locked out changes another column meanwhile.
		check.Must(t, db.Model(&gormItem{ID: 2}).UpdateColumn("email", "changed@x").Error)
		statements.Store(0)
		save := func(docs ...string) []*gormItem {
			out, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: docs}, repo.Merge())
			check.Must(t, err)
			return out
		}
		out := save(`{"id":1,"name":"a"}`, `{"id":2}`, `{"id":1,"email":"a@x"}`)
		unchanged := statements.Swap(0)
		if *out[0] != (gormItem{1, "a@x", "a"}) || *out[1] != (gormItem{2, "changed@x", "b"}) || *out[2] != *out[0] {
			t.Fatalf("got %+v %+v %+v", out[0], out[1], out[2])
		}
		save(`{"id":2,"name":"new"}`)
		if n := statements.Load() - unchanged; n != 1 {
			t.Errorf("a change took %d statements more than none", n)
		}
		if got := sqldb.Rows[gormItem](t, db); got[1] != (gormItem{2, "changed@x", "new"}) {
			t.Fatalf("got %+v", got)
		}
	})
}

func TestGormNewID(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, n := t.Context(), 0
		type key struct{}
		newID := func(ctx context.Context) (any, error) {
			if ctx.Value(key{}) == nil {
				return nil, errors.New("not the context of the call")
			}
			n++
			return fmt.Sprint("id-", n), nil
		}
		r := sqldb.Repository[gormCoded](t, db, &gormrepo.Options{NewID: newID})
		ctx = context.WithValue(ctx, key{}, 1)
		list := []*gormCoded{{}, {ID: "mine"}, {}}
		check.Must(t, r.SaveAll(ctx, list))
		if list[0].ID != "id-1" || list[1].ID != "mine" || list[2].ID != "id-2" {
			t.Fatalf("got %v %v %v", list[0], list[1], list[2])
		}
		out, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{}`, `{"id":"mine","text":"x"}`}}, repo.Merge())
		check.Must(t, err)
		if out[0].ID != "id-3" {
			t.Fatalf("got %v", out[0])
		}
		if err := r.Save(t.Context(), &gormCoded{}); err == nil || !errors.As(err, new(interface{ Unwrap() error })) {
			t.Fatalf("got %v", err)
		}

		numbers := sqldb.Repository[gormItem](t, db, &gormrepo.Options{NewID: func(context.Context) (any, error) { return uint16(4711), nil }})
		e := &gormItem{Email: "a@x"}
		check.Must(t, numbers.Save(ctx, e))
		if e.ID != 4711 {
			t.Fatalf("got %+v", e)
		}
		for what, id := range map[string]any{"text": "x", "zero": 0, "nothing": nil} {
			bad, err := gormrepo.New[gormItem](db, &gormrepo.Options{NewID: func(context.Context) (any, error) { return id, nil }})
			check.Must(t, err)
			if err := bad.Save(ctx, &gormItem{}); !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("%s: got %v", what, err)
			}
		}
	})
}

type gormUUID struct {
	ID   string `gorm:"primaryKey;size:50"`
	Name string `gorm:"size:50"`
}

func TestGormKeyMissing(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormUUID](t, db, nil)
		if err := r.Save(ctx, &gormUUID{Name: "x"}); !errors.Is(err, repo.ErrInvalid) {
			t.Fatalf("got %v", err)
		}
		if n, err := r.Count(ctx); n != 0 || err != nil {
			t.Fatalf("%d rows, %v", n, err)
		}
	})
}
