package gormstore_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

type gormHooked struct {
	ID    string `gorm:"primaryKey;size:50"`
	Name  string `gorm:"size:50"`
	Fail  string `gorm:"-"`
	calls []string
}

func (h *gormHooked) note(name string) error {
	h.calls = append(h.calls, name)
	if h.Fail == name {
		return errors.New(name + " failed")
	}
	return nil
}

func (h *gormHooked) BeforeSave(tx *gorm.DB) error {
	if h.Name == "" {
		tx.Statement.SetColumn("Name", "set by hook")
	}
	return h.note("BeforeSave")
}

func (h *gormHooked) BeforeCreate(*gorm.DB) error {
	if h.ID == "" {
		h.ID = servers.UniqueName("made-")
	}
	return h.note("BeforeCreate")
}

func (h *gormHooked) AfterSave(tx *gorm.DB) error {
	if h.Fail == "AfterSave by handle" {
		return tx.Exec("INSERT INTO no_such_table VALUES (1)").Error
	}
	return h.note("AfterSave")
}

func (h *gormHooked) AfterCreate(*gorm.DB) error  { return h.note("AfterCreate") }
func (h *gormHooked) BeforeUpdate(*gorm.DB) error { return h.note("BeforeUpdate") }
func (h *gormHooked) BeforeDelete(*gorm.DB) error { return h.note("BeforeDelete") }
func (h *gormHooked) AfterDelete(*gorm.DB) error  { return h.note("AfterDelete") }

func TestGormTheSameHooksRunWhateverHappens(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormHooked](t, db, nil)
		saved := []string{"BeforeSave", "AfterSave"}
		updated := []string{"BeforeSave", "BeforeUpdate", "AfterSave"}
		created := []string{"BeforeSave", "BeforeCreate", "AfterCreate", "AfterSave"}
		want := func(what string, e *gormHooked, want []string) {
			t.Helper()
			if !slices.Equal(e.calls, want) {
				t.Errorf("%s: got %v, want %v", what, e.calls, want)
			}
			if got, err := r.FindByID(ctx, e.ID); err != nil || got.Name != "set by hook" {
				t.Errorf("%s: stored is %+v, %v", what, got, err)
			}
			e.calls = nil
		}
		fresh, absent := &gormHooked{}, &gormHooked{ID: "a"}
		check.Must(t, r.Save(ctx, fresh))
		want("new", fresh, created)
		check.Must(t, r.Save(ctx, absent))
		want("absent", absent, saved)
		check.Must(t, r.Save(ctx, absent))
		want("stored", absent, updated)
		list := []*gormHooked{absent, {}, {ID: "b"}}
		check.Must(t, r.SaveAll(ctx, list))
		want("stored in a list", list[0], updated)
		want("new in a list", list[1], created)
		want("absent in a list", list[2], saved)
		e, err := r.Update(ctx, "b", func(*gormHooked) error { return nil })
		check.Must(t, err)
		want("updated", e, updated)
		check.Must(t, r.Delete(ctx, e))
		if !slices.Equal(e.calls, []string{"BeforeDelete", "AfterDelete"}) {
			t.Errorf("deleted: got %v", e.calls)
		}
	})
}

func TestGormFailingHookUndoesEverything(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormHooked](t, db, nil)
		for _, name := range []string{"BeforeSave", "BeforeCreate", "AfterCreate", "AfterSave", "AfterSave by handle"} {
			list := []*gormHooked{{ID: "a"}, {Fail: name}, {}}
			err := r.SaveAll(ctx, list)
			var batch *repo.BatchError
			if !errors.As(err, &batch) || len(batch.Items) != 1 || batch.Items[0].Index != 1 {
				t.Errorf("%s: got %v", name, err)
			}
			if n, err := r.Count(ctx); n != 0 || err != nil {
				t.Errorf("%s: %d rows are there, %v", name, n, err)
			}
			if list[0].Name != "" || list[1].ID != "" || list[2].ID != "" {
				t.Errorf("%s: the entities became %+v %+v %+v", name, list[0], list[1], list[2])
			}
		}
	})
}

type gormAuthor struct {
	ID      int64
	Name    string     `gorm:"size:50"`
	Books   []gormBook `gorm:"foreignKey:AuthorID"`
	HouseID *int64
	House   *gormHouse
}

type gormBook struct {
	ID       int64
	AuthorID int64
	Title    string `gorm:"size:50"`
}

type gormHouse struct {
	ID   int64
	Name string `gorm:"size:50"`
}

func TestGormAssociationsAreLeftAlone(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		check.Must(t, db.AutoMigrate(new(gormHouse)))
		ctx, r := t.Context(), sqldb.Repository[gormAuthor](t, db, nil)
		check.Must(t, db.AutoMigrate(new(gormBook)))
		e := &gormAuthor{Name: "a", Books: []gormBook{{Title: "t"}}, House: &gormHouse{Name: "h"}}
		for range 2 {
			check.Must(t, r.SaveAll(ctx, []*gormAuthor{e, {Name: "b"}}))
			check.Must(t, r.Save(ctx, e))
		}
		if b, h := sqldb.Rows[gormBook](t, db), sqldb.Rows[gormHouse](t, db); len(b) != 0 || len(h) != 0 {
			t.Fatalf("saved %v and %v", b, h)
		}
	})
}

func TestGormAssociationsAreSavedWhenAsked(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		check.Must(t, db.AutoMigrate(new(gormHouse)))
		ctx, r := t.Context(), sqldb.Repository[gormAuthor](t, db, &gormrepo.Options{Associations: true})
		check.Must(t, db.AutoMigrate(new(gormBook)))
		e := &gormAuthor{Name: "a", Books: []gormBook{{Title: "t"}, {Title: "u"}}, House: &gormHouse{Name: "h"}}
		check.Must(t, r.SaveAll(ctx, []*gormAuthor{{Name: "b"}, e}))
		e.Books[1].Title, e.House.Name = "changed", "changed"
		check.Must(t, r.Save(ctx, e))
		got, err := r.Find(ctx, repo.F[gormAuthor, string]("Name").Eq("a"),
			repo.Native(func(db *gorm.DB) *gorm.DB { return db.Preload("Books").Preload("House") }))
		check.Must(t, err)
		if len(got) != 1 || got[0].House.Name != "changed" || len(got[0].Books) != 2 || got[0].Books[1].Title != "changed" {
			t.Fatalf("got %+v", got)
		}
		if b, h := sqldb.Rows[gormBook](t, db), sqldb.Rows[gormHouse](t, db); len(b) != 2 || len(h) != 1 {
			t.Fatalf("there are %v and %v", b, h)
		}
		// The books are part of the save: without them, no author.
		check.Must(t, db.Migrator().DropTable(new(gormBook)))
		if err := r.Save(ctx, &gormAuthor{Name: "c", Books: []gormBook{{Title: "v"}}}); err == nil {
			t.Fatal("no error")
		}
		if n, err := r.Count(ctx); n != 2 || err != nil {
			t.Fatalf("%d authors, %v", n, err)
		}
	})
}

func TestGormTxFailedHalfwayCannotCommit(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), sqldb.Repository[gormItem](t, db, nil)
		check.Must(t, r.Save(ctx, &gormItem{Email: "taken@x"}))
		err := r.InTx(ctx, func(ctx context.Context) error {
			// One of the two batches is written when the other fails.
			list := append(gormItems(1500, 0), &gormItem{Email: "taken@x"})
			if err := r.SaveAll(ctx, list); !errors.Is(err, repo.ErrDuplicateKey) {
				t.Errorf("got %v", err)
			}
			if err := r.Save(ctx, &gormItem{Email: "after@x"}); err == nil {
				t.Error("a write was accepted that cannot be committed")
			}
			return nil
		})
		if !errors.Is(err, repo.ErrDuplicateKey) {
			t.Errorf("the commit said %v", err)
		}
		if n, err := r.Count(ctx); n != 1 || err != nil {
			t.Fatalf("%d rows, %v", n, err)
		}
	})
}
