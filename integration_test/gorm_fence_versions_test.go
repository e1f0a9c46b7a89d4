package integration_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
)

// Stale entities are named by their index under a fence too, nothing is written
// then, and it takes no more statements for many entities than for two.
func TestGormFence_VersionsInBulk(t *testing.T) {
	t.Parallel()
	onFenced(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		var statements atomic.Int64
		db = renamed(t, db)
		count := func(*gorm.DB) { statements.Add(1) }
		must(t, db.Callback().Raw().Before("gorm:raw").Register("count", count))
		must(t, db.Callback().Query().Before("gorm:query").Register("count", count))
		must(t, db.Callback().Update().Before("gorm:update").Register("count", count))
		must(t, db.Callback().Delete().Before("gorm:delete").Register("count", count))
		r := gormRepo[gormVersioned](t, db, nil)
		ctx = turn(1, "a", 1, "k").with(ctx)
		es := make([]*gormVersioned, 40)
		for i := range es {
			es[i] = &gormVersioned{Name: "x"}
		}
		must(t, r.SaveAll(ctx, es))
		cost := func(call func([]*gormVersioned) error, es []*gormVersioned) int64 {
			t.Helper()
			statements.Store(0)
			must(t, call(es))
			return statements.Load()
		}
		save := func(es []*gormVersioned) error { return r.SaveAll(ctx, es) }
		remove := func(es []*gormVersioned) error { return r.Delete(ctx, es...) }
		if two, many := cost(save, es[:2]), cost(save, es); many != two {
			t.Errorf("saving takes %d statements for two and %d for many", two, many)
		}

		stale := *es[7]
		must(t, r.Save(ctx, es[7]))
		list := slices.Clone(es)
		list[7] = &stale
		for what, err := range map[string]error{"save": save(list), "delete": remove(list)} {
			var batch *repo.BatchError
			if !errors.As(err, &batch) || len(batch.Items) != 1 || batch.Items[0].Index != 7 || !errors.Is(err, repo.ErrStale) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if n, err := r.Count(ctx); n != 40 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if two, many := cost(remove, es[:2]), cost(remove, es[2:]); many != two {
			t.Errorf("deleting takes %d statements for two and %d for many", two, many)
		}
		if n, err := r.Count(ctx); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}
