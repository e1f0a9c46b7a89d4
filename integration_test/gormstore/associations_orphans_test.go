package gormstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// What a list leaves out is deleted where an option says so, and only where there is a
// list.

func assocOrphans(t testing.TB, db *gorm.DB) *gormrepo.Repository[assocAuthor] {
	t.Helper()
	return associated(t, db, gormrepo.Options{Orphans: []string{"Books", "Books.Pages", "Card", "Tags", "Notes"}})
}

// assocFull is an author with elements of all kinds.
func assocFull(name string) *assocAuthor {
	return &assocAuthor{
		Name: name, Books: []assocBook{{Title: name + "1", Pages: []*assocPage{{Number: 1}, {Number: 2}}}, {Title: name + "2"}},
		Card: &assocCard{Number: name}, Tags: []*assocTag{{Name: name + "1"}, {Name: name + "2"}},
		Notes: []*assocNote{{Text: name + "1"}, {Text: name + "2"}}, House: &assocHouse{Name: name},
	}
}

// assocCounts are how many books, pages, cards, joins, tags, notes and houses there are that
// are not marked as deleted.
func assocCounts(t testing.TB, db *gorm.DB) string {
	t.Helper()
	n := make([]int64, 7)
	check.Must(t, db.Model(new(assocBook)).Count(&n[0]).Error)
	for i, table := range []string{"assoc_pages", "assoc_cards", "assoc_author_tags", "assoc_tags"} {
		check.Must(t, db.Table(table).Count(&n[i+1]).Error)
	}
	check.Must(t, db.Model(new(assocNote)).Where("gone_at IS NULL").Count(&n[5]).Error)
	check.Must(t, db.Model(new(assocHouse)).Count(&n[6]).Error)
	return fmt.Sprint(n)
}

func TestGormAssociations_ANilListDeletesNothing(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), assocOrphans(t, db)
		e := assocFull("a")
		check.Must(t, r.Save(ctx, e))
		before := assocCounts(t, db)
		for doc, set := range map[string]func(*assocAuthor){
			``: func(e *assocAuthor) { e.Name = "changed" },
			`,"books":null,"card":null,"tags":null,"notes":null,"house":null`: func(e *assocAuthor) { e.Books, e.Card, e.Tags = nil, nil, nil },
		} {
			for name, save := range assocWays(r, e.ID, set, doc) {
				check.Must(t, save(ctx))
				if got := assocCounts(t, db); got != before {
					t.Errorf("%s %s: there were %s, and are %s", name, doc, before, got)
				}
			}
		}
		check.Must(t, r.Save(ctx, &assocAuthor{Name: "without a key"}))
		_, err := r.UpdateWhere(ctx, repo.F[assocAuthor, string]("Name").Eq("changed"), repo.F[assocAuthor, string]("Name").Set("x"))
		check.Must(t, err)
		if got := assocCounts(t, db); got != before || before != "[2 2 1 2 2 2 1]" {
			t.Errorf("there were %s, and are %s", before, got)
		}
	})
}

func TestGormAssociations_WithoutTheOptionAListDeletesNothing(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), associated(t, db, gormrepo.Options{})
		e := assocFull("a")
		check.Must(t, r.Save(ctx, e))
		before := assocCounts(t, db)
		set := func(e *assocAuthor) { e.Books, e.Tags, e.Notes = []assocBook{}, []*assocTag{}, []*assocNote{} }
		for name, save := range assocWays(r, e.ID, set, `,"books":[],"tags":[],"notes":[]`) {
			check.Must(t, save(ctx))
			if got := assocCounts(t, db); got != before {
				t.Errorf("%s: there were %s, and are %s", name, before, got)
			}
		}
	})
}

func TestGormAssociations_WhatAListLeavesOutIsDeleted(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		for _, name := range []string{"Save", "SaveAll", "Update", "Replace", "Merge", "InTx"} {
			db := b.Open(t)
			ctx, r := t.Context(), assocOrphans(t, db)
			e, other := assocFull("a"), assocFull("o")
			check.Must(t, r.SaveAll(ctx, []*assocAuthor{other, e}))
			// A row of another type whose owner has the same key.
			check.Must(t, db.Create(&assocNote{OwnerID: e.ID, OwnerType: "others", Text: "x"}).Error)
			kept := e.Books[0].ID
			set := func(a *assocAuthor) {
				a.Books = []assocBook{{ID: kept, Title: "kept", Pages: []*assocPage{{BookID: kept, Number: 2}}}, {Title: "new"}}
				a.Card, a.Tags, a.Notes = &assocCard{Number: "new"}, []*assocTag{{ID: e.Tags[1].ID, Name: "a2"}}, []*assocNote{}
			}
			doc := fmt.Sprintf(`,"books":[{"id":%d,"title":"kept","pages":[{"bookId":%[1]d,"number":2}]},{"title":"new"}],"card":{"number":"new"},"tags":[{"id":%d,"name":"a2"}],"notes":[]`, kept, e.Tags[1].ID)
			check.Must(t, assocWays(r, e.ID, set, doc)[name](ctx))
			if got := assocCounts(t, db); got != "[4 3 2 3 4 3 2]" {
				t.Errorf("%s: there are %s", name, got)
			}
			var card assocCard
			check.Must(t, db.First(&card, "author_id = ?", e.ID).Error)
			if books := sqldb.Rows[assocBook](t, db); card.Number != "new" || len(books) != 5 || books[3].Title != "a2" || !books[3].DeletedAt.Valid || books[4].Title != "new" {
				t.Errorf("%s: got %+v, %+v", name, card, books)
			}
			var theirs int64
			check.Must(t, db.Model(new(assocBook)).Where("author_id = ?", other.ID).Count(&theirs).Error)
			if theirs != 2 {
				t.Errorf("%s: %d books of the other one", name, theirs)
			}
			// An empty list is a list.
			check.Must(t, assocWays(r, e.ID, func(a *assocAuthor) { a.Books, a.Tags = []assocBook{}, []*assocTag{} }, `,"books":[],"tags":[]`)[name](ctx))
			if got := assocCounts(t, db); got != "[2 3 2 2 4 3 2]" {
				t.Errorf("%s of empty lists: there are %s", name, got)
			}
		}
	})
}

func TestGormAssociations_OrphansGoBeforeNewOnesCome(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), assocOrders(t, db)
		e := &assocOrder{Lines: []assocLine{{Number: 1, Text: "a"}, {Number: 2, Text: "b"}}}
		check.Must(t, r.Save(ctx, e))
		e.Lines = []assocLine{{Number: 2, Text: "new"}, e.Lines[0]}
		check.Must(t, r.Save(ctx, e))
		if got := sqldb.Rows[assocLine](t, db); len(got) != 2 || got[0].Text != "a" || got[1] != e.Lines[0] || got[1].Text != "new" {
			t.Fatalf("got %+v", got)
		}
		// What fails after they went brings them back.
		before := sqldb.Rows[assocLine](t, db)
		e.Lines = []assocLine{{Number: 3}, {Number: 3}}
		if err := r.Save(ctx, e); !errors.Is(err, repo.ErrDuplicateKey) {
			t.Errorf("got %v", err)
		}
		_, err := r.Update(ctx, e.ID, func(e *assocOrder) error { e.Lines = []assocLine{{Number: 3}, {Number: 3}}; return nil })
		if !errors.Is(err, repo.ErrDuplicateKey) {
			t.Errorf("got %v", err)
		}
		if got := sqldb.Rows[assocLine](t, db); len(got) != 2 || got[0] != before[0] || got[1] != before[1] {
			t.Fatalf("got %+v", got)
		}
	})
}

func TestGormAssociations_OrphansOfLongLists(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		ctx, r := t.Context(), assocOrders(t, db)
		list := make([]*assocOrder, 500)
		for i := range list {
			list[i] = &assocOrder{Lines: []assocLine{{Number: 1}, {Number: 2}, {Number: 3}}}
		}
		long := &assocOrder{Lines: make([]assocLine, 3000)}
		for i := range long.Lines {
			long.Lines[i].Number = i
		}
		list = append(list, long)
		check.Must(t, r.SaveAll(ctx, list))
		for _, e := range list {
			e.Lines = e.Lines[1:]
		}
		deletes := 0
		check.Must(t, db.Callback().Delete().Before("gorm:delete").Register("count", func(*gorm.DB) { deletes++ }))
		check.Must(t, r.SaveAll(ctx, list))
		var n, first int64
		check.Must(t, db.Model(new(assocLine)).Count(&n).Error)
		check.Must(t, db.Model(new(assocLine)).Where("order_id = ?", long.ID).Select("min(number)").Scan(&first).Error)
		if n != 1000+2999 || first != 1 || deletes != 3 {
			t.Fatalf("%d lines, the first is %d, by %d statements", n, first, deletes)
		}
	})
}

func TestGormAssociations_ALateClaimRemovesNothing(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := assocOrders(t, db)
		now, late := fences.Turn(5, "a", 1, "order").With(ctx), fences.Turn(4, "b", 1, "order").With(ctx)
		e := &assocOrder{Lines: []assocLine{{Number: 1}, {Number: 2}}}
		check.Must(t, r.Save(now, e))
		before := sqldb.Rows[assocLine](t, db)
		lines := e.Lines[:1]
		_, updated := r.Update(late, e.ID, func(e *assocOrder) error { e.Lines = lines; return nil })
		_, replaced := r.SmartSave(late, repo.SmartSaveDTO{EntityList: []string{fmt.Sprintf(`{"id":%d,"lines":[]}`, e.ID)}})
		for name, err := range map[string]error{"Save": r.Save(late, &assocOrder{ID: e.ID, Lines: lines}), "Update": updated, "Replace": replaced} {
			if !errors.Is(err, repo.ErrFenced) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if got := sqldb.Rows[assocLine](t, db); len(got) != 2 || got[0] != before[0] || got[1] != before[1] {
			t.Fatalf("got %+v", got)
		}
		check.Must(t, r.Save(now, &assocOrder{ID: e.ID, Lines: lines}))
		if got := sqldb.Rows[assocLine](t, db); len(got) != 1 {
			t.Fatalf("got %+v", got)
		}
	})
}
