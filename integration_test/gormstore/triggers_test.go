package gormstore_test

import (
	"context"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// What GORM's type does not have of these tables must not be null.
type gormTriggered struct {
	ID   int64 `gorm:"primaryKey"`
	Name string
}

type gormTriggeredMade struct {
	ID   string `gorm:"primaryKey"`
	Name string
	Made time.Time `holdfast:"created"`
}

type gormTriggeredVersion struct {
	ID   string `gorm:"primaryKey"`
	Name string
	Rev  int64 `holdfast:"version"`
}

// triggeredTables count in a table of their own how often their triggers fire.
func triggeredTables(t testing.TB, db *gorm.DB) {
	t.Helper()
	for _, text := range []string{
		"CREATE TABLE fired (name text)",
		"CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO fired VALUES (TG_TABLE_NAME); RETURN NEW; END $$",
		"CREATE TABLE gorm_triggereds (id bigserial PRIMARY KEY, name text, other text NOT NULL)",
		"CREATE TABLE gorm_triggered_mades (id text PRIMARY KEY, name text, made timestamptz, other text NOT NULL)",
		"CREATE TABLE gorm_triggered_versions (id text PRIMARY KEY, name text, rev bigint, other text NOT NULL)",
		"INSERT INTO gorm_triggereds SELECT n, 'n', 'o' FROM generate_series(1, 3) n",
		"INSERT INTO gorm_triggered_mades SELECT n, 'n', now(), 'o' FROM generate_series(1, 3) n",
		"INSERT INTO gorm_triggered_versions SELECT n, 'n', 1, 'o' FROM generate_series(1, 3) n",
		"CREATE TRIGGER t BEFORE INSERT ON gorm_triggereds FOR EACH ROW EXECUTE FUNCTION fire()",
		"CREATE TRIGGER t BEFORE INSERT ON gorm_triggered_mades FOR EACH ROW EXECUTE FUNCTION fire()",
		"CREATE TRIGGER t BEFORE INSERT ON gorm_triggered_versions FOR EACH ROW EXECUTE FUNCTION fire()",
	} {
		check.Must(t, db.Exec(text).Error)
	}
}

// An entity that shows that it was stored is saved by an UPDATE, under a fence too.
func TestGormTriggers_DoNotFireWhereARowWasRead(t *testing.T) {
	t.Parallel()
	db := sqldb.Postgres(t)
	triggeredTables(t, db)
	check.Must(t, gormrepo.MigrateFence(t.Context(), db))
	for name, ctx := range map[string]context.Context{"plain": t.Context(), "fenced": driver.WithFence(t.Context(), &severalClaims{})} {
		t.Run(name, func(t *testing.T) {
			rename[gormTriggered](ctx, t, db, 2, func(e *gormTriggered) { e.Name = name })
			rename[gormTriggeredMade](ctx, t, db, "2", func(e *gormTriggeredMade) { e.Name = name })
			rename[gormTriggeredVersion](ctx, t, db, "2", func(e *gormTriggeredVersion) { e.Name = name })
		})
	}
	var fired []string
	check.Must(t, db.Raw("SELECT name FROM fired").Scan(&fired).Error)
	if len(fired) > 0 {
		t.Errorf("fired for %v", fired)
	}
	made, err := gormrepo.New[gormTriggeredMade](db, nil)
	check.Must(t, err)
	before, err := made.FindByID(t.Context(), "1")
	check.Must(t, err)
	e := &gormTriggeredMade{ID: "1", Name: "other", Made: before.Made.Add(-time.Hour)}
	check.Must(t, made.Save(t.Context(), e))
	if !e.Made.Equal(before.Made) {
		t.Errorf("the time of creation is %v, want %v", e.Made, before.Made)
	}
}

func rename[T any](ctx context.Context, t *testing.T, db *gorm.DB, id any, change func(*T)) {
	t.Helper()
	r, err := gormrepo.New[T](db, nil)
	check.Must(t, err)
	e, err := r.FindByID(ctx, id)
	check.Must(t, err)
	change(e)
	check.Must(t, r.Save(ctx, e))
	check.Must(t, r.InTx(ctx, func(ctx context.Context) error { return r.Save(ctx, e) }))
}

// An entity that looks stored and is not is inserted.
func TestGormTriggers_AbsentRowsAreInserted(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		check.Must(t, gormrepo.MigrateFence(t.Context(), db))
		for name, ctx := range map[string]context.Context{"plain": t.Context(), "fenced": driver.WithFence(t.Context(), &severalClaims{})} {
			r := sqldb.Repository[gormItem](t, db, nil)
			e := &gormItem{ID: int64(len(name)), Email: name}
			check.Must(t, r.Save(ctx, e))
			e.Name = "changed"
			check.Must(t, r.Save(ctx, e))
			got, err := r.FindByID(ctx, e.ID)
			check.Must(t, err)
			if *got != *e {
				t.Errorf("got %+v", got)
			}
		}
	})
}
