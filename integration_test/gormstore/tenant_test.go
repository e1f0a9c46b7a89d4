package gormstore_test

import (
	"context"
	"errors"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

type gormTenanted struct {
	ID       string `gorm:"primaryKey;size:40"`
	TenantID string `gorm:"size:40"`
	Name     string `gorm:"size:40"`
	N        int    `gorm:"default:3"`
}

type gormTenantedVersion struct {
	ID       int64 `gorm:"primaryKey;autoIncrement:false"`
	TenantID string
	Name     string
	Rev      int64 `holdfast:"version"`
}

type tenantKey struct{}

func asTenant(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, tenantKey{}, name)
}

// keepTenantsApart is the example of gormrepo.New.
func keepTenantsApart(t testing.TB, db *gorm.DB) {
	t.Helper()
	tenantOf := func(ctx context.Context) string { name, _ := ctx.Value(tenantKey{}).(string); return name }
	create := func(tx *gorm.DB) { tx.Statement.SetColumn("TenantID", tenantOf(tx.Statement.Context), true) }
	only := func(tx *gorm.DB) {
		tx.Statement.AddClause(clause.Where{Exprs: []clause.Expression{
			clause.Eq{Column: clause.Column{Table: clause.CurrentTable, Name: "tenant_id"}, Value: tenantOf(tx.Statement.Context)},
		}})
	}
	check.Must(t, db.Callback().Create().Before("gorm:create").Register("tenant:create", create))
	check.Must(t, db.Callback().Query().Before("gorm:query").Register("tenant:query", only))
	check.Must(t, db.Callback().Update().Before("gorm:update").Register("tenant:update", only))
	check.Must(t, db.Callback().Delete().Before("gorm:delete").Register("tenant:delete", only))
}

func TestGormTenants_CallbacksSeeEverySave(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		check.Must(t, db.AutoMigrate(new(gormTenanted), new(gormTenantedVersion)))
		check.Must(t, gormrepo.MigrateFence(t.Context(), db))
		keepTenantsApart(t, db)
		r, err := gormrepo.New[gormTenanted](db, nil)
		check.Must(t, err)
		fenced := driver.WithFence(t.Context(), &severalClaims{})
		for name, ctx := range map[string]context.Context{"plain ": t.Context(), "fenced ": fenced} {
			a, other := asTenant(ctx, "a"), asTenant(ctx, "b")
			id := func(s string) string { return name + s }
			check.Must(t, r.Save(a, &gormTenanted{ID: id("1"), Name: "a"}))
			check.Must(t, r.SaveAll(a, []*gormTenanted{{ID: id("2"), Name: "a"}, {ID: id("1"), Name: "a2", N: 5}, {ID: id("3"), Name: "a"}}))
			_, err := r.SmartSave(a, repo.SmartSaveDTO{EntityList: []string{`{"id":"` + id("4") + `","name":"a","n":0}`, `{"id":"` + id("2") + `","name":"a2"}`}})
			check.Must(t, err)
			check.Must(t, r.Save(a, &gormTenanted{ID: id("3"), Name: "a2"}))
			for what, err := range map[string]error{
				"Save":      r.Save(other, &gormTenanted{ID: id("1"), Name: "stolen"}),
				"SaveAll":   r.SaveAll(other, []*gormTenanted{{ID: id("b"), Name: "b"}, {ID: id("2"), Name: "stolen"}}),
				"InTx":      r.InTx(other, func(ctx context.Context) error { return r.Save(ctx, &gormTenanted{ID: id("1"), Name: "stolen"}) }),
				"SmartSave": smartSaved(r.SmartSave(other, repo.SmartSaveDTO{EntityList: []string{`{"id":"` + id("1") + `","name":"stolen"}`}})),
				"Merge":     smartSaved(r.SmartSave(other, repo.SmartSaveDTO{EntityList: []string{`{"id":"` + id("1") + `","name":"stolen"}`}}, repo.Merge())),
			} {
				if !errors.Is(err, repo.ErrDuplicateKey) {
					t.Errorf("%s over the row of another tenant: %v", what, err)
				}
			}
			got, err := r.Find(a, repo.F[gormTenanted, string]("ID").Prefix(name), repo.F[gormTenanted, string]("ID").Asc())
			check.Must(t, err)
			want := []gormTenanted{{id("1"), "a", "a2", 5}, {id("2"), "a", "a2", 0}, {id("3"), "a", "a2", 0}, {id("4"), "a", "a", 0}}
			if len(got) != len(want) {
				t.Fatalf("got %d rows", len(got))
			}
			for i, e := range got {
				if *e != want[i] {
					t.Errorf("got %+v, want %+v", *e, want[i])
				}
			}
		}
		v, err := gormrepo.New[gormTenantedVersion](db, nil)
		check.Must(t, err)
		a, other := asTenant(t.Context(), "a"), asTenant(t.Context(), "b")
		check.Must(t, v.Save(a, &gormTenantedVersion{ID: 1, Name: "a"}))
		if err := v.Save(other, &gormTenantedVersion{ID: 1, Name: "stolen"}); !errors.Is(err, repo.ErrDuplicateKey) {
			t.Errorf("new: %v", err)
		}
		if err := v.Save(other, &gormTenantedVersion{ID: 1, Name: "stolen", Rev: 1}); !errors.Is(err, repo.ErrStale) {
			t.Errorf("read: %v", err)
		}
	})
}

func smartSaved[T any](_ []*T, err error) error { return err }

// Two that save the same absent row at once both succeed, as without callbacks.
func TestGormTenants_RacesForOneRow(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		check.Must(t, db.AutoMigrate(new(gormTenanted)))
		keepTenantsApart(t, db)
		r, err := gormrepo.New[gormTenanted](db, nil)
		check.Must(t, err)
		ctx := asTenant(t.Context(), "a")
		for _, id := range []string{"1", "2", "3", "4", "5"} {
			errs := make(chan error)
			for range 2 {
				go func() { errs <- r.Save(ctx, &gormTenanted{ID: id, Name: "x"}) }()
			}
			check.Must(t, errors.Join(<-errs, <-errs))
		}
	})
}
