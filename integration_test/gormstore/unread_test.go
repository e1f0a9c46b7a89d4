package gormstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// What an entity does not show of its row stays as it is.

type gormSlim struct {
	ID    int64  `gorm:"primaryKey;autoIncrement:false"`
	Name  string `gorm:"size:50"`
	Nick  string `gorm:"size:50"`
	Owner string `gorm:"->;not null"`
}

// slimTable has a column that the type does not have, and NULL where the type has
// text.
func slimTable(t testing.TB, db *gorm.DB, n int) *gormrepo.Repository[gormSlim] {
	t.Helper()
	check.Must(t, db.Exec("CREATE TABLE gorm_slims (id BIGINT PRIMARY KEY, name VARCHAR(50), nick VARCHAR(50) UNIQUE, owner VARCHAR(50) NOT NULL, other VARCHAR(50) NOT NULL)").Error)
	for i := 1; i <= n; i++ {
		check.Must(t, db.Exec("INSERT INTO gorm_slims (id, name, owner, other) VALUES (?, 'n', 'o', 'x')", i).Error)
	}
	r, err := gormrepo.New[gormSlim](db, nil)
	check.Must(t, err)
	return r
}

func nulls(t testing.TB, db *gorm.DB) (n int64) {
	t.Helper()
	check.Must(t, db.Raw("SELECT count(*) FROM gorm_slims WHERE nick IS NULL AND owner = 'o' AND other = 'x'").Scan(&n).Error)
	return n
}

func TestGormUnread_StaysInUpdatesAndMerges(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), slimTable(t, db, 60)
		for i := range 2 {
			e, err := r.Update(ctx, i+1, func(e *gormSlim) error { e.Name = "u"; return nil })
			check.Must(t, err)
			if e.Name != "u" {
				t.Fatalf("got %+v", e)
			}
		}
		docs := make([]string, 60)
		for i := range docs {
			docs[i] = fmt.Sprintf(`{"id":%d,"name":"m%d"}`, i+1, i)
		}
		_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: docs}, repo.Merge())
		check.Must(t, err)
		if n := nulls(t, db); n != 60 {
			t.Errorf("%d of 60 rows have kept what was not read", n)
		}
		for i, e := range sqldb.Rows[gormSlim](t, db) {
			if e.Name != fmt.Sprintf("m%d", i) {
				t.Errorf("row %d: %+v", i, e)
			}
		}
	})
}

func TestGormUnread_ASaveOfAStoredRowNeedsNoInsert(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), slimTable(t, db, 4)
		check.Must(t, r.InTx(ctx, func(ctx context.Context) error { return r.Save(ctx, &gormSlim{ID: 3, Name: "s", Nick: "3"}) }))
		check.Must(t, r.Save(ctx, &gormSlim{ID: 1, Name: "s", Nick: "1"}))
		check.Must(t, r.SaveAll(ctx, []*gormSlim{{ID: 1, Name: "l", Nick: "1"}, {ID: 2, Name: "l", Nick: "2"}}))
		if err := r.Save(ctx, &gormSlim{ID: 99}); err == nil {
			t.Error("a row without its columns was inserted")
		}
		if got := sqldb.Rows[gormSlim](t, db); len(got) != 4 || got[0].Name != "l" || got[1].Nick != "2" || got[2].Name != "s" || got[0].Owner != "o" {
			t.Fatalf("got %+v", got)
		}
	})
}

type gormCleared struct {
	ID   string         `gorm:"primaryKey;size:50"`
	Nick string         `gorm:"size:50;default:null"`
	Note *string        `gorm:"size:50;default:null"`
	Till *time.Time     `gorm:"default:null"`
	Text sql.NullString `gorm:"size:50;default:null"`
	Raw  []byte         `gorm:"default:null"`
}

func TestGormDefaults_NullCanBeCleared(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormCleared](t, db, nil)
		note, at := "note", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		full := func() *gormCleared {
			return &gormCleared{"a", "nick", &note, &at, sql.NullString{String: "x", Valid: true}, []byte("x")}
		}
		for name, empty := range map[string]func() error{
			"Save":    func() error { return r.Save(ctx, &gormCleared{ID: "a"}) },
			"SaveAll": func() error { return r.SaveAll(ctx, []*gormCleared{full2("b"), {ID: "a"}}) },
			"Update": func() error {
				_, err := r.Update(ctx, "a", func(e *gormCleared) error { *e = gormCleared{ID: "a"}; return nil })
				return err
			},
			"Merge": func() error {
				doc := `{"id":"a","nick":null,"note":null,"till":null,"text":null,"raw":null}`
				_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{doc}}, repo.Merge())
				return err
			},
		} {
			check.Must(t, r.Save(ctx, full()))
			check.Must(t, empty())
			e, err := r.FindByID(ctx, "a")
			check.Must(t, err)
			if e.Nick != "" || e.Note != nil || e.Till != nil || e.Text.Valid || e.Raw != nil {
				t.Errorf("%s left %+v", name, e)
			}
		}
	})
}

func full2(id string) *gormCleared { return &gormCleared{ID: id, Nick: "nick"} }

type gormUpper struct {
	Code string `gorm:"primaryKey;size:50"`
	Name string `gorm:"size:50"`
}

func (u *gormUpper) BeforeSave(*gorm.DB) error {
	b := []byte(u.Code)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	u.Code = string(b)
	return nil
}

func (u *gormUpper) BeforeDelete(*gorm.DB) error { return u.BeforeSave(nil) }

func TestGormHooks_ThatChangeTheKey(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormUpper](t, db, nil)
		check.Must(t, r.SaveAll(ctx, []*gormUpper{{"fr", "1"}, {"FR", "2"}}))
		out, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"code":"fr"}`, `{"code":"FR","name":"m"}`, `{"code":"de","name":"d"}`}}, repo.Merge())
		check.Must(t, err)
		if *out[0] != (gormUpper{"FR", "m"}) || *out[1] != *out[0] || *out[2] != (gormUpper{"DE", "d"}) {
			t.Fatalf("got %+v %+v %+v", out[0], out[1], out[2])
		}
		check.Must(t, db.Exec("INSERT INTO gorm_uppers (code, name) VALUES ('it', 'low'), ('IT', 'high')").Error)
		_, updated := r.Update(ctx, "it", func(u *gormUpper) error { u.Name = "x"; return nil })
		for name, err := range map[string]error{"Update": updated, "Delete": r.Delete(ctx, &gormUpper{Code: "it"})} {
			if !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if e, err := r.FindByID(ctx, "IT"); err != nil || e.Name != "high" {
			t.Fatalf("got %+v, %v", e, err)
		}
	})
}
