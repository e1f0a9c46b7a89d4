package gormstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// Elements of associations are saved by the rules of their own type, and never over what
// belongs to another entity.

func TestGormAssociations_AreNeverTakenFromOthers(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), associated(t, db, gormrepo.Options{Orphans: []string{"Books"}})
		a := &assocAuthor{Name: "a", Books: []assocBook{{Title: "a1"}}}
		o := &assocAuthor{Name: "o", Books: []assocBook{{Title: "o1"}}}
		check.Must(t, r.SaveAll(ctx, []*assocAuthor{a, o}))
		theirs := o.Books[0].ID
		for name, save := range assocWays(r, a.ID, func(e *assocAuthor) { e.Books = []assocBook{{ID: theirs, Title: "taken"}} }, fmt.Sprintf(`,"books":[{"id":%d,"title":"taken"}]`, theirs)) {
			if err := save(ctx); !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("%s by key: got %v", name, err)
			}
		}
		for name, save := range assocWays(r, a.ID, func(e *assocAuthor) { e.Books = []assocBook{{Title: "new"}, {Title: "o1"}} }, `,"books":[{"title":"new"},{"title":"o1"}]`) {
			if err := save(ctx); !errors.Is(err, repo.ErrDuplicateKey) {
				t.Errorf("%s by title: got %v", name, err)
			}
		}
		got := sqldb.Rows[assocBook](t, db)
		if len(got) != 2 || got[0].AuthorID != a.ID || got[0].DeletedAt.Valid || got[1].AuthorID != o.ID || got[1].Title != "o1" || got[1].Version != 1 {
			t.Fatalf("got %+v", got)
		}
	})
}

func TestGormAssociations_ForeignKeysAreWritten(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), associated(t, db, gormrepo.Options{})
		e := &assocAuthor{Name: "a"}
		check.Must(t, r.Save(ctx, e))
		for name, save := range assocWays(r, e.ID, func(e *assocAuthor) { e.House = &assocHouse{Name: "h"} }, `,"house":{"name":"h"}`) {
			check.Must(t, db.Exec("UPDATE assoc_authors SET house_id = NULL").Error)
			check.Must(t, save(ctx))
			houses := sqldb.Rows[assocHouse](t, db)
			got, err := r.FindByID(ctx, e.ID)
			check.Must(t, err)
			if got.HouseID == nil || *got.HouseID != houses[len(houses)-1].ID {
				t.Errorf("%s: the author has house %v of %+v", name, got.HouseID, houses)
			}
		}
	})
}

func TestGormAssociations_ObeyVersionsAndMarks(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), associated(t, db, gormrepo.Options{})
		e := &assocAuthor{Name: "a", House: &assocHouse{Name: "h"}, Books: []assocBook{{Title: "1"}, {Title: "2"}}}
		check.Must(t, r.Save(ctx, e))
		e.Books[1].Title = "2b"
		check.Must(t, r.Save(ctx, e))
		if got := sqldb.Rows[assocBook](t, db); e.Books[0].Version != 1 || got[0].Version != 1 || e.Books[1].Version != 2 || got[1].Version != 2 || got[1].Title != "2b" {
			t.Fatalf("what has changed is written, the rest is not: %+v", got)
		}
		version := e.Version
		_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id":1,"books":[{"id":1,"title":"1"}]}`}}, repo.Merge())
		check.Must(t, err)
		if got, err := r.FindByID(ctx, e.ID); err != nil || got.Version != version+1 {
			t.Fatalf("a document that names elements changes their owner: %+v, %v", got, err)
		}
		cases := map[string]struct {
			set  func(e *assocAuthor)
			want error
		}{
			"another version":             {func(e *assocAuthor) { e.Books = []assocBook{{ID: 2, Title: "x", Version: 1}} }, repo.ErrStale},
			"a version that is gone":      {func(e *assocAuthor) { e.Books = []assocBook{{ID: 77, Title: "x", Version: 1}} }, repo.ErrStale},
			"no version":                  {func(e *assocAuthor) { e.Books = []assocBook{{ID: 2, Title: "over"}} }, nil},
			"a shared one, other version": {func(e *assocAuthor) { e.House = &assocHouse{ID: 1, Version: 5} }, repo.ErrStale},
			"a shared one, no version":    {func(e *assocAuthor) { e.House = &assocHouse{ID: 1} }, repo.ErrStale},
			"a shared one":                {func(e *assocAuthor) { e.House = &assocHouse{ID: 1, Name: "h2", Version: 1} }, nil},
		}
		for name, test := range cases {
			got, err := r.FindByID(ctx, e.ID)
			check.Must(t, err)
			test.set(got)
			if err := r.Save(ctx, got); !errors.Is(err, test.want) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if got, h := sqldb.Rows[assocBook](t, db), sqldb.Rows[assocHouse](t, db); len(got) != 2 || got[1].Title != "over" || got[1].Version != 3 || h[0] != (assocHouse{1, "h2", 2}) {
			t.Fatalf("got %+v, %+v", got, h)
		}
		check.Must(t, db.Delete(new(assocBook), 2).Error)
		back := func() *assocAuthor {
			got, err := r.FindByID(ctx, e.ID)
			check.Must(t, err)
			got.Books = []assocBook{{ID: 2, Title: "over"}}
			return got
		}
		if err := r.Save(ctx, back()); !errors.Is(err, repo.ErrNotFound) {
			t.Errorf("a marked one: got %v", err)
		}
		check.Must(t, associated(t, db, gormrepo.Options{Revive: true}).Save(ctx, back()))
		if got := sqldb.Rows[assocBook](t, db); got[1].DeletedAt.Valid || got[1].Version != 4 {
			t.Fatalf("got %+v", got)
		}
	})
}

func TestGormAssociations_AreSavedOnce(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), associated(t, db, gormrepo.Options{})
		house, tag := &assocHouse{Name: "h"}, &assocTag{Name: "t"}
		a := &assocAuthor{Name: "a", House: house, Tags: []*assocTag{tag}, Books: []assocBook{{Title: "1", Pages: []*assocPage{{Number: 1}, {Number: 2}}}, {Title: "2"}}}
		a.Books[0].Pages[0].Book = &a.Books[0]
		o := &assocAuthor{Name: "b", House: house, Tags: []*assocTag{tag, {Name: "u"}}, Books: []assocBook{{Title: "3", Pages: []*assocPage{{Number: 1}}}}}
		check.Must(t, r.SaveAll(ctx, []*assocAuthor{a, o}))
		one, two := *house, *house // as two reads have it
		a.House, o.House, one.Name, two.Name = &one, &two, "changed", "changed"
		check.Must(t, r.SaveAll(ctx, []*assocAuthor{a, o}))
		if h := sqldb.Rows[assocHouse](t, db); len(h) != 1 || h[0].Name != "changed" || one != h[0] || two != h[0] {
			t.Fatalf("got %+v, %+v, %+v", h, one, two)
		}
		var pages []assocPage
		check.Must(t, db.Order("book_id, number").Find(&pages).Error)
		var joins int64
		check.Must(t, db.Table("assoc_author_tags").Count(&joins).Error)
		if tags := sqldb.Rows[assocTag](t, db); len(tags) != 2 || joins != 3 || len(pages) != 3 || pages[2].BookID != o.Books[0].ID {
			t.Fatalf("got %+v, %d joins, %+v", tags, joins, pages)
		}
		two.Name = "other"
		other := *a
		other.Books = []assocBook{{ID: 1, Title: "1"}, {ID: 1, Title: "1"}}
		for name, list := range map[string][]*assocAuthor{
			"two copies that differ": {a, o}, "one element twice": {&other},
			"nil":        {{Tags: []*assocTag{nil}}},
			"for others": {{Books: []assocBook{{Title: "9", Pages: []*assocPage{{Number: 1, Book: &assocBook{AuthorID: a.ID, Title: "10"}}}}}}},
		} {
			if err := r.SaveAll(ctx, list); !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if got := sqldb.Rows[assocBook](t, db); len(got) != 3 {
			t.Fatalf("got %+v", got)
		}
	})
}

func TestGormAssociations_AreTakenBackWhenASaveFails(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), associated(t, db, gormrepo.Options{})
		check.Must(t, r.Save(ctx, &assocAuthor{Books: []assocBook{{Title: "taken"}}}))
		e := &assocAuthor{House: &assocHouse{Name: "h"}, Books: []assocBook{{Title: "x", Pages: []*assocPage{{Number: 1}}}, {Title: "taken"}}}
		err := r.SaveAll(ctx, []*assocAuthor{{Name: "z"}, e})
		if batch, ok := errors.AsType[*repo.BatchError](err); !ok || !errors.Is(err, repo.ErrDuplicateKey) || len(batch.Items) != 1 || batch.Items[0].Index != 1 {
			t.Errorf("got %v", err)
		}
		if e.ID != 0 || e.HouseID != nil || e.House.ID != 0 || e.Books[0].ID != 0 || e.Books[0].AuthorID != 0 || e.Books[0].Version != 0 || e.Books[0].Pages[0].BookID != 0 {
			t.Errorf("the entity became %+v", e)
		}
		if err := r.InTx(ctx, func(ctx context.Context) error { _ = r.Save(ctx, e); return nil }); !errors.Is(err, repo.ErrRolledBack) {
			t.Errorf("InTx: got %v", err)
		}
		mine := []assocBook{{Title: "y"}, {Title: "taken"}}
		if _, err := r.Update(ctx, 1, func(e *assocAuthor) error { e.Books = mine; return nil }); !errors.Is(err, repo.ErrDuplicateKey) || mine[0].ID != 0 || mine[0].AuthorID != 0 {
			t.Errorf("Update: got %v, and %+v", err, mine)
		}
		e.Books[1].Title = "free"
		check.Must(t, r.Save(ctx, e))
		if h, books := sqldb.Rows[assocHouse](t, db), sqldb.Rows[assocBook](t, db); len(h) != 1 || len(books) != 3 || e.Books[1].AuthorID != e.ID {
			t.Fatalf("got %+v, %+v", h, books)
		}
	})
}

func TestGormAssociations_UpdateReadsThem(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), associated(t, db, gormrepo.Options{Preload: []string{"House"}, Orphans: []string{"Books.Pages", "Notes"}})
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		e := &assocAuthor{House: &assocHouse{Name: "h"}, Books: []assocBook{{Title: "1", Pages: []*assocPage{{Number: 1}, {Number: 2}}}, {Title: "2"}}, Notes: []*assocNote{{Text: "n"}, {Text: "gone"}}}
		check.Must(t, r.Save(ctx, e))
		check.Must(t, db.Exec("UPDATE assoc_notes SET gone_at = ? WHERE text = 'gone'", at).Error)
		got, err := r.Update(ctx, e.ID, func(e *assocAuthor) error {
			e.Books[0].Pages = e.Books[0].Pages[1:]
			e.Books[0].Pages[0].Text, e.Notes[0].Text = "left", "changed"
			e.Books[1].Pages = nil
			e.Notes = append(e.Notes, &assocNote{Text: "added"})
			e.House.Name += " changed"
			return nil
		})
		check.Must(t, err)
		var pages []assocPage
		check.Must(t, db.Find(&pages).Error)
		notes := sqldb.Rows[assocNote](t, db)
		if len(pages) != 1 || pages[0].Number != 2 || pages[0].Text != "left" || len(notes) != 3 || notes[0].Text != "changed" || notes[2].Text != "added" || notes[1].GoneAt == nil || notes[1].GoneAt.Unix() != at.Unix() {
			t.Fatalf("got %+v, %+v", pages, notes)
		}
		if books := sqldb.Rows[assocBook](t, db); got.Version != 2 || books[0].Version != 2 || books[1].Version != 1 || sqldb.Rows[assocHouse](t, db)[0].Name != "h changed" {
			t.Fatalf("got %+v, %+v", got, books)
		}
	})
}

func TestGormAssociations_AreNotGrouped(t *testing.T) {
	t.Parallel()
	db := sqldb.SQLite(t)
	if r := associated(t, db, gormrepo.Options{}); r.Grouping(r).How != "" {
		t.Error("saves of several callers are put together")
	}
}
