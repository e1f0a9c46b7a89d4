package repotest

import (
	"math"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
)

func wantN(t *testing.T, got int64, err error, want int64) {
	t.Helper()
	noErr(t, err)
	if got != want {
		t.Fatalf("got %d, want %d", got, want)
	}
}

func updateWhereSetsFields(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	saveItems(t, r, itemsOf("a", "b", "c")...)
	id := repo.F[Item, string]("ID")
	due, tags := noon().AddDate(1, 0, 0), []string{"x", "y"}
	n, err := w.UpdateWhere(t.Context(), id.In("a", "c", "absent"),
		repo.F[Item, string]("Name").Set("it's 100% new"), repo.F[Item, *string]("Note").Set(nil), repo.F[Item, bool]("Active").Set(false),
		repo.F[Item, int]("Stock").Set(0), repo.F[Item, float64]("Price").Set(-2.5), repo.F[Item, time.Time]("Due").Set(due),
		repo.F[Item, Box]("Box").Set(Box{Width: 9}), repo.F[Item, []string]("Tags").Set(tags), repo.F[Item, any]("Labels").SetNull())
	wantN(t, n, err, 2)
	tags[0] = "scribbled"
	want := itemsOf("a", "c")
	for _, e := range want {
		e.Name, e.Note, e.Active, e.Stock, e.Price, e.Due = "it's 100% new", nil, false, 0, -2.5, &due
		e.Box, e.Tags, e.Labels = Box{Width: 9}, []string{"x", "y"}, nil
	}
	stored(t, r, want[0], item("b"), want[1])
	n, err = w.UpdateWhere(t.Context(), repo.Or(), repo.F[Item, string]("Name").Set("x"))
	wantN(t, n, err, 0)
	n, err = w.UpdateWhere(t.Context(), repo.F[Item, string]("Name").Eq("it's 100% new"), repo.F[Item, string]("Name").Set("x"), repo.F[Item, string]("Note").Set("noted"))
	wantN(t, n, err, 2)
	if e := get(t, r, "c"); e.Name != "x" || e.Note == nil || *e.Note != "noted" {
		t.Errorf("got %s", shown(e))
	}
}

func updateWhereCounts(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	list := itemsOf("a", "b", "c")
	list[0].Stock, list[1].Stock, list[2].Stock = -1, 5, 6
	saveItems(t, r, list...)
	stock := repo.F[Item, int64]("Stock")
	n, err := w.UpdateWhere(t.Context(), stock.Ge(5), repo.Decrease(stock, 5), repo.Increase(repo.F[Item, float64]("Price"), 0.5), repo.Increase(repo.F[Item, int32]("Grade"), -4))
	wantN(t, n, err, 2)
	for _, e := range list[1:] {
		e.Stock, e.Price, e.Grade = e.Stock-5, 1.75, -1
	}
	stored(t, r, list...)
	n, err = w.UpdateWhere(t.Context(), stock.Le(1), repo.Increase(repo.F[Item, int]("Stock"), 10))
	wantN(t, n, err, 3)
	for _, e := range list {
		e.Stock += 10
	}
	stored(t, r, list...)
}

func updateWhereOfNull(t *testing.T, h Harness) {
	r := h.autos(t)
	w := writer(t, h, r)
	a, b := &Auto{Name: "x"}, &Auto{Name: "x", Slot: new(int64(4))}
	noErr(t, r.SaveAll(t.Context(), []*Auto{a, b}))
	slot, name := repo.F[Auto, int64]("Slot"), repo.F[Auto, string]("Name")
	n, err := w.UpdateWhere(t.Context(), name.Eq("x"), repo.Increase(slot, 3), name.Set("y"))
	wantN(t, n, err, 1)
	same(t, get(t, r, a.ID), a)
	same(t, get(t, r, b.ID), &Auto{ID: b.ID, Name: "y", Slot: new(int64(7))})
	n, err = w.UpdateWhere(t.Context(), slot.Eq(7), slot.SetNull())
	wantN(t, n, err, 1)
	n, err = w.UpdateWhere(t.Context(), slot.Null(), name.Set("z")) // no value breaks no unique index
	wantN(t, n, err, 2)
	same(t, get(t, r, b.ID), &Auto{ID: b.ID, Name: "z"})
}

func updateWhereOfMarked(t *testing.T, h Harness) {
	r := h.marked(t)
	w := writer(t, h, r)
	a, gone := marked(t, r, "a"), marked(t, r, "gone")
	noErr(t, r.Save(t.Context(), a))
	noErr(t, r.Delete(t.Context(), gone))
	nextMilli(t)
	name := repo.F[Marked, string]("Name")
	n, err := w.UpdateWhere(t.Context(), name.NotNull(), name.Set("new"))
	wantN(t, n, err, 1)
	got := get(t, r, "a")
	if got.Name != "new" || got.Rev != 3 || !got.Made.Equal(a.Made) || !got.Seen.After(a.Seen) {
		t.Errorf("got %s, before it was %s", shown(got), shown(a))
	}
	a.Name = "stale"
	wantErr(t, r.Save(t.Context(), a), repo.ErrStale)
	n, err = w.Restore(t.Context(), "gone")
	wantN(t, n, err, 1)
	if got := get(t, r, "gone"); got.Name != "name of gone" {
		t.Errorf("the deleted one became %s", shown(got))
	}
}

func updateWhereOfStamped(t *testing.T, h Harness) {
	r := from(t, "Stamped", h.Stamped)
	w := writer(t, h, r)
	e := &Stamped{ID: "a"}
	noErr(t, r.Save(t.Context(), e))
	first := get(t, r, "a")
	nextMilli(t)
	name := repo.F[Stamped, string]("Name")
	n, err := w.UpdateWhere(t.Context(), name.Eq(""), name.Set("x"))
	wantN(t, n, err, 1)
	got := get(t, r, "a")
	if got.Born != first.Born || !got.First.Equal(first.First) || got.Last <= first.Last || !got.Then.After(*first.Then) {
		t.Errorf("got %s, before it was %s", shown(got), shown(first))
	}
}

func updateWhereOutOfRange(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	list := itemsOf("a", "b", "c")
	list[0].Stock, list[0].Grade = math.MaxInt64-1, math.MaxInt32-1
	list[1].Stock, list[1].Grade = math.MinInt64+1, math.MinInt32+1
	saveItems(t, r, list...)
	id, stock, grade := repo.F[Item, string]("ID"), repo.F[Item, int64]("Stock"), repo.F[Item, int32]("Grade")
	all := id.NotNull()
	for name, set := range map[string]repo.Assignment{
		"stock up":     repo.Increase(stock, 2),
		"stock down":   repo.Decrease(stock, 2),
		"grade up":     repo.Increase(grade, 2),
		"grade down":   repo.Increase(grade, -2),
		"far up":       repo.Increase(repo.F[Item, int64]("Grade"), math.MaxInt64),
		"far down":     repo.Increase(repo.F[Item, int64]("Grade"), math.MinInt64),
		"a float up":   repo.Increase(repo.F[Item, float64]("Price"), math.MaxFloat64),
		"a float more": repo.Decrease(repo.F[Item, float64]("Price"), -math.MaxFloat64),
	} {
		if name == "a float up" || name == "a float more" {
			list[2].Price = math.MaxFloat64
			saveItems(t, r, list[2])
		}
		_, err := w.UpdateWhere(t.Context(), all, repo.F[Item, string]("Name").Set("x"), set)
		t.Run(name, func(t *testing.T) { wantErr(t, err, repo.ErrInvalid) })
		list[2].Price = 1.25
		saveItems(t, r, list[2])
		stored(t, r, list...)
	}
	n, err := w.UpdateWhere(t.Context(), id.Eq("a"), repo.Increase(stock, 1), repo.Increase(grade, 1))
	wantN(t, n, err, 1)
	n, err = w.UpdateWhere(t.Context(), id.Eq("b"), repo.Decrease(stock, 1), repo.Decrease(grade, 1))
	wantN(t, n, err, 1)
	list[0].Stock, list[0].Grade, list[1].Stock, list[1].Grade = math.MaxInt64, math.MaxInt32, math.MinInt64, math.MinInt32
	stored(t, r, list...)
}

func updateWhereBreakingAUniqueIndex(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	saveItems(t, r, itemsOf("a", "b")...)
	_, err := w.UpdateWhere(t.Context(), repo.F[Item, string]("ID").Eq("b"), skuOf().Set(item("a").SKU))
	wantErr(t, err, repo.ErrDuplicateKey)
	stored(t, r, itemsOf("a", "b")...)
	if h.Features.AtomicSaveAll {
		_, err = w.UpdateWhere(t.Context(), repo.F[Item, string]("ID").NotNull(), skuOf().Set("one"))
		wantErr(t, err, repo.ErrDuplicateKey)
		stored(t, r, itemsOf("a", "b")...)
	}
}

func updateWhereRefusesWhatIsWrong(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	saveItems(t, r, item("a"))
	id, name, stock := repo.F[Item, string]("ID"), repo.F[Item, string]("Name"), repo.F[Item, int64]("Stock")
	some := id.Eq("a")
	for what, set := range map[string][]repo.Assignment{
		"no assignment":    nil,
		"an empty one":     {{}},
		"unknown field":    {repo.F[Item, string]("Nope").Set("x")},
		"foreign handle":   {repo.F[Auto, string]("Name").Set("x")},
		"another kind":     {repo.F[Item, string]("Stock").Set("x")},
		"another struct":   {repo.F[Item, time.Time]("Box").Set(noon())},
		"one field twice":  {name.Set("x"), stock.Set(1), name.Set("y")},
		"a part of it too": {repo.F[Item, Box]("Box").Set(Box{}), repo.F[Item, int]("Box.Width").Set(1)},
		"the key":          {id.Set("b")},
		"null":             {stock.SetNull()},
		"a nil":            {repo.F[Item, *int64]("Stock").Set(nil)},
		"too large":        {repo.F[Item, int64]("Grade").Set(math.MaxInt64)},
		"a fraction":       {repo.F[Item, float64]("Stock").Set(1.5)},
		"a fraction more":  {repo.Increase(repo.F[Item, float64]("Stock"), 1.5)},
		"more of text":     {repo.Increase(repo.F[Item, int64]("Name"), 1)},
		"more of a struct": {repo.Increase(repo.F[Item, int64]("Box"), 1)},
		"infinitely more":  {repo.Increase(repo.F[Item, float64]("Price"), math.Inf(1))},
	} {
		_, err := w.UpdateWhere(t.Context(), some, set...)
		t.Run(what, func(t *testing.T) { wantErr(t, err, repo.ErrInvalid) })
	}
	for what, where := range wrongConditions() {
		_, err := w.UpdateWhere(t.Context(), where, name.Set("x"))
		t.Run(what, func(t *testing.T) { wantErr(t, err, repo.ErrInvalid) })
	}
	stored(t, r, item("a"))
	m := h.marked(t)
	before := marked(t, m, "a")
	for _, name := range []string{"ID", "Rev", "Made", "Seen", "Gone"} {
		for _, set := range []repo.Assignment{repo.F[Marked, any](name).Set("x"), repo.F[Marked, any](name).SetNull()} {
			_, err := writer(t, h, m).UpdateWhere(t.Context(), repo.F[Marked, string]("ID").Eq("a"), set)
			wantErr(t, err, repo.ErrInvalid)
		}
	}
	same(t, get(t, m, "a"), before)
	_, err := w.UpdateWhere(t.Context(), some, repo.F[Item, time.Time]("At").Set(noon()))
	noErr(t, err)
}

// wrongConditions are those that no call that writes takes.
func wrongConditions() map[string]repo.Condition {
	id := repo.F[Item, string]("ID")
	return map[string]repo.Condition{
		"empty":            {},
		"all":              repo.And(),
		"not none":         repo.Not(repo.Or()),
		"all or":           repo.Or(id.Eq("a"), repo.And()),
		"all and all":      repo.And(repo.And(), repo.Not(repo.Or())),
		"unknown field":    repo.F[Item, string]("Nope").Eq("x"),
		"foreign field":    repo.F[Auto, string]("Name").Eq("x"),
		"not in no values": id.NotIn(),
	}
}

func deleteWhereRemoves(t *testing.T, h Harness) {
	r := h.items(t)
	w := writer(t, h, r)
	list := itemsOf("a", "b", "c")
	list[2].Stock = 99
	saveItems(t, r, list...)
	stock := repo.F[Item, int64]("Stock")
	n, err := w.DeleteWhere(t.Context(), stock.Lt(50))
	wantN(t, n, err, 2)
	stored(t, r, list[2])
	n, err = w.DeleteWhere(t.Context(), repo.Or(stock.Lt(50), repo.F[Item, string]("Name").Prefix("x")))
	wantN(t, n, err, 0)
	n, err = w.DeleteWhere(t.Context(), repo.Or())
	wantN(t, n, err, 0)
	for what, where := range wrongConditions() {
		_, err := w.DeleteWhere(t.Context(), where)
		t.Run(what, func(t *testing.T) { wantErr(t, err, repo.ErrInvalid) })
	}
	stored(t, r, list[2])
	noErr(t, r.Save(t.Context(), item("a"))) // its key is free
}

func deleteWhereMarks(t *testing.T, h Harness) {
	r := h.marked(t)
	w := writer(t, h, r)
	name := repo.F[Marked, string]("Name")
	for _, id := range []string{"a", "b", "c"} {
		marked(t, r, id)
	}
	n, err := w.DeleteWhere(t.Context(), name.In("name of a", "name of b"))
	wantN(t, n, err, 2)
	n, err = w.DeleteWhere(t.Context(), name.NotNull())
	wantN(t, n, err, 1)
	for _, id := range []string{"a", "b", "c"} {
		nobody(t, r, id)
		if _, err := r.SmartSave(t.Context(), docs(`{"id":"`+id+`"}`), repo.Merge()); err == nil {
			t.Errorf("%s was removed and not marked", id)
		}
	}
}

func restoreBringsBack(t *testing.T, h Harness) {
	r := h.marked(t)
	w := writer(t, h, r)
	a, b := marked(t, r, "a"), marked(t, r, "b")
	noErr(t, r.SaveAll(t.Context(), []*Marked{a, b}))
	_, err := r.DeleteAllByID(t.Context(), []any{"a", "b"})
	noErr(t, err)
	alive := marked(t, r, "alive")
	nextMilli(t)
	n, err := w.Restore(t.Context(), "a", "alive", "absent", "a", &Marked{ID: "b"})
	wantN(t, n, err, 2)
	for _, was := range []*Marked{a, b} {
		got := get(t, r, was.ID)
		if got.Gone != nil || got.Rev != 3 || got.Name != was.Name || !got.Made.Equal(was.Made) || !got.Seen.After(was.Seen) {
			t.Errorf("got %s, before it was %s", shown(got), shown(was))
		}
		noErr(t, r.Save(t.Context(), got))
	}
	same(t, get(t, r, "alive"), alive)
	n, err = w.Restore(t.Context())
	wantN(t, n, err, 0)
	n, err = w.Restore(t.Context(), "a", "b")
	wantN(t, n, err, 0)
}

func restoreRefusesWhatIsWrong(t *testing.T, h Harness) {
	r := h.marked(t)
	w := writer(t, h, r)
	marked(t, r, "a")
	noErr(t, r.DeleteByID(t.Context(), "a"))
	_, err := w.Restore(t.Context(), "a", 7, nil)
	wantNamed(t, err, repo.ErrInvalid, 1, 2)
	nobody(t, r, "a")
	_, err = writer(t, h, h.items(t)).Restore(t.Context(), "a")
	wantErr(t, err, repo.ErrInvalid)
}
