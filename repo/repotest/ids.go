package repotest

import (
	"fmt"
	"math"
	"strconv"
	"strings"
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

func idBehindAPointer(t *testing.T, h Harness) {
	r := from(t, "Pointed", h.Pointed)
	one, two := int64(1), int64(2)
	list := []*Pointed{{ID: &one, Text: "1"}, {ID: &two, Text: "2"}}
	noErr(t, r.SaveAll(t.Context(), list))
	again := one
	noErr(t, r.SaveAll(t.Context(), []*Pointed{{ID: &one, Text: "first"}, {ID: &again, Text: "1"}}))
	takesEvery(t, r, list[0], []any{1, int64(1), uint8(1), &one, &again, list[0], Pointed{ID: &again}}, `{"id":1,"text":%q}`)
	for _, id := range []any{"1", "x", 1.0, (*int64)(nil)} {
		_, err := r.FindByID(t.Context(), id)
		wantErr(t, err, repo.ErrInvalid)
	}
	same(t, get(t, r, 2), list[1])
}

func idTextOfBytes(t *testing.T, h Harness) {
	r := from(t, "Sealed", h.Sealed)
	list := []*Sealed{{ID: Seal{1, 0xab}, Text: "1"}, {ID: Seal{2}, Text: "2"}}
	noErr(t, r.SaveAll(t.Context(), list))
	digits := "01ab" + strings.Repeat("0", 28)
	takesEvery(t, r, list[0], []any{
		list[0].ID, [16]byte{1, 0xab}, digits, text(digits), strings.ToUpper(digits), Sealed{ID: list[0].ID},
	}, `{"id":"`+digits+`","text":%q}`)
	for _, id := range []any{"01ab", "", digits + " ", 1, []byte(digits)} {
		_, err := r.FindByID(t.Context(), id)
		wantErr(t, err, repo.ErrInvalid)
	}
	same(t, get(t, r, list[1].ID), list[1])
}

// takesEvery wants that each of the ids names e, which alone they name, and that a
// document does.
func takesEvery[T any](t *testing.T, r repo.Repository[T], e *T, ids []any, form string) {
	t.Helper()
	found, err := r.FindAllByID(t.Context(), ids)
	noErr(t, err)
	if len(found) != 1 {
		t.Fatalf("got %d for ids of one", len(found))
	}
	for _, id := range ids {
		same(t, get(t, r, id), e)
		ok, err := r.ExistsByID(t.Context(), id)
		noErr(t, err)
		if !ok {
			t.Fatalf("id %v of type %T does not exist", id, id)
		}
	}
	for i, opts := range [][]repo.SmartSaveOption{nil, {repo.Merge()}} {
		out, err := r.SmartSave(t.Context(), docs(fmt.Sprintf(form, strconv.Itoa(i))), opts...)
		noErr(t, err)
		same(t, get(t, r, ids[0]), out[0])
		count(t, r, 2)
	}
	for i, id := range ids {
		noErr(t, r.Save(t.Context(), e))
		if i%2 == 0 {
			noErr(t, r.DeleteByID(t.Context(), id))
		} else if n, err := r.DeleteAllByID(t.Context(), []any{id}); n != 1 || err != nil {
			t.Fatalf("id %v of type %T: deleted %d, %v", id, id, n, err)
		}
		count(t, r, 1)
	}
	noErr(t, r.Save(t.Context(), e))
	noErr(t, r.Delete(t.Context(), e))
	count(t, r, 1)
}
