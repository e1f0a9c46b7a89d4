package fenced_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// A procedure that rolls back says nothing of it. What came before is gone, so the
// transaction must not commit what comes after it.
func TestGormTx_SilentRollback(t *testing.T) {
	t.Parallel()
	for _, withFence := range []bool{false, true} {
		t.Run(fmt.Sprintf("fenced=%v", withFence), func(t *testing.T) {
			t.Parallel()
			db := sqldb.MySQL(t)
			check.Must(t, gormrepo.MigrateFence(t.Context(), db))
			check.Must(t, db.Exec("CREATE PROCEDURE silent() ROLLBACK").Error)
			r, ctx := sqldb.Repository[sqldb.GormCounter](t, db, nil), t.Context()
			if withFence {
				ctx = fences.Turn(5, "a", 1, "k").With(ctx)
			}
			err := r.InTx(ctx, func(ctx context.Context) error {
				check.Must(t, r.Save(ctx, &sqldb.GormCounter{ID: 1}))
				tx, ok := gormrepo.DB(ctx)
				if !ok {
					t.Fatal("no handle")
				}
				check.Must(t, tx.Exec("CALL silent()").Error)
				return r.Save(ctx, &sqldb.GormCounter{ID: 2})
			})
			if !errors.Is(err, repo.ErrRolledBack) {
				t.Errorf("got %v", err)
			}
			n, err := r.Count(t.Context())
			check.Must(t, err)
			if n != 0 {
				t.Errorf("%d rows are stored", n)
			}
		})
	}
}
