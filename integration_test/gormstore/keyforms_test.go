package gormstore_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

type gormAlways struct {
	ID   int64
	Name string
}

// A key that is always generated is never written: where a row is there, it is changed
// by an UPDATE.
func TestGormKeysThatAreAlwaysGenerated(t *testing.T) {
	t.Parallel()
	db := sqldb.Postgres(t)
	check.Must(t, db.Exec("CREATE TABLE gorm_always (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text)").Error)
	db = db.Session(&gorm.Session{})
	r, err := gormrepo.New[gormAlways](db, nil)
	check.Must(t, err)
	ctx := t.Context()
	a, b := &gormAlways{Name: "a"}, &gormAlways{Name: "b"}
	check.Must(t, r.Save(ctx, a))
	check.Must(t, r.SaveAll(ctx, []*gormAlways{b, {Name: "c"}}))
	a.Name, b.Name = "a2", "b2"
	check.Must(t, r.Save(ctx, a))
	check.Must(t, r.SaveAll(ctx, []*gormAlways{a, b, {Name: "d"}}))
	_, err = r.Update(ctx, a.ID, func(e *gormAlways) error { e.Name = "a3"; return nil })
	check.Must(t, err)
	for mode, option := range map[string]repo.SmartSaveOption{"replace": repo.Replace(), "merge": repo.Merge()} {
		docs := []string{fmt.Sprintf(`{"id":%d,"name":%q}`, b.ID, mode), fmt.Sprintf(`{"name":%q}`, "new by "+mode)}
		_, err = r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: docs}, option)
		check.Must(t, err)
		if got, err := r.FindByID(ctx, b.ID); err != nil || got.Name != mode {
			t.Errorf("%s: got %+v, %v", mode, got, err)
		}
	}
	if n, err := r.Count(ctx); n != 6 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
}

// TableName is that of the test, which GORM would write in the plural.
func (gormAlways) TableName() string { return "gorm_always" }

type gormFilled struct {
	Code string    `gorm:"primaryKey;type:char(10)"`
	Name string    `gorm:"size:50"`
	Made time.Time `holdfast:"created"`
}

type gormCased struct {
	ID   string `gorm:"primaryKey;type:uuid"`
	Name string
	Rev  int64 `holdfast:"version"`
}

type gormRounded struct {
	Sensor int64     `gorm:"primaryKey;autoIncrement:false"`
	At     time.Time `gorm:"primaryKey;type:datetime(0)"`
	Name   string    `gorm:"size:50"`
}

// Keys that the database gives back in another form are those of their rows.
func TestGormKeysThatTheDatabaseRewrites(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		filled := sqldb.Repository[gormFilled](t, db, nil)
		rewritten(t, filled, &gormFilled{Code: "ab"}, &gormFilled{Code: "cd"}, `"code":"ab"`, "ab", "zz")
		at := time.Date(2026, 5, 6, 7, 8, 9, 623456789, time.FixedZone("x", 2*3600))
		if b.Name == "MySQL" {
			rounded := sqldb.Repository[gormRounded](t, db, nil)
			rewritten(t, rounded, &gormRounded{Sensor: 1, At: at}, &gormRounded{Sensor: 2, At: at}, `"sensor":1,"at":"2026-05-06T07:08:09.623456789+02:00"`,
				&gormRounded{Sensor: 1, At: at}, &gormRounded{Sensor: 3, At: at})
		}
		if b.Name == "PostgreSQL" {
			const key, other = "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "B0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"
			cased := sqldb.Repository[gormCased](t, db, nil)
			rewritten(t, cased, &gormCased{ID: key}, &gormCased{ID: other}, `"id":"`+key+`"`, key, strings.Replace(key, "A", "C", 1))
		}
	})
}

// rewritten saves one and other, and finds and changes one, whose key is id and stands
// in the document, in every way.
func rewritten[T any](t *testing.T, r *gormrepo.Repository[T], one, other *T, doc string, id, absent any) {
	t.Helper()
	ctx := t.Context()
	check.Must(t, r.Save(ctx, one))
	check.Must(t, r.Save(ctx, one))
	check.Must(t, r.SaveAll(ctx, []*T{one, other}))
	if got, err := r.FindByID(ctx, id); err != nil || got == nil {
		t.Errorf("by id: %v", err)
	}
	if list, err := r.FindAllByID(ctx, []any{id, absent}); err != nil || len(list) != 1 {
		t.Errorf("by ids: %d, %v", len(list), err)
	}
	if _, err := r.Update(ctx, id, func(*T) error { return nil }); err != nil {
		t.Errorf("update: %v", err)
	}
	for mode, option := range map[string]repo.SmartSaveOption{"replace": repo.Replace(), "merge": repo.Merge()} {
		if _, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{"{" + doc + `,"name":"` + mode + `"}`}}, option); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
	}
	if n, err := r.Count(ctx); n != 2 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
	if n, err := r.DeleteAllByID(ctx, []any{id, absent}); n != 1 || err != nil {
		t.Errorf("deleted %d, %v", n, err)
	}
}

type gormBillLine struct {
	No   int64  `gorm:"primaryKey;autoIncrement"`
	Bill string `gorm:"primaryKey;size:20"`
	Text string `gorm:"size:20"`
}

// Two entities whose part of the key the database makes get a row each.
func TestGormCompositeKeysAreNumbered(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		ctx, r := t.Context(), sqldb.Repository[gormBillLine](t, b.Open(t), nil)
		a, c := &gormBillLine{Bill: "x", Text: "a"}, &gormBillLine{Bill: "x", Text: "c"}
		check.Must(t, r.SaveAll(ctx, []*gormBillLine{a, c}))
		out, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"bill":"x","text":"d"}`, `{"bill":"x","text":"e"}`}}, repo.Merge())
		check.Must(t, err)
		if a.No == 0 || c.No == 0 || a.No == c.No || out[0].No == out[1].No {
			t.Errorf("got %+v %+v %+v %+v", a, c, out[0], out[1])
		}
		if n, err := r.Count(ctx); n != 4 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
	})
}
