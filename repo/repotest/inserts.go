package repotest

import (
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

func writer[T any](t *testing.T, h Harness, r repo.Repository[T]) repo.Writer[T] {
	t.Helper()
	need(t, h.Features.Writer, "Writer")
	w, ok := repo.As[repo.Writer[T]](r)
	if !ok {
		t.Fatal("Features.Writer is set and repo.As finds no repo.Writer")
	}
	return w
}

func insertStoresAndWritesBack(t *testing.T, h Harness) {
	r := h.marked(t)
	w := writer(t, h, r)
	gone := longAgo()
	a, b := &Marked{ID: "a", Name: "x", Gone: &gone}, &Marked{ID: "b", Rev: 7, Made: longAgo()}
	noErr(t, w.Insert(t.Context(), a, b))
	for _, e := range []*Marked{a, b} {
		same(t, get(t, r, e.ID), e)
		if e.Rev != 1 || e.Gone != nil {
			t.Errorf("got %s", shown(e))
		}
		recent(t, "updated", e.Seen)
	}
	recent(t, "created", a.Made)
	if !b.Made.Equal(longAgo()) {
		t.Errorf("the creation time that was given became %v", b.Made)
	}
	noErr(t, w.Insert(t.Context()))
	count(t, r, 2)
}

func insertGeneratesKeys(t *testing.T, h Harness) {
	r := h.autos(t)
	w := writer(t, h, r)
	a, b := &Auto{Name: "a"}, &Auto{Name: "b"}
	noErr(t, w.Insert(t.Context(), a, b))
	if a.ID == 0 || b.ID == 0 || a.ID == b.ID {
		t.Fatalf("the keys are %d and %d", a.ID, b.ID)
	}
	same(t, get(t, r, b.ID), b)
	more, err := w.InsertIfAbsent(t.Context(), &Auto{Name: "c"}, a, &Auto{Name: "d"})
	noErr(t, err)
	if len(more) != 2 || more[0].Name != "c" || more[1].Name != "d" || more[0].ID == 0 || more[1].ID == more[0].ID {
		t.Fatalf("inserted %s", shown(more))
	}
	count(t, r, 4)
}

func insertRefusesStored(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	saveItems(t, r, item("b"))
	list := itemsOf("a", "b", "c")
	list[1].Name = "another"
	wantNamed(t, w.Insert(t.Context(), list...), repo.ErrDuplicateKey, 1)
	if h.Features.AtomicSaveAll {
		stored(t, r, item("b"))
	} else {
		stored(t, r, itemsOf("a", "b", "c")...)
	}
	wantNamed(t, w.Insert(t.Context(), item("b")), repo.ErrDuplicateKey, 0)
}

func insertRefusesDeleted(t *testing.T, h Harness) {
	r := h.marked(t)
	w := writer(t, h, r)
	marked(t, r, "a")
	noErr(t, r.DeleteByID(t.Context(), "a"))
	e := &Marked{ID: "a", Name: "again", Rev: 5}
	wantNamed(t, w.Insert(t.Context(), e), repo.ErrDuplicateKey, 0)
	if e.Rev != 5 {
		t.Errorf("the version became %d", e.Rev)
	}
	none, err := w.InsertIfAbsent(t.Context(), e)
	noErr(t, err)
	if len(none) != 0 || e.Rev != 5 || e.Name != "again" {
		t.Errorf("inserted %s, the entity is %s", shown(none), shown(e))
	}
	nobody(t, r, "a")
}

func insertOfAKeyTwice(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	again := item("a")
	again.Name, again.SKU = "again", "another"
	wantNamed(t, w.Insert(t.Context(), item("a"), item("b"), again), repo.ErrDuplicateKey, 2)
	if h.Features.AtomicSaveAll {
		stored(t, r)
		noErr(t, w.Insert(t.Context(), itemsOf("a", "b")...))
	}
	stored(t, r, itemsOf("a", "b")...)
	inserted, err := w.InsertIfAbsent(t.Context(), item("c"), item("d"), &Item{ID: "c", SKU: "another", At: noon()})
	noErr(t, err)
	inOrder(t, inserted, "c", "d")
	stored(t, r, itemsOf("a", "b", "c", "d")...)
}

func insertBreakingAUniqueIndex(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	saveItems(t, r, item("a"))
	other := item("x")
	other.SKU = item("a").SKU
	wantNamed(t, w.Insert(t.Context(), other), repo.ErrDuplicateKey, 0)
	_, err := w.InsertIfAbsent(t.Context(), item("a"), other)
	wantNamed(t, err, repo.ErrDuplicateKey, 1)
	stored(t, r, item("a"))
}

func insertRefusesWhatIsWrong(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	wantNamed(t, w.Insert(t.Context(), item("a"), nil), repo.ErrInvalid, 1)
	_, err := w.InsertIfAbsent(t.Context(), nil, item("a"))
	wantNamed(t, err, repo.ErrInvalid, 0)
	if !h.Features.TextKeys {
		wantNamed(t, w.Insert(t.Context(), item("a"), item("")), repo.ErrInvalid, 1)
		_, err = w.InsertIfAbsent(t.Context(), item(""), item("a"))
		wantNamed(t, err, repo.ErrInvalid, 0)
	}
	stored(t, r)
}

func insertOfTwoFields(t *testing.T, h Harness) {
	r := h.pairs(t)
	w := writer(t, h, r)
	noErr(t, w.Insert(t.Context(), &Pair{1, "a", "x"}, &Pair{0, "", "zero"}))
	wantNamed(t, w.Insert(t.Context(), &Pair{1, "a", "y"}), repo.ErrDuplicateKey, 0)
	inserted, err := w.InsertIfAbsent(t.Context(), &Pair{1, "a", "y"}, &Pair{1, "b", "y"}, &Pair{0, "", "y"})
	noErr(t, err)
	if len(inserted) != 1 || inserted[0].Place != "b" {
		t.Errorf("inserted %s", shown(inserted))
	}
	same(t, get(t, r, Pair{Shelf: 1, Place: "a"}), &Pair{1, "a", "x"})
	count(t, r, 3)
}

func insertCrossesBatches(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	list := numbered(h.large())
	half := len(list) / 2
	noErr(t, w.Insert(t.Context(), list[:half]...))
	inserted, err := w.InsertIfAbsent(t.Context(), list...)
	noErr(t, err)
	inOrder(t, inserted, idsOf(list[half:])...)
	count(t, r, int64(len(list)))
	same(t, get(t, r, list[half].ID), list[half])
}

func insertEntitySaysItIsNew(t *testing.T, h Harness) {
	r := from(t, "Told", h.Told)
	w := writer(t, h, r)
	noErr(t, w.Insert(t.Context(), &Told{ID: "a", Text: "x"}))
	wantNamed(t, w.Insert(t.Context(), &Told{ID: "a", Text: "y"}), repo.ErrDuplicateKey, 0)
	same(t, get(t, r, "a"), &Told{ID: "a", Text: "x"})
}
