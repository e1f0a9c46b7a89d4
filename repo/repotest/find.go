package repotest

import (
	"slices"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

func findByIDFindsOne(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b", "c")...)
	same(t, get(t, r, "b"), item("b"))
}

func findByIDOfAbsent(t *testing.T, h Harness) {
	r := h.items(t)
	for range 2 {
		e, err := r.FindByID(t.Context(), "absent")
		wantErr(t, err, repo.ErrNotFound)
		if e != nil {
			t.Fatalf("got %s with the error", shown(e))
		}
		saveItems(t, r, item("a"))
	}
}

func findAllByIDKeepsOrder(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b", "c", "d")...)
	for _, ids := range [][]string{{"c", "a", "d"}, {"a", "b", "c", "d"}, {"d", "c", "b", "a"}, {"b"}} {
		got, err := r.FindAllByID(t.Context(), anyIDs(ids...))
		noErr(t, err)
		inOrder(t, got, ids...)
		for _, e := range got {
			same(t, e, item(e.ID))
		}
	}
}

func findAllByIDLeavesOutAbsent(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b")...)
	got, err := r.FindAllByID(t.Context(), anyIDs("x", "b", "y", "a", "z"))
	noErr(t, err)
	inOrder(t, got, "b", "a")
	got, err = r.FindAllByID(t.Context(), anyIDs("x"))
	noErr(t, err)
	inOrder(t, got)
}

func findAllByIDAnswersOnce(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b")...)
	got, err := r.FindAllByID(t.Context(), []any{"b", "a", "b", item("a"), "b"})
	noErr(t, err)
	inOrder(t, got, "b", "a")
}

func findAllByIDOfNone(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b")...)
	for _, ids := range [][]any{nil, {}} {
		got, err := r.FindAllByID(t.Context(), ids)
		noErr(t, err)
		inOrder(t, got)
	}
}

func findAllByIDCrossesBatches(t *testing.T, h Harness) {
	r := h.items(t)
	list := numbered(h.large())
	saveItems(t, r, list...)
	var ids []any
	var want []string
	for _, e := range slices.Backward(list) {
		ids = append(ids, e.ID, "absent"+e.ID)
		want = append(want, e.ID)
	}
	got, err := r.FindAllByID(t.Context(), ids)
	noErr(t, err)
	inOrder(t, got, want...)
}

func existsByIDTells(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, item("a"))
	for id, want := range map[string]bool{"a": true, "b": false, "": false, "aa": false} {
		got, err := r.ExistsByID(t.Context(), id)
		noErr(t, err)
		if got != want {
			t.Fatalf("ExistsByID(%q) is %v", id, got)
		}
	}
}
