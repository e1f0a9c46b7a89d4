package repotest

import (
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

func deleteRemoves(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b", "c", "d")...)
	noErr(t, r.Delete(t.Context(), item("b")))
	stored(t, r, itemsOf("a", "c", "d")...)
	noErr(t, r.Delete(t.Context(), item("a"), &Item{ID: "d"}))
	stored(t, r, item("c"))
	_, err := r.FindByID(t.Context(), "a")
	wantErr(t, err, repo.ErrNotFound)
}

func deleteOfNone(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, item("a"))
	noErr(t, r.Delete(t.Context()))
	stored(t, r, item("a"))
}

func deleteOfAbsent(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b")...)
	noErr(t, r.Delete(t.Context(), item("x")))
	noErr(t, r.Delete(t.Context(), item("x"), item("a"), item("a")))
	stored(t, r, item("b"))
}

// deleteOfZeroKey: an entity without a key is not a condition that all satisfy.
func deleteOfZeroKey(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b")...)
	noErr(t, r.Delete(t.Context(), &Item{}))
	stored(t, r, itemsOf("a", "b")...)
}

func deleteByIDRemovesOne(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b")...)
	noErr(t, r.DeleteByID(t.Context(), "a"))
	noErr(t, r.DeleteByID(t.Context(), "a"))
	noErr(t, r.DeleteByID(t.Context(), "absent"))
	stored(t, r, item("b"))
	ok, err := r.ExistsByID(t.Context(), "a")
	noErr(t, err)
	if ok {
		t.Fatal("the deleted item still exists")
	}
}

func deleteAllByIDCounts(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b", "c")...)
	n, err := r.DeleteAllByID(t.Context(), anyIDs("c", "x", "a", "c", "y"))
	noErr(t, err)
	if n != 2 {
		t.Fatalf("got %d, want 2", n)
	}
	stored(t, r, item("b"))
}

func deleteAllByIDOfNone(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b")...)
	for _, ids := range [][]any{nil, {}} {
		n, err := r.DeleteAllByID(t.Context(), ids)
		noErr(t, err)
		if n != 0 {
			t.Fatalf("got %d, want 0", n)
		}
	}
	stored(t, r, itemsOf("a", "b")...)
}

func deleteAllByIDCrossesBatches(t *testing.T, h Harness) {
	r := h.items(t)
	list := numbered(h.large())
	saveItems(t, r, list...)
	var ids []any
	for _, e := range list[1:] {
		ids = append(ids, e.ID)
	}
	n, err := r.DeleteAllByID(t.Context(), ids)
	noErr(t, err)
	if n != int64(len(ids)) {
		t.Fatalf("got %d, want %d", n, len(ids))
	}
	stored(t, r, list[0])
}

func deletedCanBeSavedAgain(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, item("a"))
	noErr(t, r.DeleteByID(t.Context(), "a"))
	saveItems(t, r, item("a"))
	stored(t, r, item("a"))
}
