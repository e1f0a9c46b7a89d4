package repotest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

func saveAllOfNone(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, item("a"))
	noErr(t, r.SaveAll(t.Context(), nil))
	noErr(t, r.SaveAll(t.Context(), []*Item{}))
	stored(t, r, item("a"))
}

func saveAllOfOne(t *testing.T, h Harness) {
	r := h.items(t)
	noErr(t, r.SaveAll(t.Context(), []*Item{item("a")}))
	stored(t, r, item("a"))
}

// saveAllCrossesBatches mixes new and stored items in a list that is longer
// than a statement can be.
func saveAllCrossesBatches(t *testing.T, h Harness) {
	r := h.items(t)
	list := numbered(h.large())
	var old []*Item
	for i := 0; i < len(list); i += 3 {
		e := *list[i]
		e.Name = "old"
		old = append(old, &e)
	}
	saveItems(t, r, old...)
	saveItems(t, r, list...)
	all, err := r.Find(t.Context(), repo.F[Item, string]("ID").Asc())
	noErr(t, err)
	if len(all) != len(list) {
		t.Fatalf("%d items are stored, want %d", len(all), len(list))
	}
	for i := range all {
		same(t, all[i], list[i])
	}
}

func saveAllLaterDuplicateWins(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, item("b"))
	list := itemsOf("a", "b", "a", "b", "c")
	for i, e := range list {
		e.Name = fmt.Sprint("name ", i)
	}
	saveItems(t, r, list...)
	stored(t, r, list[2], list[3], list[4])
}

func saveAllTakesOnePointerTwice(t *testing.T, h Harness) {
	r := h.items(t)
	e := item("a")
	saveItems(t, r, e, e)
	stored(t, r, item("a"))
	autos := h.autos(t)
	n := &Auto{Name: "n"}
	noErr(t, autos.SaveAll(t.Context(), []*Auto{n, n}))
	count(t, autos, 1)
	same(t, get(t, autos, n.ID), n)
}

func saveAllNamesNilElements(t *testing.T, h Harness) {
	r := h.items(t)
	wantNamed(t, r.SaveAll(t.Context(), []*Item{item("a"), nil, item("b"), nil}), repo.ErrInvalid, 1, 3)
	stored(t, r)
}

func saveAllNamesElementsWithoutKey(t *testing.T, h Harness) {
	without(t, h.Features.TextKeys, "TextKeys")
	r := h.items(t)
	wantBatch(t, r.SaveAll(t.Context(), []*Item{item("a"), {SKU: "x", At: noon()}}), repo.ErrInvalid, 1)
	stored(t, r)
}

func saveAllIsAllOrNothing(t *testing.T, h Harness) {
	need(t, h.Features.AtomicSaveAll, "AtomicSaveAll")
	r := h.items(t)
	taken := item("taken")
	taken.SKU = "one of a kind"
	saveItems(t, r, taken)
	list := numbered(h.large())
	list[len(list)-1].SKU = taken.SKU
	err := r.SaveAll(t.Context(), list)
	wantBatch(t, err, repo.ErrDuplicateKey, len(list)-1)
	stored(t, r, taken)
}

func saveAllWritesWhatItDoesNotName(t *testing.T, h Harness) {
	without(t, h.Features.AtomicSaveAll, "AtomicSaveAll")
	r := h.items(t)
	taken := item("taken")
	saveItems(t, r, taken)
	list := itemsOf("a", "b", "c")
	list[1].SKU = taken.SKU
	wantNamed(t, r.SaveAll(t.Context(), list), repo.ErrDuplicateKey, 1)
	stored(t, r, taken, list[0], list[2])
}

func saveAllGeneratesKeys(t *testing.T, h Harness) {
	r := h.autos(t)
	old := []*Auto{{Name: "old 0"}, {Name: "old 1"}}
	noErr(t, r.SaveAll(t.Context(), old))
	// New and stored ones mixed is where back-filled keys go astray.
	list := []*Auto{{Name: "new 0"}, old[1], {Name: "new 1"}, old[0], {Name: "new 2"}}
	old[0].Name, old[1].Name = "changed 0", "changed 1"
	noErr(t, r.SaveAll(t.Context(), list))
	seen := map[int64]bool{}
	for i, e := range list {
		if e.ID == 0 || seen[e.ID] {
			t.Fatalf("element %d has key %d, want one of its own", i, e.ID)
		}
		seen[e.ID] = true
		same(t, get(t, r, e.ID), e)
	}
	count(t, r, int64(len(list)))
}

func saveAllGeneratesManyKeys(t *testing.T, h Harness) {
	r := h.autos(t)
	list := make([]*Auto, h.large())
	for i := range list {
		list[i] = &Auto{Name: fmt.Sprint("auto ", i)}
	}
	noErr(t, r.SaveAll(t.Context(), list))
	all, err := r.Find(t.Context())
	noErr(t, err)
	names := map[int64]string{}
	for _, e := range all {
		names[e.ID] = e.Name
	}
	if len(names) != len(list) {
		t.Fatalf("%d keys are stored, want %d", len(names), len(list))
	}
	for _, e := range list {
		if names[e.ID] != e.Name {
			t.Fatalf("under key %d is %q, want %q", e.ID, names[e.ID], e.Name)
		}
	}
}

// saveAllTextIsShort: ten thousand bad elements must not make a megabyte of
// log.
func saveAllTextIsShort(t *testing.T, h Harness) {
	err := h.items(t).SaveAll(t.Context(), make([]*Item, 1000))
	var batch *repo.BatchError
	if !errors.As(err, &batch) || len(batch.Items) != 1000 {
		t.Fatalf("got %v, want a *repo.BatchError of 1000", err)
	}
	if n := len(err.Error()); n > 2000 {
		t.Fatalf("the text of the error has %d bytes", n)
	}
}
