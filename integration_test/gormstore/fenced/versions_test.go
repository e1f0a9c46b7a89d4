package fenced_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
)

// Stale entities are named by their index under a fence too, nothing is written
// then, and it takes no more statements for many entities than for two.
func TestGormFence_VersionsInBulk(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		var statements atomic.Int64
		db = sqldb.Renamed(t, db)
		count := func(*gorm.DB) { statements.Add(1) }
		check.Must(t, db.Callback().Raw().Before("gorm:raw").Register("count", count))
		check.Must(t, db.Callback().Query().Before("gorm:query").Register("count", count))
		check.Must(t, db.Callback().Update().Before("gorm:update").Register("count", count))
		check.Must(t, db.Callback().Delete().Before("gorm:delete").Register("count", count))
		r := sqldb.Repository[sqldb.GormVersioned](t, db, nil)
		ctx = fences.Turn(1, "a", 1, "k").With(ctx)
		es := make([]*sqldb.GormVersioned, 40)
		for i := range es {
			es[i] = &sqldb.GormVersioned{Name: "x"}
		}
		check.Must(t, r.SaveAll(ctx, es))
		cost := func(call func([]*sqldb.GormVersioned) error, es []*sqldb.GormVersioned) int64 {
			t.Helper()
			statements.Store(0)
			check.Must(t, call(es))
			return statements.Load()
		}
		save := func(es []*sqldb.GormVersioned) error { return r.SaveAll(ctx, es) }
		remove := func(es []*sqldb.GormVersioned) error { return r.Delete(ctx, es...) }
		if two, many := cost(save, es[:2]), cost(save, es); many != two {
			t.Errorf("saving takes %d statements for two and %d for many", two, many)
		}

		stale := *es[7]
		check.Must(t, r.Save(ctx, es[7]))
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
