package repotest

import (
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

func nilEntityIsInvalid(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, item("a"))
	wantErr(t, r.Save(t.Context(), nil), repo.ErrInvalid)
	wantErr(t, r.Delete(t.Context(), nil), repo.ErrInvalid)
	wantErr(t, r.Delete(t.Context(), item("a"), nil), repo.ErrInvalid)
	stored(t, r, item("a"))
}

func missingKeyIsInvalid(t *testing.T, h Harness) {
	without(t, h.Features.TextKeys, "TextKeys")
	r := h.items(t)
	e := item("")
	wantErr(t, r.Save(t.Context(), e), repo.ErrInvalid)
	stored(t, r)
	same(t, e, item(""))
}

// duplicateIsNoOverwrite: an upsert must not follow any unique index but that
// of the key.
func duplicateIsNoOverwrite(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, item("a"))
	b := item("b")
	b.SKU = item("a").SKU
	wantErr(t, r.Save(t.Context(), b), repo.ErrDuplicateKey)
	stored(t, r, item("a"))
}

func duplicateByOverwriting(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b")...)
	b := item("b")
	b.SKU = item("a").SKU
	wantErr(t, r.Save(t.Context(), b), repo.ErrDuplicateKey)
	stored(t, r, itemsOf("a", "b")...)
}

func duplicateOfAGeneratedOne(t *testing.T, h Harness) {
	r := h.autos(t)
	slot := int64(5)
	first := &Auto{Name: "first", Slot: &slot}
	noErr(t, r.Save(t.Context(), first))
	second := &Auto{Name: "second", Slot: &slot}
	wantErr(t, r.Save(t.Context(), second), repo.ErrDuplicateKey)
	if second.ID != 0 {
		t.Fatalf("the entity got key %d although it was not stored", second.ID)
	}
	count(t, r, 1)
	same(t, get(t, r, first.ID), first)
}

func duplicateInOneList(t *testing.T, h Harness) {
	need(t, h.Features.AtomicSaveAll, "AtomicSaveAll")
	r := h.items(t)
	list := itemsOf("a", "b")
	list[1].SKU = list[0].SKU
	wantBatch(t, r.SaveAll(t.Context(), list), repo.ErrDuplicateKey, 1)
	stored(t, r)
}

// uniqueValueIsFreeAgain: what was deleted or moved away from blocks nobody.
func uniqueValueIsFreeAgain(t *testing.T, h Harness) {
	r := h.items(t)
	a, b := item("a"), item("b")
	saveItems(t, r, a, b)
	a.SKU = "moved"
	noErr(t, r.Save(t.Context(), a))
	noErr(t, r.DeleteByID(t.Context(), "b"))
	c, d := item("c"), item("d")
	c.SKU, d.SKU = item("a").SKU, item("b").SKU
	saveItems(t, r, c, d)
	stored(t, r, a, c, d)
}

func goesOnAfterAnError(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, item("a"))
	b := item("b")
	b.SKU = item("a").SKU
	wantErr(t, r.Save(t.Context(), b), repo.ErrDuplicateKey)
	b.SKU = "free"
	noErr(t, r.Save(t.Context(), b))
	stored(t, r, item("a"), b)
}
