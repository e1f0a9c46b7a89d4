package repotest

import (
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
)

func skuOf() repo.Field[Item, string] { return repo.F[Item, string]("SKU") }

func wantUpserted(t *testing.T, got repo.Upserted, inserted, updated int64) {
	t.Helper()
	if got.Inserted != inserted || got.Updated != updated {
		t.Fatalf("got %+v, want %d inserted and %d updated", got, inserted, updated)
	}
}

func upsertInsertsAndUpdates(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	saveItems(t, r, itemsOf("a", "b")...)
	mine, fresh := item("a"), item("c")
	mine.ID, mine.Name, mine.Note = "mine", "new", nil
	done, err := w.UpsertBy(t.Context(), []*Item{mine, fresh}, skuOf())
	noErr(t, err)
	wantUpserted(t, done, 1, 1)
	if mine.ID != "a" {
		t.Errorf("the key is %q", mine.ID)
	}
	want := item("a")
	want.Name, want.Note = "new", nil
	stored(t, r, want, item("b"), item("c"))
	done, err = w.UpsertBy(t.Context(), nil, skuOf())
	noErr(t, err)
	wantUpserted(t, done, 0, 0)
}

func upsertOfMarked(t *testing.T, h Harness) {
	r := h.marked(t)
	w := writer(t, h, r)
	name := repo.F[Marked, string]("Name")
	a, gone := marked(t, r, "a"), marked(t, r, "gone")
	noErr(t, r.Save(t.Context(), a))
	noErr(t, r.Delete(t.Context(), gone))
	nextMilli(t)
	mine := &Marked{ID: "x", Name: a.Name, Rev: 77, Made: longAgo()}
	again := &Marked{ID: "again", Name: gone.Name, Rev: 5}
	done, err := w.UpsertBy(t.Context(), []*Marked{again, mine}, name)
	noErr(t, err)
	wantUpserted(t, done, 1, 1)
	got := get(t, r, "a")
	same(t, mine, got)
	if got.Rev != 3 || !got.Made.Equal(a.Made) || !got.Seen.After(a.Seen) {
		t.Errorf("got %s, before it was %s", shown(got), shown(a))
	}
	same(t, get(t, r, "again"), again)
	if again.Rev != 1 {
		t.Errorf("the new one has version %d", again.Rev)
	}
	nobody(t, r, "x")
	nobody(t, r, "gone")
}

func upsertGeneratesKeys(t *testing.T, h Harness) {
	r := h.autos(t)
	w := writer(t, h, r)
	slot := repo.F[Auto, int64]("Slot")
	list := []*Auto{{Name: "a", Slot: new(int64(1))}, {Name: "b", Slot: new(int64(2))}}
	done, err := w.UpsertBy(t.Context(), list, slot)
	noErr(t, err)
	wantUpserted(t, done, 2, 0)
	again := []*Auto{{Name: "c", Slot: new(int64(3))}, {Name: "new", Slot: new(int64(1))}}
	done, err = w.UpsertBy(t.Context(), again, slot)
	noErr(t, err)
	wantUpserted(t, done, 1, 1)
	if again[1].ID != list[0].ID || again[0].ID == 0 {
		t.Errorf("the keys are %d and %d", again[0].ID, again[1].ID)
	}
	same(t, get(t, r, list[0].ID), again[1])
	count(t, r, 3)
}

func upsertBySeveralFields(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	list := itemsOf("a", "b", "c")
	list[0].Name, list[1].Name, list[2].Name = "x", "x", "y"
	list[0].Grade, list[1].Grade, list[2].Grade = 1, 2, 1
	saveItems(t, r, list...)
	mine, fresh := item("b"), item("d")
	mine.ID, mine.Name, mine.Grade, mine.Stock = "mine", "x", 2, 99
	fresh.Name, fresh.Grade = "y", 2
	by := []repo.Handle{repo.F[Item, string]("Name"), repo.F[Item, int32]("Grade")}
	done, err := w.UpsertBy(t.Context(), []*Item{mine, fresh}, by...)
	noErr(t, err)
	wantUpserted(t, done, 1, 1)
	stored(t, r, list[0], mine, list[2], fresh)
	p := h.pairs(t)
	pw := writer(t, h, p)
	noErr(t, pw.Insert(t.Context(), &Pair{1, "a", "x"}))
	pair := &Pair{1, "b", "x"}
	done, err = pw.UpsertBy(t.Context(), []*Pair{pair, {2, "a", "x"}}, repo.F[Pair, string]("Text"), repo.F[Pair, int64]("Shelf"))
	noErr(t, err)
	wantUpserted(t, done, 1, 1)
	if pair.Place != "a" {
		t.Errorf("got %s", shown(pair))
	}
	count(t, p, 2)
}

func upsertComparesExactly(t *testing.T, h Harness) {
	need(t, h.Features.CaseSensitiveText, "CaseSensitiveText")
	r := h.items(t)
	w := writer(t, h, r)
	name := repo.F[Item, string]("Name")
	var list []*Item
	for i, text := range append(oddTexts(), "ant", "Ant", "ant ", "") {
		e := numbered(i + 1)[i]
		e.Name = text
		list = append(list, e)
	}
	done, err := w.UpsertBy(t.Context(), list, name)
	noErr(t, err)
	wantUpserted(t, done, int64(len(list)), 0)
	for i, e := range list {
		e.Stock, e.ID = int64(1000+i), "another"
	}
	done, err = w.UpsertBy(t.Context(), list, name)
	noErr(t, err)
	wantUpserted(t, done, 0, int64(len(list)))
	stored(t, r, list...)
}

// upsertByATime: a column may keep less of a time than Go does, and not its zone.
func upsertByATime(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	at := repo.F[Item, time.Time]("At")
	precise := noon().Add(123456 * time.Microsecond)
	list := itemsOf("a", "b")
	list[0].At, list[1].At = precise, precise.Add(time.Second)
	done, err := w.UpsertBy(t.Context(), list, at)
	noErr(t, err)
	wantUpserted(t, done, 2, 0)
	again := item("c")
	again.SKU, again.At = list[0].SKU, precise.In(time.FixedZone("east", 3600))
	done, err = w.UpsertBy(t.Context(), []*Item{again}, at)
	noErr(t, err)
	wantUpserted(t, done, 0, 1)
	if again.ID != "a" {
		t.Errorf("the key is %q", again.ID)
	}
	count(t, r, 2)
	zoned := item("d")
	zoned.At = again.At
	_, err = w.UpsertBy(t.Context(), []*Item{again, zoned}, at)
	wantNamed(t, err, repo.ErrInvalid, 1)
}

func upsertOfTwoStored(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	list := itemsOf("a", "b")
	list[0].Name, list[1].Name = "x", "x"
	saveItems(t, r, list...)
	mine, fresh := item("m"), item("c")
	mine.Name = "x"
	_, err := w.UpsertBy(t.Context(), []*Item{fresh, mine}, repo.F[Item, string]("Name"))
	wantNamed(t, err, repo.ErrDuplicateKey, 1)
	same(t, mine, func() *Item { e := item("m"); e.Name = "x"; return e }())
	if h.Features.AtomicSaveAll {
		stored(t, r, list...)
	} else {
		stored(t, r, append(list, item("c"))...)
	}
}

func upsertBreakingAUniqueIndex(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	saveItems(t, r, itemsOf("a", "b")...)
	name := repo.F[Item, string]("Name")
	mine := item("a")
	mine.ID, mine.SKU = "mine", item("b").SKU
	_, err := w.UpsertBy(t.Context(), []*Item{mine}, name)
	wantNamed(t, err, repo.ErrDuplicateKey, 0)
	if mine.ID != "mine" {
		t.Errorf("the key became %q", mine.ID)
	}
	taken := item("b")
	taken.Name, taken.SKU = "another", "another"
	_, err = w.UpsertBy(t.Context(), []*Item{taken}, name)
	wantNamed(t, err, repo.ErrDuplicateKey, 0)
	stored(t, r, itemsOf("a", "b")...)
}

func upsertRefusesWhatIsWrong(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	for name, by := range map[string][]repo.Handle{
		"no field":      nil,
		"twice":         {skuOf(), skuOf()},
		"unknown":       {repo.F[Item, string]("Nope")},
		"foreign":       {repo.F[Auto, string]("Name")},
		"another kind":  {repo.F[Item, int]("SKU")},
		"a float":       {repo.F[Item, float64]("Price")},
		"a list":        {repo.F[Item, []string]("Tags")},
		"a nil handle":  {nil},
		"several wrong": {skuOf(), repo.F[Item, string]("Nope")},
	} {
		_, err := w.UpsertBy(t.Context(), []*Item{item("a")}, by...)
		t.Run(name, func(t *testing.T) { wantErr(t, err, repo.ErrInvalid) })
	}
	_, err := w.UpsertBy(t.Context(), []*Item{item("a"), nil}, skuOf())
	wantNamed(t, err, repo.ErrInvalid, 1)
	_, err = w.UpsertBy(t.Context(), []*Item{item("a"), item("b"), item("a")}, skuOf())
	wantNamed(t, err, repo.ErrInvalid, 2)
	bare := item("b")
	bare.Note = nil
	_, err = w.UpsertBy(t.Context(), []*Item{item("a"), bare}, repo.F[Item, string]("Note"))
	wantNamed(t, err, repo.ErrInvalid, 1)
	stored(t, r)
	m := h.marked(t)
	for _, name := range []string{"Rev", "Made", "Seen", "Gone"} {
		_, err := writer(t, h, m).UpsertBy(t.Context(), []*Marked{{ID: "a"}}, repo.F[Marked, any](name))
		wantErr(t, err, repo.ErrInvalid)
	}
	count(t, m, 0)
}

func upsertCrossesBatches(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	list := numbered(h.large())
	half := int64(len(list) / 2)
	noErr(t, w.Insert(t.Context(), list[:half]...))
	for i, e := range list {
		e.Name = "upserted"
		if int64(i) < half {
			e.ID = "another"
		}
	}
	done, err := w.UpsertBy(t.Context(), list, skuOf())
	noErr(t, err)
	wantUpserted(t, done, int64(len(list))-half, half)
	n, err := r.Count(t.Context(), repo.F[Item, string]("Name").Eq("upserted"))
	noErr(t, err)
	if n != int64(len(list)) {
		t.Fatalf("%d of %d are written", n, len(list))
	}
	count(t, r, n)
	same(t, get(t, r, list[0].ID), list[0])
}
