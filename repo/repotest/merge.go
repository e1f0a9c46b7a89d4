package repotest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
)

func merged(t *testing.T, r repo.Repository[Item], opt repo.SmartSaveOption, want *Item, text string) {
	t.Helper()
	out, err := r.SmartSave(t.Context(), docs(text), opt)
	noErr(t, err)
	inOrder(t, out, want.ID)
	same(t, out[0], want)
	stored(t, r, want)
}

func mergeKeepsWhatIsNotNamed(t *testing.T, h Harness) {
	for _, opt := range []repo.SmartSaveOption{repo.Merge(), repo.MergeNonNull()} {
		r := h.items(t)
		saveItems(t, r, item("a"))
		want := item("a")
		merged(t, r, opt, want, `{"id":"a"}`)
		want.Name = "changed"
		merged(t, r, opt, want, `{"id":"a","name":"changed"}`)
		want.Price, want.Stock = 2.5, 8
		merged(t, r, opt, want, `{"id":"a","price":2.5,"stock":8}`)
	}
}

func mergeWritesZeroValues(t *testing.T, h Harness) {
	for _, opt := range []repo.SmartSaveOption{repo.Merge(), repo.MergeNonNull()} {
		r := h.items(t)
		saveItems(t, r, item("a"))
		want := item("a")
		empty := ""
		want.Active, want.Stock, want.Price, want.Name, want.Note = false, 0, 0, "", &empty
		merged(t, r, opt, want, `{"id":"a","active":false,"stock":0,"price":0,"name":"","note":""}`)
	}
}

func mergeNullClears(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, item("a"))
	want := item("a")
	want.Note, want.Due, want.Name, want.Stock, want.Tags, want.Labels = nil, nil, "", 0, nil, nil
	merged(t, r, repo.Merge(), want, `{"id":"a","note":null,"due":null,"name":null,"stock":null,"tags":null,"labels":null}`)
}

func mergeNonNullKeepsNulls(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, item("a"))
	want := item("a")
	want.Grade = 9
	merged(t, r, repo.MergeNonNull(), want, `{"id":"a","note":null,"due":null,"name":null,"grade":9,"tags":null,"labels":{"k":null}}`)
}

// mergeGoesIntoObjects: objects are merged, lists are replaced.
func mergeGoesIntoObjects(t *testing.T, h Harness) {
	r := h.items(t)
	e := item("a")
	e.Labels = map[string]string{"keep": "1", "change": "2", "drop": "3"}
	saveItems(t, r, e)
	want := *e
	want.Box.Width = 5
	want.Tags = []string{"z"}
	want.Labels = map[string]string{"keep": "1", "change": "two", "new": "4"}
	merged(t, r, repo.Merge(), &want, `{"id":"a","box":{"width":5},"tags":["z"],"labels":{"change":"two","drop":null,"new":"4"}}`)
}

func mergeInsertsWhatIsAbsent(t *testing.T, h Harness) {
	for _, opt := range []repo.SmartSaveOption{repo.Merge(), repo.MergeNonNull()} {
		r := h.items(t)
		merged(t, r, opt, &Item{ID: "a", SKU: "s", At: noon()}, `{"id":"a","sku":"s","note":null,"at":"2024-02-29T12:00:00.125Z"}`)
	}
}

func mergeMixesNewAndStored(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b")...)
	out, err := r.SmartSave(t.Context(), docs(
		`{"id":"b","name":"changed b"}`, document(t, item("c")), `{"id":"a"}`, `{"id":"b","stock":1}`,
	), repo.Merge())
	noErr(t, err)
	inOrder(t, out, "b", "c", "a", "b")
	b := item("b")
	b.Name, b.Stock = "changed b", 1
	same(t, out[3], b)
	stored(t, r, item("a"), b, item("c"))
}

func mergeDuplicatesOfANewOne(t *testing.T, h Harness) {
	r := h.items(t)
	out, err := r.SmartSave(t.Context(), docs(
		`{"id":"a","sku":"s","name":"one","at":"2024-02-29T12:00:00.125Z"}`, `{"id":"a","name":"two"}`,
	), repo.Merge())
	noErr(t, err)
	inOrder(t, out, "a", "a")
	want := &Item{ID: "a", SKU: "s", Name: "two", At: noon()}
	same(t, out[1], want)
	stored(t, r, want)
}

func mergeUnchangedWritesNothing(t *testing.T, h Harness) {
	r := h.marked(t)
	marked(t, r, "a")
	before := get(t, r, "a")
	nextMilli(t)
	for _, text := range []string{`{"id":"a"}`, `{"id":"a","name":"name of a"}`, document(t, before)} {
		out, err := r.SmartSave(t.Context(), docs(text), repo.Merge())
		noErr(t, err)
		if len(out) != 1 {
			t.Fatalf("got %d entities, want 1", len(out))
		}
		same(t, out[0], before)
		same(t, get(t, r, "a"), before)
	}
}

func mergeCountsAndStamps(t *testing.T, h Harness) {
	r := h.marked(t)
	marked(t, r, "a")
	before := get(t, r, "a")
	nextMilli(t)
	out, err := r.SmartSave(t.Context(), docs(`{"id":"a","name":"changed"}`, `{"id":"b"}`), repo.Merge())
	noErr(t, err)
	got := get(t, r, "a")
	same(t, out[0], got)
	if got.Name != "changed" || got.Rev != 2 || !got.Made.Equal(before.Made) || !got.Seen.After(before.Seen) {
		t.Fatalf("got %s, before it was %s", shown(got), shown(before))
	}
	fresh := get(t, r, "b")
	if fresh.Rev != 1 || out[1].Rev != 1 {
		t.Fatalf("got %s", shown(fresh))
	}
	recent(t, "created", fresh.Made)
}

// mergeCannotTouchDuties: times and the deletion mark are not the client's.
func mergeCannotTouchDuties(t *testing.T, h Harness) {
	r := h.marked(t)
	marked(t, r, "a")
	before := get(t, r, "a")
	_, err := r.SmartSave(t.Context(), docs(
		`{"id":"a","made":"2001-01-01T00:00:00Z","seen":"2001-01-01T00:00:00Z","gone":"2001-01-01T00:00:00Z"}`,
	), repo.Merge())
	noErr(t, err)
	same(t, get(t, r, "a"), before)
	_, err = r.SmartSave(t.Context(), docs(`{"id":"a","made":null,"rev":null,"name":"changed"}`), repo.Merge())
	noErr(t, err)
	if got := get(t, r, "a"); !got.Made.Equal(before.Made) || got.Rev != 2 || got.Name != "changed" {
		t.Fatalf("got %s, before it was %s", shown(got), shown(before))
	}
}

func mergeChecksANamedVersion(t *testing.T, h Harness) {
	r := h.marked(t)
	e := marked(t, r, "a")
	noErr(t, r.Save(t.Context(), e))
	_, err := r.SmartSave(t.Context(), docs(`{"id":"b"}`, `{"id":"a","rev":1,"name":"late"}`), repo.Merge())
	wantBatch(t, err, repo.ErrStale, 1)
	if got := get(t, r, "a"); got.Name != "name of a" || got.Rev != 2 {
		t.Fatalf("got %s", shown(got))
	}
	_, err = r.SmartSave(t.Context(), docs(`{"id":"a","rev":2,"name":"in time"}`), repo.Merge())
	noErr(t, err)
	if got := get(t, r, "a"); got.Name != "in time" || got.Rev != 3 {
		t.Fatalf("got %s", shown(got))
	}
}

// mergeOfDifferentMembers: each document names members that no other one names, so that
// a store which writes rows together must leave others of them as they are.
func mergeOfDifferentMembers(t *testing.T, h Harness) {
	type change struct {
		member string
		apply  func(e *Item)
	}
	for _, changes := range [][]change{
		{
			{`"name":"changed"`, func(e *Item) { e.Name = "changed" }},
			{`"note":null`, func(e *Item) { e.Note = nil }},
			{`"active":false`, func(e *Item) { e.Active = false }},
			{`"stock":-9007199254740993`, func(e *Item) { e.Stock = -9007199254740993 }},
			{`"due":null`, func(e *Item) { e.Due = nil }},
			{`"at":"2024-02-29T12:00:00.125Z"`, func(e *Item) { e.At = noon() }},
		},
		{
			{`"price":0.1`, func(e *Item) { e.Price = 0.1 }},
			{`"tags":["x"]`, func(e *Item) { e.Tags = []string{"x"} }},
			{`"labels":null`, func(e *Item) { e.Labels = nil }},
			{`"box":{"width":77}`, func(e *Item) { e.Box.Width = 77 }},
			{`"grade":3`, func(e *Item) { e.Grade = 3 }},
		},
	} {
		r := h.items(t)
		var texts []string
		var want []*Item
		for bits := range 1 << len(changes) {
			e := item(fmt.Sprintf("%02d", bits))
			e.At = e.At.Add(-time.Hour)
			e.Price += 0.3
			saveItems(t, r, e)
			members := []string{fmt.Sprintf(`"id":%q`, e.ID)}
			for i, c := range changes {
				if bits&(1<<i) != 0 {
					members = append(members, c.member)
					c.apply(e)
				}
			}
			texts, want = append(texts, "{"+strings.Join(members, ",")+"}"), append(want, e)
		}
		_, err := r.SmartSave(t.Context(), docs(texts...), repo.Merge())
		noErr(t, err)
		stored(t, r, want...)
	}
}
