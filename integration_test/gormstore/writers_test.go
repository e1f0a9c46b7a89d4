package gormstore_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// What writes without ids keeps to the rows of its tenant, as GORM's callbacks say.
func TestGormWriters_StayWithTheirTenant(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		check.Must(t, db.AutoMigrate(new(gormTenanted)))
		check.Must(t, gormrepo.MigrateFence(t.Context(), db))
		keepTenantsApart(t, db)
		r, err := gormrepo.New[gormTenanted](db, nil)
		check.Must(t, err)
		name, n := repo.MustField[gormTenanted, string]("Name"), repo.MustField[gormTenanted, int]("N")
		fenced := driver.WithFence(t.Context(), &severalClaims{})
		for what, ctx := range map[string]context.Context{"plain ": t.Context(), "fenced ": fenced} {
			a, other := asTenant(ctx, "a"), asTenant(ctx, "b")
			check.Must(t, r.Insert(a, &gormTenanted{ID: what + "1", Name: "x"}, &gormTenanted{ID: what + "2", Name: "y"}))
			check.Must(t, r.Insert(other, &gormTenanted{ID: what + "3", Name: "x"}))
			if count, err := r.UpdateWhere(other, name.In("x", "y"), repo.Increase(n, 1)); err != nil || count != 1 {
				t.Errorf("%supdate: %d, %v", what, count, err)
			}
			mine := &gormTenanted{ID: what + "4", Name: "y"}
			if done, err := r.UpsertBy(other, []*gormTenanted{mine, {ID: what + "5", Name: "x", N: 9}}, name); err != nil || done != (repo.Upserted{Inserted: 1, Updated: 1}) {
				t.Errorf("%supsert: %+v, %v", what, done, err)
			}
			if err := r.Insert(other, &gormTenanted{ID: what + "1", Name: "stolen"}); !errors.Is(err, repo.ErrDuplicateKey) {
				t.Errorf("%sinsert: %v", what, err)
			}
			if count, err := r.DeleteWhere(other, name.NotNull()); err != nil || count != 2 {
				t.Errorf("%sdelete: %d, %v", what, count, err)
			}
			got, err := r.Find(a, repo.F[gormTenanted, string]("ID").Asc())
			check.Must(t, err)
			if len(got) != 2 || *got[0] != (gormTenanted{what + "1", "a", "x", 3}) || *got[1] != (gormTenanted{what + "2", "a", "y", 3}) {
				t.Errorf("%sthe rows of the first tenant: %+v", what, got)
			}
			if _, err := r.DeleteWhere(a, name.NotNull()); err != nil {
				t.Error(err)
			}
		}
	})
}

type gormNatural struct {
	gorm.Model
	Code  string    `gorm:"size:40;index"`
	Day   time.Time `gorm:"index"`
	Small uint8
	Big   uint64
	Rev   uint32 `holdfast:"version"`
	Fixed string `gorm:"<-:create;size:10"`
	hooks *[]string
}

func (e *gormNatural) note(hook string) error {
	if e.hooks != nil {
		*e.hooks = append(*e.hooks, hook+" "+e.Code)
	}
	return nil
}

func (e *gormNatural) BeforeCreate(*gorm.DB) error { return e.note("BeforeCreate") }
func (e *gormNatural) AfterUpdate(*gorm.DB) error  { return e.note("AfterUpdate") }
func (e *gormNatural) BeforeDelete(*gorm.DB) error { return errors.New("a hook ran") }

func TestGormWriters_OfAModel(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		r := sqldb.Repository[gormNatural](t, b.Open(t), nil)
		ctx := t.Context()
		code, day := repo.MustField[gormNatural, string]("Code"), repo.MustField[gormNatural, time.Time]("Day")
		small, big := repo.MustField[gormNatural, uint8]("Small"), repo.MustField[gormNatural, uint64]("Big")
		at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.FixedZone("east", 3600))
		var ran []string
		a := &gormNatural{Code: "a", Day: at, Small: 250, Big: 3, hooks: &ran}
		check.Must(t, r.Insert(ctx, a))
		twice := func() *gormNatural { return &gormNatural{Model: gorm.Model{ID: 500}, Code: "twice"} }
		if err := r.Insert(ctx, twice(), twice()); !errors.Is(err, repo.ErrDuplicateKey) {
			t.Errorf("one key twice: %v", err)
		}
		again := &gormNatural{Code: "a", Day: at.UTC(), Small: 250, Big: 4, hooks: &ran}
		later := &gormNatural{Code: "a", Day: at.Add(time.Hour), hooks: &ran}
		done, err := r.UpsertBy(ctx, []*gormNatural{again, later}, code, day)
		if err != nil || done != (repo.Upserted{Inserted: 1, Updated: 1}) || again.ID != a.ID || again.Rev != 2 {
			t.Fatalf("%+v, %v, %+v", done, err, again)
		}
		if want := []string{"BeforeCreate a", "BeforeCreate a", "AfterUpdate a"}; !slices.Equal(slices.Sorted(slices.Values(ran)), slices.Sorted(slices.Values(want))) {
			t.Errorf("hooks: %q", ran)
		}
		for _, set := range []repo.Assignment{repo.Increase(small, 6), repo.Decrease(small, 251), repo.Decrease(big, 5)} {
			if n, err := r.UpdateWhere(ctx, day.Eq(at), set); n != 0 || !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("out of range: %d, %v", n, err)
			}
		}
		if n, err := r.UpdateWhere(ctx, day.Eq(at), repo.Increase(small, 5), repo.Decrease(big, 4)); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		got, err := r.FindByID(ctx, a.ID)
		check.Must(t, err)
		if got.Small != 255 || got.Big != 0 || got.Rev != 3 || !got.Day.Equal(at) || got.UpdatedAt.Before(again.UpdatedAt) {
			t.Errorf("got %+v", got)
		}
		if _, err := r.UpdateWhere(ctx, code.Eq("a"), repo.MustField[gormNatural, string]("Fixed").Set("x")); !errors.Is(err, repo.ErrUnsupported) {
			t.Errorf("a column that is not updated: %v", err)
		}
		for _, name := range []string{"ID", "CreatedAt", "UpdatedAt", "DeletedAt", "Model", "Rev"} {
			if _, err := r.UpdateWhere(ctx, code.Eq("a"), repo.F[gormNatural, any](name).Set(1)); !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n, err := r.DeleteWhere(ctx, code.Eq("a")); n != 2 || err != nil {
			t.Errorf("delete: %d, %v", n, err)
		}
		if n, err := r.Restore(ctx, a.ID, later.ID, later.ID+99); n != 2 || err != nil {
			t.Errorf("restore: %d, %v", n, err)
		}
		if got, err := r.FindByID(ctx, a.ID); err != nil || got.Rev != 4 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

type gormFoldedName struct {
	ID   int64
	Name string `gorm:"size:40;uniqueIndex"`
	Lang string `gorm:"size:2"`
	N    int
}

// A collation that takes two texts for equal makes neither the other's row.
func TestGormWriters_UnderAFoldingCollation(t *testing.T) {
	t.Parallel()
	r := sqldb.Repository[gormFoldedName](t, sqldb.MySQLFolding(t), nil)
	ctx := t.Context()
	name, lang := repo.MustField[gormFoldedName, string]("Name"), repo.MustField[gormFoldedName, string]("Lang")
	check.Must(t, r.Insert(ctx, &gormFoldedName{Name: "Zoe", Lang: "en"}))
	for _, by := range [][]repo.Handle{{name}, {name, lang}} {
		if _, err := r.UpsertBy(ctx, []*gormFoldedName{{Name: "zoé", Lang: "en", N: 2}}, by...); !errors.Is(err, repo.ErrDuplicateKey) {
			t.Errorf("got %v", err)
		}
		if done, err := r.UpsertBy(ctx, []*gormFoldedName{{Name: "Zoe", Lang: "en", N: 3}}, by...); err != nil || done.Updated != 1 {
			t.Errorf("%+v, %v", done, err)
		}
	}
}

// A second writer without a lock loses no entity: it finds what the first one inserted.
func TestGormWriters_RaceForAbsentRows(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		r := sqldb.Repository[gormFoldedName](t, b.Open(t), nil)
		ctx := check.Bounded(t, time.Minute)
		name := repo.MustField[gormFoldedName, string]("Name")
		type result struct {
			inserted int64
			err      error
		}
		results := make(chan result)
		const writers, rounds = 3, 10
		for range writers {
			go func() {
				var sum result
				for i := range rounds {
					done, err := r.UpsertBy(ctx, []*gormFoldedName{{Name: string(rune('a' + i))}, {Name: string(rune('A' + i))}}, name)
					sum.inserted += done.Inserted
					sum.err = errors.Join(sum.err, err)
				}
				results <- sum
			}()
		}
		var inserted int64
		for range writers {
			got := <-results
			inserted += got.inserted
			if got.err != nil {
				t.Error(got.err)
			}
		}
		if inserted != 2*rounds {
			t.Errorf("%d were inserted, want %d", inserted, 2*rounds)
		}
	})
}

type gormIndexed struct {
	ID      int64
	Region  string    `gorm:"size:40;uniqueIndex:natural"`
	Code    string    `gorm:"size:40;uniqueIndex:natural"`
	Name    string    `gorm:"size:40;uniqueIndex"`
	N       int       `gorm:"default:3"`
	Made    time.Time `holdfast:"created"`
	Rev     int64     `holdfast:"version"`
	Deleted gorm.DeletedAt
}

// With a unique index PostgreSQL does it by one statement. What it does is the same.
func TestGormWriters_UpsertByAnIndex(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		r := sqldb.Repository[gormIndexed](t, db, nil)
		ctx := t.Context()
		by := []repo.Handle{repo.MustField[gormIndexed, string]("Code"), repo.MustField[gormIndexed, string]("Region")}
		a, gone := &gormIndexed{Region: "n", Code: "a", Name: "a", N: 7}, &gormIndexed{Region: "n", Code: "gone", Name: "gone"}
		check.Must(t, r.Insert(ctx, a, gone))
		check.Must(t, r.Delete(ctx, gone))
		made := a.Made
		for round, want := range []repo.Upserted{{Inserted: 2, Updated: 1}, {Updated: 3}} {
			list := []*gormIndexed{
				{Region: "n", Code: "b", Name: "b"},
				{ID: 99, Region: "n", Code: "a", Name: "a2", Rev: 50, Made: made.Add(time.Hour)},
				{Region: "s", Code: "a", Name: "c", N: 8},
			}
			done, err := r.UpsertBy(ctx, list, by...)
			if err != nil || done != want {
				t.Fatalf("%+v, %v", done, err)
			}
			for i, id := range []int64{list[0].ID, a.ID, list[2].ID} {
				got, err := r.FindByID(ctx, id)
				check.Must(t, err)
				rev, n := int64(1+round), []int{3 - 3*round, 0, 8}[i]
				if i == 1 {
					rev++
				}
				if got.Rev != rev || got.N != n || got.Name != list[i].Name || !got.Made.Equal(list[i].Made) {
					t.Errorf("round %d: element %d is %+v, stored is %+v", round, i, list[i], got)
				}
			}
			if !list[1].Made.Equal(made) {
				t.Errorf("the creation time became %v", list[1].Made)
			}
		}
		for what, list := range map[string][]*gormIndexed{
			"deleted":      {{Region: "x", Code: "x", Name: "x"}, {Region: "n", Code: "gone", Name: "y"}},
			"another's":    {{Region: "x", Code: "x", Name: "x"}, {Region: "n", Code: "a", Name: "b"}},
			"another's ID": {{Region: "x", Code: "x", Name: "x"}, {ID: a.ID, Region: "y", Code: "y", Name: "y"}},
		} {
			_, err := r.UpsertBy(ctx, list, by...)
			if batch, ok := errors.AsType[*repo.BatchError](err); !ok || len(batch.Items) != 1 || batch.Items[0].Index != 1 || !errors.Is(err, repo.ErrDuplicateKey) {
				t.Errorf("%s: %v", what, err)
			}
			if list[0].ID != 0 || list[0].Rev != 0 {
				t.Errorf("%s: the entity became %+v", what, list[0])
			}
		}
		check.Must(t, db.Migrator().DropIndex(new(gormIndexed), "natural"))
		done, err := r.UpsertBy(ctx, []*gormIndexed{{Region: "n", Code: "a", Name: "a3"}, {Region: "n", Code: "z", Name: "z"}}, by...)
		if err != nil || done != (repo.Upserted{Inserted: 1, Updated: 1}) {
			t.Errorf("without the index: %+v, %v", done, err)
		}
	})
}

// An index for which other letters are equal gives nobody the row of another.
func TestGormWriters_UpsertByAnIndexThatFolds(t *testing.T) {
	t.Parallel()
	db := sqldb.Postgres(t)
	check.Must(t, db.Exec("CREATE COLLATION folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false)").Error)
	r := sqldb.Repository[gormFoldedName](t, db, nil)
	check.Must(t, db.Exec("ALTER TABLE gorm_folded_names ALTER COLUMN name TYPE text COLLATE folding").Error)
	ctx, name := t.Context(), repo.MustField[gormFoldedName, string]("Name")
	check.Must(t, r.Insert(ctx, &gormFoldedName{Name: "Zoe", N: 1}))
	for _, list := range [][]*gormFoldedName{{{Name: "zoe", N: 2}}, {{Name: "x"}, {Name: "X"}}} {
		if _, err := r.UpsertBy(ctx, list, name); !errors.Is(err, repo.ErrDuplicateKey) {
			t.Errorf("got %v", err)
		}
	}
	all, err := r.Find(ctx)
	if err != nil || len(all) != 1 || all[0].Name != "Zoe" || all[0].N != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}

type gormTimed struct {
	ID  int64
	At  time.Time
	Due *time.Time
}

// A list is refused whose times differ, and are one in a column of milliseconds. It stays
// as it was.
func TestGormWriters_UpsertByTimesThatAreOne(t *testing.T) {
	t.Parallel()
	r := sqldb.Repository[gormTimed](t, sqldb.MySQL(t), nil)
	first, second := time.Date(2024, 1, 2, 3, 4, 5, 678001000, time.UTC), time.Date(2024, 1, 2, 3, 4, 5, 678002000, time.UTC)
	list := []*gormTimed{{At: first, Due: &first}, {At: second, Due: &second}}
	want := []gormTimed{*list[0], *list[1]}
	_, err := r.UpsertBy(t.Context(), list, repo.MustField[gormTimed, time.Time]("At"), repo.MustField[gormTimed, time.Time]("Due"))
	if !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	for i, e := range list {
		if *e != want[i] {
			t.Errorf("entity %d became %+v", i, e)
		}
	}
}
