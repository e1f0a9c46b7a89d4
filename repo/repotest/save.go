package repotest

import (
	"math"
	"testing"
	"time"
)

func saveStoresEveryField(t *testing.T, h Harness) {
	r := h.items(t)
	want := item("a")
	noErr(t, r.Save(t.Context(), item("a")))
	stored(t, r, want)
}

func saveOverwritesEveryField(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b")...)
	note, due := "other", noon().AddDate(1, 0, 0)
	want := &Item{
		ID: "a", SKU: "other", Name: "other", Note: &note, Stock: -9, Grade: 1, Price: -2.5, At: noon().AddDate(-30, 0, 0),
		Due: &due, Box: Box{Width: 1}, Tags: []string{"x"}, Labels: map[string]string{"q": "r"},
	}
	other := *want
	noErr(t, r.Save(t.Context(), &other))
	stored(t, r, want, item("b"))
}

func saveTwiceIsTheSame(t *testing.T, h Harness) {
	r := h.items(t)
	e := item("a")
	for range 3 {
		noErr(t, r.Save(t.Context(), e))
	}
	stored(t, r, item("a"))
}

func saveInsertsZeroValues(t *testing.T, h Harness) {
	r := h.items(t)
	noErr(t, r.Save(t.Context(), &Item{ID: "a", At: noon()}))
	stored(t, r, &Item{ID: "a", At: noon()})
}

func saveOverwritesWithZeroValues(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, item("a"))
	noErr(t, r.Save(t.Context(), &Item{ID: "a", At: noon()}))
	stored(t, r, &Item{ID: "a", At: noon()})
}

func saveKeepsOddText(t *testing.T, h Harness) {
	r := h.items(t)
	for _, text := range oddTexts() {
		e := item("a")
		e.Name, e.Note = text, &text
		e.Tags, e.Labels = []string{text}, map[string]string{"k": text}
		noErr(t, r.Save(t.Context(), e))
		stored(t, r, e)
	}
}

// oddTexts are texts that trip careless quoting, matching and encoding.
func oddTexts() []string {
	return []string{
		"1=1 OR 1", "' OR '1'='1", `"; DROP TABLE items; --`, "100%", "under_score", `back\slash`, "$where", "a.b.c",
		`{"$ne": null}`, "tab\tnew\nline", "Grüße", "日本語", "🦫 beaver", "İstanbul", "<b>&amp;</b>", "?", "@p1", ":name", "NULL", "*",
	}
}

func saveKeepsExtremeNumbers(t *testing.T, h Harness) {
	r := h.items(t)
	for _, c := range []struct {
		stock int64
		grade int32
		price float64
	}{
		{math.MaxInt64, math.MaxInt32, math.MaxFloat32},
		{math.MinInt64, math.MinInt32, -math.MaxFloat32},
		{1<<53 + 1, 0, 0.1},
		{-1, -1, 1e-9},
		{0, 0, 123456789.123456},
	} {
		e := item("a")
		e.Stock, e.Grade, e.Price = c.stock, c.grade, c.price
		noErr(t, r.Save(t.Context(), e))
		stored(t, r, e)
	}
}

func saveKeepsTheInstantOfATime(t *testing.T, h Harness) {
	r := h.items(t)
	for _, zone := range []*time.Location{time.UTC, time.FixedZone("east", 5*3600+1800), time.FixedZone("west", -11*3600)} {
		e := item("a")
		due := noon().In(zone)
		e.At, e.Due = due, &due
		noErr(t, r.Save(t.Context(), e))
		stored(t, r, e)
	}
}

func saveSharesNoMemory(t *testing.T, h Harness) {
	r := h.items(t)
	mine := item("a")
	noErr(t, r.Save(t.Context(), mine))
	scribble(mine)
	stored(t, r, item("a"))

	found := get(t, r, "a")
	scribble(found)
	list, err := r.Find(t.Context())
	noErr(t, err)
	scribble(list[0])
	list, err = r.FindAllByID(t.Context(), []any{"a"})
	noErr(t, err)
	scribble(list[0])
	stored(t, r, item("a"))

	list, err = r.SmartSave(t.Context(), docs(document(t, item("a"))))
	noErr(t, err)
	scribble(list[0])
	stored(t, r, item("a"))
}

// scribble changes everything in e that it could share.
func scribble(e *Item) {
	e.Name = "scribbled"
	*e.Note = "scribbled"
	*e.Due = e.Due.AddDate(1, 0, 0)
	e.Tags[0] = "scribbled"
	e.Labels["k"] = "scribbled"
}

func saveLeavesOthersAlone(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b", "c")...)
	b := item("b")
	b.Name = "changed"
	noErr(t, r.Save(t.Context(), b))
	stored(t, r, item("a"), b, item("c"))
}

func saveLeavesTheCallersEntityAlone(t *testing.T, h Harness) {
	r := h.items(t)
	e := item("a")
	noErr(t, r.Save(t.Context(), e))
	same(t, e, item("a"))
}
