package fenced_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// gormDatedVersion knows when it was created, gormBareVersion does not.
type gormDatedVersion struct {
	ID      string         `gorm:"primaryKey;size:20"`
	Name    string         `gorm:"size:20"`
	Rev     int64          `holdfast:"version"`
	Made    time.Time      `holdfast:"created"`
	Deleted gorm.DeletedAt `gorm:"index"`
}

type gormBareVersion struct {
	ID      string         `gorm:"primaryKey;size:20"`
	Name    string         `gorm:"size:20"`
	Rev     int64          `holdfast:"version"`
	Deleted gorm.DeletedAt `gorm:"index"`
}

// A save of one entity with a version says the same with a fence and without one, where
// it is one statement with its claims and where it is a transaction.
func TestGormFence_OneVersion(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		f := fences.Turn(5, "a", 1, "k").With(ctx)
		r := sqldb.Repository[gormDatedVersion](t, db, nil)
		sameVersions(ctx, f, t, r, func(id string, rev int64) *gormDatedVersion {
			return &gormDatedVersion{ID: id, Rev: rev, Name: "stale"}
		},
			func(e *gormDatedVersion) *int64 { return &e.Rev })
		sameVersions(ctx, f, t, sqldb.Repository[gormBareVersion](t, db, nil), func(id string, rev int64) *gormBareVersion { return &gormBareVersion{ID: id, Rev: rev, Name: "stale"} },
			func(e *gormBareVersion) *int64 { return &e.Rev })

		e := &gormDatedVersion{ID: "made"}
		check.Must(t, r.Save(f, e))
		other := &gormDatedVersion{ID: "made", Rev: e.Rev, Made: e.Made.Add(-time.Hour)}
		check.Must(t, r.Save(f, other))
		if !other.Made.Equal(e.Made) {
			t.Errorf("created at %v, not at %v", other.Made, e.Made)
		}
		fences.WantRefused(t, r.Save(fences.Turn(4, "a", 1, "k").With(ctx), other), 5, 4)
		if other.Rev != 2 {
			t.Errorf("a refused save left the version %d", other.Rev)
		}
	})
}

func sameVersions[T any](ctx, f context.Context, t *testing.T, r *gormrepo.Repository[T], of func(id string, rev int64) *T, rev func(*T) *int64) {
	t.Helper()
	for name, ctx := range map[string]context.Context{"plain": ctx, "fenced": f} {
		e := of(name, 0)
		for want := int64(1); want <= 4; want++ { // the later ones know what the server takes
			check.Must(t, r.Save(ctx, e))
			if *rev(e) != want {
				t.Fatalf("%s: version %d, not %d", name, *rev(e), want)
			}
		}
		stale := of(name, 2)
		if err := r.Save(ctx, stale); !errors.Is(err, repo.ErrStale) || *rev(stale) != 2 {
			t.Errorf("%s: %v, version %d", name, err, *rev(stale))
		}
		if err := r.Save(ctx, of("absent "+name, 2)); !errors.Is(err, repo.ErrStale) {
			t.Errorf("%s: %v", name, err)
		}
		check.Must(t, r.Delete(ctx, e))
		gone := r.Save(ctx, e)
		if gone == nil {
			t.Errorf("%s: saved what is deleted", name)
		}
		found, err := r.ExistsByID(ctx, name)
		check.Must(t, err)
		if found || !errors.Is(gone, repo.ErrNotFound) && !errors.Is(gone, repo.ErrStale) {
			t.Errorf("%s: %v", name, gone)
		}
	}
}

// On MariaDB such a save is one statement, but where the database decides a column. A
// transaction shows its claims by the statement that begins it.
func TestGormFence_OneVersionIsOneStatement(t *testing.T) {
	t.Parallel()
	db, ctx := sqldb.MySQL(t), check.Bounded(t, time.Minute)
	check.Must(t, gormrepo.MigrateFence(ctx, db))
	r := sqldb.Repository[gormBareVersion](t, db, nil)
	pool, err := db.DB()
	check.Must(t, err)
	pool.SetMaxOpenConns(1)
	f, e := fences.Turn(5, "a", 1, "k").With(ctx), &gormBareVersion{ID: "a"}
	for range 3 {
		check.Must(t, r.Save(f, e))
	}
	if n := questions(t, db, func() { check.Must(t, r.Save(f, e)) }); n != 1 {
		t.Errorf("a save takes %d statements, not 1", n)
	}
	if n := questions(t, db, func() {
		_, err := r.Update(f, "a", func(e *gormBareVersion) error { e.Name = "changed"; return nil })
		check.Must(t, err)
	}); n != 4 {
		t.Errorf("an update takes %d statements, not 4: the claims, the row, its new values, the commit", n)
	}
}
