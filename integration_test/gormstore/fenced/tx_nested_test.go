package fenced_test

import (
	"context"
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

var errInner = errors.New("the inner part failed")

// A nested InTx that fails takes the outer one with it, also when its error was
// handled.
func TestGormTx_NestedFails(t *testing.T) {
	t.Parallel()
	onTx(t, func(ctx context.Context, t *testing.T, db *gorm.DB, r *gormrepo.Repository[sqldb.GormCounter]) {
		err := r.InTx(ctx, func(tx context.Context) error {
			check.Must(t, r.Save(tx, &sqldb.GormCounter{ID: 1}))
			err := r.InTx(tx, func(tx context.Context) error {
				check.Must(t, r.Save(tx, &sqldb.GormCounter{ID: 2}))
				return errInner
			})
			if !errors.Is(err, errInner) || errors.Is(err, repo.ErrRolledBack) {
				t.Errorf("the inner InTx returned %v", err)
			}
			return nil
		})
		if !errors.Is(err, repo.ErrRolledBack) || !errors.Is(err, errInner) {
			t.Errorf("got %v", err)
		}
		wantAllOrNothing(t, db, err, 1, 2)

		err = r.InTx(ctx, func(tx context.Context) error {
			check.Must(t, r.Save(tx, &sqldb.GormCounter{ID: 1}))
			ended, cancel := context.WithCancel(tx)
			cancel()
			_ = r.InTx(ended, func(context.Context) error { t.Error("called"); return nil })
			return nil
		})
		if !errors.Is(err, repo.ErrRolledBack) || !errors.Is(err, context.Canceled) {
			t.Errorf("after a nested call whose context had ended: %v", err)
		}
		wantAllOrNothing(t, db, err, 1)

		err = r.InTx(ctx, func(tx context.Context) error {
			func() {
				defer func() { _ = recover() }()
				_ = r.InTx(tx, func(tx context.Context) error {
					check.Must(t, r.Save(tx, &sqldb.GormCounter{ID: 2}))
					panic("inside")
				})
			}()
			return nil
		})
		if !errors.Is(err, repo.ErrRolledBack) {
			t.Errorf("after a panic that was recovered: %v", err)
		}
		wantAllOrNothing(t, db, err, 2)
	})
}

// With a savepoint, a nested InTx that fails undoes its own part alone.
func TestGormTx_Savepoint(t *testing.T) {
	t.Parallel()
	onTx(t, func(ctx context.Context, t *testing.T, db *gorm.DB, r *gormrepo.Repository[sqldb.GormCounter]) {
		nested := func(tx context.Context, fn func(context.Context) error) error {
			return r.InTx(repo.WithSavepoint(tx), fn)
		}
		check.Must(t, nested(ctx, func(tx context.Context) error { // the outermost one ignores it
			check.Must(t, r.Save(tx, &sqldb.GormCounter{ID: 1}))
			failing := func(ids ...int64) func(context.Context) error {
				return func(tx context.Context) error {
					for _, id := range ids {
						check.Must(t, r.Save(tx, &sqldb.GormCounter{ID: id}))
					}
					return errInner
				}
			}
			if err := nested(tx, failing(2)); !errors.Is(err, errInner) {
				t.Errorf("got %v", err)
			}
			// A call that failed halfway inside of it, a database that refuses all
			// that follows, and a panic are undone as well.
			_ = nested(tx, func(tx context.Context) error {
				check.Must(t, r.Save(tx, &sqldb.GormCounter{ID: 3}))
				handle, _ := gormrepo.DB(tx)
				return handle.Exec("INSERT INTO gorm_counters (id, n) VALUES (3, 3)").Error
			})
			func() {
				defer func() { _ = recover() }()
				_ = nested(tx, func(tx context.Context) error {
					check.Must(t, r.Save(tx, &sqldb.GormCounter{ID: 4}))
					panic("inside")
				})
			}()
			// One inside the other.
			return nested(tx, func(tx context.Context) error {
				check.Must(t, r.Save(tx, &sqldb.GormCounter{ID: 5}))
				_ = nested(tx, failing(6, 7))
				return nested(tx, func(tx context.Context) error { return r.Save(tx, &sqldb.GormCounter{ID: 8}) })
			})
		}))
		got := sqldb.Rows[sqldb.GormCounter](t, db)
		ids := make([]int64, len(got))
		for i, row := range got {
			ids[i] = row.ID
		}
		if len(ids) != 3 || ids[0] != 1 || ids[1] != 5 || ids[2] != 8 {
			t.Errorf("stored: %v", ids)
		}
	})
}

// What a savepoint undoes, the claims that were shown inside of it too, is shown
// again.
func TestGormTx_SavepointUndoesClaims(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		both := fences.Turn(5, "a", 1, "k", "l")
		err := r.InTx(fences.Turn(5, "a", 1, "k").With(ctx), func(tx context.Context) error {
			_ = r.InTx(repo.WithSavepoint(tx), func(tx context.Context) error {
				check.Must(t, r.Save(both.With(tx), &sqldb.GormCounter{ID: 1}))
				return errInner
			})
			return r.Save(both.With(tx), &sqldb.GormCounter{ID: 2})
		})
		check.Must(t, err)
		var shown int64
		check.Must(t, db.Raw("SELECT count(*) FROM holdfast_fence WHERE token = 5").Scan(&shown).Error)
		if shown != 2 {
			t.Errorf("%d claims are stored, want 2", shown)
		}
	})
}
