package repotest

import (
	"errors"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

func keyIsGenerated(t *testing.T, h Harness) {
	r := h.autos(t)
	a, b := &Auto{Name: "a"}, &Auto{Name: "b"}
	noErr(t, r.Save(t.Context(), a))
	noErr(t, r.Save(t.Context(), b))
	if a.ID == 0 || b.ID == 0 || a.ID == b.ID {
		t.Fatalf("got keys %d and %d", a.ID, b.ID)
	}
	same(t, get(t, r, a.ID), a)
	same(t, get(t, r, b.ID), b)
	a.Name = "changed"
	noErr(t, r.Save(t.Context(), a))
	same(t, get(t, r, a.ID), a)
	count(t, r, 2)
}

// keyGivenIsKept: an entity imported with its key keeps it, and the store does
// not hand that key out again over it.
func keyGivenIsKept(t *testing.T, h Harness) {
	r := h.autos(t)
	imported := &Auto{ID: 1, Name: "imported"}
	noErr(t, r.Save(t.Context(), imported))
	if imported.ID != 1 {
		t.Fatalf("the key became %d", imported.ID)
	}
	fresh := &Auto{Name: "fresh"}
	// A sequence that was not told of the imported key may refuse once; it must
	// not overwrite.
	if err := r.Save(t.Context(), fresh); err != nil {
		wantErr(t, err, repo.ErrDuplicateKey)
	}
	same(t, get(t, r, 1), &Auto{ID: 1, Name: "imported"})
}

// keyPartIsGenerated: entities whose part of the key is still to be made are no
// duplicates of each other. A store that makes none refuses them.
func keyPartIsGenerated(t *testing.T, h Harness) {
	r := from(t, "Line", h.Lines)
	list := []*Line{{Bill: "a", Text: "1"}, {Bill: "a", Text: "2"}, {Bill: "b", Text: "3"}}
	if err := r.SaveAll(t.Context(), list); errors.Is(err, repo.ErrInvalid) {
		count(t, r, 0)
		return
	} else if err != nil {
		t.Fatal(err)
	}
	single := &Line{Bill: "a", Text: "4"}
	noErr(t, r.Save(t.Context(), single))
	list = append(list, single)
	for i, opts := range [][]repo.SmartSaveOption{nil, {repo.Merge()}} {
		out, err := r.SmartSave(t.Context(), docs(`{"bill":"a","text":"5"}`, `{"bill":"a","text":"6"}`), opts...)
		noErr(t, err)
		list = append(list, out...)
		count(t, r, int64(6+2*i))
	}
	for _, e := range list {
		if e.No == 0 {
			t.Fatalf("no number: %s", shown(e))
		}
		same(t, get(t, r, e), e)
	}
	single.Text = "changed"
	noErr(t, r.Save(t.Context(), single))
	same(t, get(t, r, single), single)
	count(t, r, 8)
}

func keyIsGeneratedForDocuments(t *testing.T, h Harness) {
	r := h.autos(t)
	old := &Auto{Name: "old"}
	noErr(t, r.Save(t.Context(), old))
	for i, opts := range [][]repo.SmartSaveOption{nil, {repo.Merge()}} {
		out, err := r.SmartSave(t.Context(), docs(`{"name":"x"}`, document(t, old), `{"name":"y"}`), opts...)
		noErr(t, err)
		if len(out) != 3 || out[0].ID == 0 || out[1].ID != old.ID || out[2].ID == 0 || out[0].ID == out[2].ID {
			t.Fatalf("got %s", shown(out))
		}
		same(t, get(t, r, out[0].ID), &Auto{ID: out[0].ID, Name: "x"})
		same(t, get(t, r, out[2].ID), &Auto{ID: out[2].ID, Name: "y"})
		count(t, r, int64(1+2*(i+1)))
	}
}

func keyOfTextIsGenerated(t *testing.T, h Harness) {
	need(t, h.Features.TextKeys, "TextKeys")
	r := h.items(t)
	a, b := item(""), item("")
	a.SKU, b.SKU = "a", "b"
	noErr(t, r.Save(t.Context(), a))
	noErr(t, r.SaveAll(t.Context(), []*Item{b}))
	out, err := r.SmartSave(t.Context(), docs(`{"sku":"c","at":"2024-02-29T12:00:00Z"}`))
	noErr(t, err)
	if len(out) != 1 || a.ID == "" || b.ID == "" || out[0].ID == "" || a.ID == b.ID || out[0].ID == b.ID {
		t.Fatalf("got keys %q, %q and %s", a.ID, b.ID, shown(out))
	}
	stored(t, r, a, b, out[0])
}

func keyOfTwoFields(t *testing.T, h Harness) {
	r := h.pairs(t)
	list := []*Pair{{1, "a", "1a"}, {1, "b", "1b"}, {2, "a", "2a"}, {12, "", "12"}, {1, "2", "1-2"}}
	noErr(t, r.SaveAll(t.Context(), list))
	for _, e := range list {
		same(t, get(t, r, Pair{Shelf: e.Shelf, Place: e.Place}), e)
		same(t, get(t, r, e), e)
	}
	changed := &Pair{1, "b", "changed"}
	noErr(t, r.Save(t.Context(), changed))
	same(t, get(t, r, &Pair{Shelf: 1, Place: "b"}), changed)
	count(t, r, 5)
	nobody(t, r, Pair{Shelf: 2, Place: "b"})

	got, err := r.FindAllByID(t.Context(), []any{list[2], Pair{Shelf: 9}, *list[0], list[2]})
	noErr(t, err)
	if len(got) != 2 || !alike(got[0], list[2]) || !alike(got[1], list[0]) {
		t.Fatalf("got %s", shown(got))
	}
	noErr(t, r.Delete(t.Context(), list[0]))
	noErr(t, r.DeleteByID(t.Context(), Pair{Shelf: 2, Place: "a"}))
	n, err := r.DeleteAllByID(t.Context(), []any{list[3], list[3], Pair{Shelf: 77}})
	noErr(t, err)
	if n != 1 {
		t.Fatalf("got %d, want 1", n)
	}
	count(t, r, 2)
}

// keyOfTwoFieldsWithZeros: a zero part is a part like any other.
func keyOfTwoFieldsWithZeros(t *testing.T, h Harness) {
	r := h.pairs(t)
	list := []*Pair{{0, "a", "x"}, {1, "", "y"}, {0, "", "z"}}
	for range 2 {
		for _, e := range list {
			noErr(t, r.Save(t.Context(), e))
		}
		noErr(t, r.SaveAll(t.Context(), list))
		count(t, r, 3)
		for _, e := range list {
			same(t, get(t, r, Pair{Shelf: e.Shelf, Place: e.Place}), e)
			e.Text += "!"
		}
	}
}

func keyOfTwoFieldsFoldsDuplicates(t *testing.T, h Harness) {
	r := h.pairs(t)
	noErr(t, r.SaveAll(t.Context(), []*Pair{{1, "a", "first"}, {1, "b", "other"}, {1, "a", "last"}}))
	count(t, r, 2)
	same(t, get(t, r, Pair{Shelf: 1, Place: "a"}), &Pair{1, "a", "last"})
}

func keyOfTwoFieldsInDocuments(t *testing.T, h Harness) {
	r := h.pairs(t)
	noErr(t, r.Save(t.Context(), &Pair{1, "a", "kept"}))
	out, err := r.SmartSave(t.Context(), docs(`{"shelf":1,"place":"b","text":"new"}`, `{"shelf":1,"place":"a"}`), repo.Merge())
	noErr(t, err)
	if len(out) != 2 || !alike(out[0], &Pair{1, "b", "new"}) || !alike(out[1], &Pair{1, "a", "kept"}) {
		t.Fatalf("got %s", shown(out))
	}
	count(t, r, 2)
}

func keyOfTwoFieldsNeedsAnEntity(t *testing.T, h Harness) {
	r := h.pairs(t)
	noErr(t, r.Save(t.Context(), &Pair{1, "a", "x"}))
	refused(t, r, 1, "a", nil, []any{1, "a"}, map[string]any{"shelf": 1}, (*Pair)(nil), Item{ID: "a"})
	count(t, r, 1)
}

// keyAssignedMayBeZero: zero does not mean new where the caller assigns keys.
func keyAssignedMayBeZero(t *testing.T, h Harness) {
	r := from(t, "Assigned", h.Assigned)
	for _, text := range []string{"first", "second"} {
		zero, minus := &Assigned{0, text}, &Assigned{-4, text}
		noErr(t, r.Save(t.Context(), zero))
		noErr(t, r.SaveAll(t.Context(), []*Assigned{minus, {3, text}}))
		if zero.Number != 0 {
			t.Fatalf("the key became %d", zero.Number)
		}
		count(t, r, 3)
		same(t, get(t, r, 0), zero)
		same(t, get(t, r, -4), minus)
	}
}

func keyIsTheFieldID(t *testing.T, h Harness) {
	r := from(t, "Plain", h.Plain)
	noErr(t, r.SaveAll(t.Context(), []*Plain{{"a", "x"}, {"b", "y"}}))
	noErr(t, r.Save(t.Context(), &Plain{"a", "changed"}))
	same(t, get(t, r, "a"), &Plain{"a", "changed"})
	count(t, r, 2)
	got, err := r.Find(t.Context(), repo.F[Plain, string]("Text").Eq("y"))
	noErr(t, err)
	if len(got) != 1 || got[0].ID != "b" {
		t.Fatalf("got %s", shown(got))
	}
	noErr(t, r.DeleteByID(t.Context(), "a"))
	count(t, r, 1)
}

func keyMarkedForBSON(t *testing.T, h Harness) {
	r := from(t, "Coded", h.Coded)
	noErr(t, r.SaveAll(t.Context(), []*Coded{{"a", "x"}, {"b", "y"}}))
	noErr(t, r.Save(t.Context(), &Coded{"a", "changed"}))
	same(t, get(t, r, "a"), &Coded{"a", "changed"})
	got, err := r.FindAllByID(t.Context(), []any{"b", Coded{Code: "a"}})
	noErr(t, err)
	if len(got) != 2 || got[0].Code != "b" {
		t.Fatalf("got %s", shown(got))
	}
	noErr(t, r.DeleteByID(t.Context(), "a"))
	count(t, r, 1)
}

func keyEntitySaysItIsNew(t *testing.T, h Harness) {
	r := from(t, "Told", h.Told)
	noErr(t, r.Save(t.Context(), &Told{ID: "a", Text: "first", Fresh: true}))
	wantErr(t, r.Save(t.Context(), &Told{ID: "a", Text: "second", Fresh: true}), repo.ErrDuplicateKey)
	wantBatch(t, r.SaveAll(t.Context(), []*Told{{ID: "a", Text: "third", Fresh: true}}), repo.ErrDuplicateKey, 0)
	if got := get(t, r, "a"); got.Text != "first" {
		t.Fatalf("an entity that says it is new overwrote another: %q", got.Text)
	}
	noErr(t, r.Save(t.Context(), &Told{ID: "a", Text: "second"}))
	noErr(t, r.Save(t.Context(), &Told{ID: "b", Text: "absent and not new"}))
	if got := get(t, r, "a"); got.Text != "second" {
		t.Fatalf("got %q", got.Text)
	}
	count(t, r, 2)
}
