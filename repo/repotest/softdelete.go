package repotest

import (
	"errors"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

func softDeletedIsInvisible(t *testing.T, h Harness) {
	r := h.marked(t)
	a, b, c := marked(t, r, "a"), marked(t, r, "b"), marked(t, r, "c")
	marked(t, r, "d")
	noErr(t, r.Delete(t.Context(), a))
	noErr(t, r.DeleteByID(t.Context(), b.ID))
	n, err := r.DeleteAllByID(t.Context(), []any{c.ID, a.ID})
	noErr(t, err)
	if n != 1 {
		t.Fatalf("DeleteAllByID counts %d, want 1: one of the two was deleted before", n)
	}
	for _, id := range []string{"a", "b", "c"} {
		nobody(t, r, id)
	}
	count(t, r, 1)
	all, err := r.Find(t.Context())
	noErr(t, err)
	list, err := r.FindAllByID(t.Context(), anyIDs("a", "b", "d", "c"))
	noErr(t, err)
	if len(all) != 1 || len(list) != 1 || list[0].ID != "d" {
		t.Fatalf("Find sees %s, FindAllByID %s; want d alone", shown(all), shown(list))
	}
	some, err := r.Find(t.Context(), repo.Or(repo.F[Marked, string]("ID").Eq("a"), repo.F[Marked, string]("ID").Eq("d")))
	noErr(t, err)
	if len(some) != 1 {
		t.Fatalf("a query with alternatives sees %s", shown(some))
	}
}

func softDeletedDoesNotComeBack(t *testing.T, h Harness) {
	r := h.marked(t)
	e := marked(t, r, "a")
	noErr(t, r.Delete(t.Context(), e))
	e.Gone = nil
	wantErr(t, r.Save(t.Context(), e), repo.ErrNotFound)
	wantBatch(t, r.SaveAll(t.Context(), []*Marked{{ID: "b"}, e}), repo.ErrNotFound, 1)
	nobody(t, r, "a")
}

// softDeletedKeepsItsKey: what looks new is an insert of a key that exists.
func softDeletedKeepsItsKey(t *testing.T, h Harness) {
	r := h.marked(t)
	noErr(t, r.Delete(t.Context(), marked(t, r, "a")))
	err := r.Save(t.Context(), &Marked{ID: "a", Name: "again"})
	if !errors.Is(err, repo.ErrDuplicateKey) && !errors.Is(err, repo.ErrNotFound) {
		t.Fatalf("got %v, want ErrDuplicateKey or ErrNotFound", err)
	}
	nobody(t, r, "a")
}

func softDeletedDocuments(t *testing.T, h Harness) {
	r := h.marked(t)
	noErr(t, r.Delete(t.Context(), marked(t, r, "a")))
	for _, opt := range []repo.SmartSaveOption{repo.Merge(), repo.MergeNonNull()} {
		_, err := r.SmartSave(t.Context(), docs(`{"id":"a","name":"again"}`), opt)
		wantErr(t, err, repo.ErrNotFound)
	}
	_, err := r.SmartSave(t.Context(), docs(`{"id":"a","rev":1,"name":"again","gone":null}`))
	wantErr(t, err, repo.ErrNotFound)
	nobody(t, r, "a")
}

func softDeleteTwice(t *testing.T, h Harness) {
	r := h.marked(t)
	e := marked(t, r, "a")
	for range 2 {
		noErr(t, r.Delete(t.Context(), e))
		noErr(t, r.DeleteByID(t.Context(), "a"))
	}
	n, err := r.DeleteAllByID(t.Context(), []any{"a"})
	noErr(t, err)
	if n != 0 {
		t.Fatalf("got %d, want 0", n)
	}
}

// saveCannotDelete: the mark is set by deleting alone.
func saveCannotDelete(t *testing.T, h Harness) {
	r := h.marked(t)
	e := marked(t, r, "a")
	at := longAgo()
	e.Gone = &at
	noErr(t, r.Save(t.Context(), e))
	if got := get(t, r, "a"); got.Gone != nil {
		t.Fatalf("saving marked the entity as deleted at %v", got.Gone)
	}
}
