package repotest

import (
	"math"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

// number and text are types of their own, as ids often are.
type (
	number int16
	text   string
)

func idIntegersThatFit(t *testing.T, h Harness) {
	r := h.autos(t)
	e := &Auto{Name: "one"}
	noErr(t, r.Save(t.Context(), e))
	ids := []any{e.ID, int(e.ID), uint(e.ID), uint64(e.ID), *e, e}
	if e.ID <= math.MaxInt8 {
		ids = append(ids, int8(e.ID), uint8(e.ID), int16(e.ID), uint16(e.ID), int32(e.ID), uint32(e.ID), number(e.ID))
	}
	for _, id := range ids {
		same(t, get(t, r, id), e)
	}
}

func idIntegersThatDoNotFit(t *testing.T, h Harness) {
	r := h.autos(t)
	noErr(t, r.Save(t.Context(), &Auto{Name: "one"}))
	refused(t, r, uint64(math.MaxInt64)+1, uint64(math.MaxUint64))
	if h.Assigned == nil {
		return
	}
	small := h.Assigned(t)
	refused(t, small, int64(math.MaxInt32)+1, int64(math.MinInt32)-1, uint32(math.MaxInt32)+1)
}

func idOfWrongKind(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "1")...)
	refused(t, r, nil, 1, 1.0, true, 'a', []string{"a"}, []any{"a"}, []byte("a"), map[string]any{"_id": "a"},
		struct{ ID string }{"a"}, (*Item)(nil), &Auto{}, Auto{}, new(string), func() {})
	stored(t, r, itemsOf("a", "1")...)

	if h.Autos == nil {
		return
	}
	autos := h.Autos(t)
	noErr(t, autos.Save(t.Context(), &Auto{Name: "one"}))
	refused(t, autos, nil, "1", "1=1", 1.0, true, []int64{1}, []any{1}, Item{}, map[string]any{"$gt": 0})
	count(t, autos, 1)
}

// refused wants every method that takes ids to refuse each of these.
func refused[T any](t *testing.T, r repo.Repository[T], ids ...any) {
	t.Helper()
	for _, id := range ids {
		_, err := r.FindByID(t.Context(), id)
		wantErr(t, err, repo.ErrInvalid)
		_, err = r.ExistsByID(t.Context(), id)
		wantErr(t, err, repo.ErrInvalid)
		wantErr(t, r.DeleteByID(t.Context(), id), repo.ErrInvalid)
		_, err = r.FindAllByID(t.Context(), []any{id})
		wantErr(t, err, repo.ErrInvalid)
		_, err = r.DeleteAllByID(t.Context(), []any{id})
		wantErr(t, err, repo.ErrInvalid)
	}
}

func idBadOneInAList(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b")...)
	_, err := r.FindAllByID(t.Context(), []any{"a", 1, "b"})
	wantErr(t, err, repo.ErrInvalid)
	n, err := r.DeleteAllByID(t.Context(), []any{"a", []string{"b"}})
	wantErr(t, err, repo.ErrInvalid)
	if n != 0 {
		t.Fatalf("got %d deleted, want 0", n)
	}
	stored(t, r, itemsOf("a", "b")...)
}

func idOfNamedText(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b")...)
	same(t, get(t, r, text("b")), item("b"))
	n, err := r.DeleteAllByID(t.Context(), []any{text("a")})
	noErr(t, err)
	if n != 1 {
		t.Fatalf("got %d, want 1", n)
	}
}

func idEntity(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b", "c")...)
	// Only the key counts; the other fields are no conditions.
	same(t, get(t, r, Item{ID: "a", Name: "another"}), item("a"))
	same(t, get(t, r, &Item{ID: "b"}), item("b"))
	got, err := r.FindAllByID(t.Context(), []any{&Item{ID: "c"}, "a", Item{ID: "x"}})
	noErr(t, err)
	inOrder(t, got, "c", "a")
	noErr(t, r.DeleteByID(t.Context(), &Item{ID: "a"}))
	stored(t, r, itemsOf("b", "c")...)
}

// idZero: a zero id is a key that nobody has, not the absence of a condition.
func idZero(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b")...)
	for _, id := range []any{"", Item{}, &Item{}} {
		nobody(t, r, id)
	}
	stored(t, r, itemsOf("a", "b")...)

	if h.Autos == nil {
		return
	}
	autos := h.Autos(t)
	noErr(t, autos.SaveAll(t.Context(), []*Auto{{Name: "one"}, {Name: "two"}}))
	for _, id := range []any{0, int64(0), uint8(0), Auto{}, &Auto{Name: "one"}, -1} {
		nobody(t, autos, id)
	}
	count(t, autos, 2)
}

// nobody wants that no entity has the id.
func nobody[T any](t *testing.T, r repo.Repository[T], id any) {
	t.Helper()
	_, err := r.FindByID(t.Context(), id)
	wantErr(t, err, repo.ErrNotFound)
	ok, err := r.ExistsByID(t.Context(), id)
	noErr(t, err)
	list, err := r.FindAllByID(t.Context(), []any{id})
	noErr(t, err)
	noErr(t, r.DeleteByID(t.Context(), id))
	n, err := r.DeleteAllByID(t.Context(), []any{id})
	noErr(t, err)
	if ok || len(list) > 0 || n > 0 {
		t.Fatalf("id %v: exists %v, found %d, deleted %d; want none", id, ok, len(list), n)
	}
}

func idIsNeverCode(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b")...)
	for _, id := range oddTexts() {
		nobody(t, r, id)
	}
	for _, id := range []string{"1=1 OR 1", "a' OR 'a'='a", "a' --", "a%", "_", "%", "a OR 1=1", "(SELECT 'a')", "/a/"} {
		nobody(t, r, id)
	}
	stored(t, r, itemsOf("a", "b")...)
}

func idOfOddText(t *testing.T, h Harness) {
	r := h.items(t)
	var list []*Item
	for _, id := range oddTexts() {
		list = append(list, item(id))
	}
	saveItems(t, r, list...)
	stored(t, r, list...)
	for _, e := range list {
		noErr(t, r.DeleteByID(t.Context(), e.ID))
	}
	stored(t, r)
}
