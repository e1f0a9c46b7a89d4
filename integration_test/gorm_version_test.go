package integration_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

type gormVersioned struct {
	ID      int64
	Name    string     `gorm:"size:50"`
	Rev     uint32     `holdfast:"version"`
	Deleted *time.Time `holdfast:"deleted"`
	Old     bool       `gorm:"-"`
}

func TestGormAStaleSaveIsNoInsert(t *testing.T) {
	t.Parallel()
	onSQL(t, func(t *testing.T, on sqlBackend) {
		db := on.open(t)
		ctx, r := t.Context(), gormRepo[gormVersioned](t, db, nil)
		a, b := &gormVersioned{Name: "a"}, &gormVersioned{Name: "b"}
		must(t, r.SaveAll(ctx, []*gormVersioned{a, b}))
		stale := *a
		a.Name = "newer"
		must(t, r.Save(ctx, a))
		if a.Rev != 2 {
			t.Fatalf("version %d", a.Rev)
		}
		before := stale
		if err := r.Save(ctx, &stale); !errors.Is(err, repo.ErrStale) || stale != before {
			t.Fatalf("got %v, %+v", err, stale)
		}
		gone := &gormVersioned{ID: 99, Rev: 4}
		err := r.SaveAll(ctx, []*gormVersioned{b, &stale, {Name: "c"}, gone})
		var batch *repo.BatchError
		if !errors.As(err, &batch) || len(batch.Items) != 2 || batch.Items[0].Index != 1 || batch.Items[1].Index != 3 || !errors.Is(err, repo.ErrStale) {
			t.Fatalf("got %v", err)
		}
		if err := r.Delete(ctx, b, &stale); !errors.Is(err, repo.ErrStale) {
			t.Fatalf("delete: %v", err)
		}
		if got := rows[gormVersioned](t, db); len(got) != 2 || got[0].Name != "newer" || got[1].Rev != 1 || b.Rev != 1 {
			t.Fatalf("got %+v, b is %+v", got, b)
		}
		must(t, r.Delete(ctx, a, b, a))
		if n, err := r.Count(ctx); n != 0 || err != nil {
			t.Fatalf("%d rows, %v", n, err)
		}
	})
}

func TestGormReviveGoesOnCountingVersions(t *testing.T) {
	t.Parallel()
	onSQL(t, func(t *testing.T, b sqlBackend) {
		db := b.open(t)
		ctx, r := t.Context(), gormRepo[gormVersioned](t, db, &gormrepo.Options{Revive: true})
		e := &gormVersioned{ID: 5, Name: "e"}
		must(t, r.Save(ctx, e))
		must(t, r.Delete(ctx, e))
		again := &gormVersioned{ID: 5, Name: "again"}
		must(t, r.SaveAll(ctx, []*gormVersioned{{ID: 6}, again}))
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
	onSQL(t, func(t *testing.T, b sqlBackend) {
		db := b.open(t)
		ctx, r := t.Context(), gormRepo[gormCounter](t, db, nil)
		must(t, r.Save(ctx, &gormCounter{ID: 1}))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 25 {
					if _, err := r.Update(ctx, 1, func(c *gormCounter) error { c.N++; return nil }); err != nil {
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

type gormCounter struct {
	ID int64 `gorm:"autoIncrement:false"`
	N  int
}

func TestGormMergeWritesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	onSQL(t, func(t *testing.T, b sqlBackend) {
		db := b.open(t)
		var statements atomic.Int32
		db = renamed(t, db)
		must(t, db.Callback().Raw().Before("gorm:raw").Register("count", func(*gorm.DB) { statements.Add(1) }))
		must(t, db.Callback().Update().Before("gorm:update").Register("count", func(*gorm.DB) { statements.Add(1) }))
		ctx, r := t.Context(), gormRepo[gormItem](t, db, nil)
		must(t, r.SaveAll(ctx, []*gormItem{{1, "a@x", "a"}, {2, "b@x", "b"}}))
		// Somebody who is not locked out changes another column meanwhile.
		must(t, db.Model(&gormItem{ID: 2}).UpdateColumn("email", "changed@x").Error)
		statements.Store(0)
		save := func(docs ...string) []*gormItem {
			out, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: docs}, repo.Merge())
			must(t, err)
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
		if got := rows[gormItem](t, db); got[1] != (gormItem{2, "changed@x", "new"}) {
			t.Fatalf("got %+v", got)
		}
	})
}

func TestGormNewID(t *testing.T) {
	t.Parallel()
	onSQL(t, func(t *testing.T, b sqlBackend) {
		db := b.open(t)
		ctx, n := t.Context(), 0
		type key struct{}
		newID := func(ctx context.Context) (any, error) {
			if ctx.Value(key{}) == nil {
				return nil, errors.New("not the context of the call")
			}
			n++
			return fmt.Sprint("id-", n), nil
		}
		r := gormRepo[gormCoded](t, db, &gormrepo.Options{NewID: newID})
		ctx = context.WithValue(ctx, key{}, 1)
		list := []*gormCoded{{}, {ID: "mine"}, {}}
		must(t, r.SaveAll(ctx, list))
		if list[0].ID != "id-1" || list[1].ID != "mine" || list[2].ID != "id-2" {
			t.Fatalf("got %v %v %v", list[0], list[1], list[2])
		}
		out, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{}`, `{"id":"mine","text":"x"}`}}, repo.Merge())
		must(t, err)
		if out[0].ID != "id-3" {
			t.Fatalf("got %v", out[0])
		}
		if err := r.Save(t.Context(), &gormCoded{}); err == nil || !errors.As(err, new(interface{ Unwrap() error })) {
			t.Fatalf("got %v", err)
		}

		numbers := gormRepo[gormItem](t, db, &gormrepo.Options{NewID: func(context.Context) (any, error) { return uint16(4711), nil }})
		e := &gormItem{Email: "a@x"}
		must(t, numbers.Save(ctx, e))
		if e.ID != 4711 {
			t.Fatalf("got %+v", e)
		}
		for what, id := range map[string]any{"text": "x", "zero": 0, "nothing": nil} {
			bad, err := gormrepo.New[gormItem](db, &gormrepo.Options{NewID: func(context.Context) (any, error) { return id, nil }})
			must(t, err)
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
	onSQL(t, func(t *testing.T, b sqlBackend) {
		db := b.open(t)
		ctx, r := t.Context(), gormRepo[gormUUID](t, db, nil)
		if err := r.Save(ctx, &gormUUID{Name: "x"}); !errors.Is(err, repo.ErrInvalid) {
			t.Fatalf("got %v", err)
		}
		if n, err := r.Count(ctx); n != 0 || err != nil {
			t.Fatalf("%d rows, %v", n, err)
		}
	})
}
