package repotest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

func smartSaveInserts(t *testing.T, h Harness) {
	r := h.items(t)
	out, err := r.SmartSave(t.Context(), docs(document(t, item("a")), document(t, item("b"))))
	noErr(t, err)
	inOrder(t, out, "a", "b")
	stored(t, r, itemsOf("a", "b")...)
	for _, e := range out {
		same(t, e, item(e.ID))
	}
}

// smartSaveReplaces: what a document does not name becomes zero.
func smartSaveReplaces(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, itemsOf("a", "b")...)
	text := `{"id":"a","name":"only","at":"2024-02-29T12:00:00.125Z"}`
	want := &Item{ID: "a", Name: "only", At: noon()}
	for _, opts := range [][]repo.SmartSaveOption{nil, {repo.Replace()}, {nil}} {
		out, err := r.SmartSave(t.Context(), docs(text), opts...)
		noErr(t, err)
		inOrder(t, out, "a")
		same(t, out[0], want)
		stored(t, r, want, item("b"))
	}
}

func smartSaveKeepsInputOrder(t *testing.T, h Harness) {
	for _, opt := range []repo.SmartSaveOption{repo.Replace(), repo.Merge(), repo.MergeNonNull()} {
		r := h.items(t)
		saveItems(t, r, itemsOf("b", "d")...)
		var texts []string
		order := []string{"d", "a", "e", "b", "c"}
		for _, id := range order {
			texts = append(texts, document(t, item(id)))
		}
		out, err := r.SmartSave(t.Context(), docs(texts...), opt)
		noErr(t, err)
		inOrder(t, out, order...)
		stored(t, r, itemsOf(order...)...)
	}
}

func smartSaveFoldsDuplicates(t *testing.T, h Harness) {
	r := h.items(t)
	one, two, other := item("a"), item("a"), item("b")
	one.Name, two.Name = "one", "two"
	out, err := r.SmartSave(t.Context(), docs(document(t, one), document(t, other), document(t, two)))
	noErr(t, err)
	inOrder(t, out, "a", "b", "a")
	same(t, out[2], two)
	stored(t, r, two, other)
}

func smartSaveOfNone(t *testing.T, h Harness) {
	r := h.items(t)
	saveItems(t, r, item("a"))
	for _, dto := range []repo.SmartSaveDTO{{}, docs()} {
		_, err := r.SmartSave(t.Context(), dto)
		wantErr(t, err, repo.ErrEmptySave)
		_, err = r.SmartSave(t.Context(), dto, repo.Merge())
		wantErr(t, err, repo.ErrEmptySave)
	}
	stored(t, r, item("a"))
}

func smartSaveReportsEveryBadDocument(t *testing.T, h Harness) {
	good := document(t, item("a"))
	list := docs(good, `{"id":"b","stock":"many"}`, `not json`, good, `[]`, `null`, `{"id":"c","box":{"width":"x"}}`, `{} {}`, ``)
	for _, opt := range []repo.SmartSaveOption{repo.Replace(), repo.Merge(), repo.MergeNonNull()} {
		r := h.items(t)
		_, err := r.SmartSave(t.Context(), list, opt)
		wantNamed(t, err, repo.ErrInvalid, 1, 2, 4, 5, 6, 7, 8)
		var batch *repo.BatchError
		errors.As(err, &batch)
		if p := batch.Items[0].Pointer; p != "/stock" {
			t.Fatalf("pointer of element 1 is %q, want /stock", p)
		}
		if p := batch.Items[4].Pointer; p != "/box/width" {
			t.Fatalf("pointer of element 6 is %q, want /box/width", p)
		}
		stored(t, r)
	}
}

func smartSaveCaps(t *testing.T, h Harness) {
	r := h.items(t)
	list := docs(document(t, item("a")), document(t, item("b")))
	size := len(list.EntityList[0]) + len(list.EntityList[1])
	for _, opt := range []repo.SmartSaveOption{repo.MaxDocuments(1), repo.MaxBytes(size - 1)} {
		_, err := r.SmartSave(t.Context(), list, opt)
		wantErr(t, err, repo.ErrTooMany)
	}
	for _, opt := range []repo.SmartSaveOption{repo.MaxDocuments(0), repo.MaxBytes(-1)} {
		_, err := r.SmartSave(t.Context(), list, opt)
		wantErr(t, err, repo.ErrInvalid)
	}
	stored(t, r)
	tooMany := docs(strings.Split(strings.Repeat("{}", repo.DefaultMaxDocuments)+"{}", "}{")...)
	_, err := r.SmartSave(t.Context(), tooMany)
	wantErr(t, err, repo.ErrTooMany)
	_, err = r.SmartSave(t.Context(), list, repo.MaxDocuments(2), repo.MaxBytes(size))
	noErr(t, err)
	stored(t, r, itemsOf("a", "b")...)
}

func smartSaveUnknownMembers(t *testing.T, h Harness) {
	r := h.items(t)
	text := `{"id":"a","sku":"s","at":"2024-02-29T12:00:00.125Z","_class":"com.example.Item"}`
	_, err := r.SmartSave(t.Context(), docs(text))
	noErr(t, err)
	stored(t, r, &Item{ID: "a", SKU: "s", At: noon()})
	_, err = r.SmartSave(t.Context(), docs(text), repo.RejectUnknown(true))
	wantNamed(t, err, repo.ErrInvalid, 0)
	_, err = r.SmartSave(t.Context(), docs(`{"id":"a","nope":"x"}`), repo.Merge())
	wantNamed(t, err, repo.ErrInvalid, 0)
	_, err = r.SmartSave(t.Context(), docs(`{"id":"a","nope":"x","grade":4}`), repo.Merge(), repo.RejectUnknown(false))
	noErr(t, err)
	stored(t, r, &Item{ID: "a", SKU: "s", At: noon(), Grade: 4})
}

func smartSaveDecoder(t *testing.T, h Harness) {
	r := h.items(t)
	decode := repo.WithDecoder(func(doc []byte, into *Item) error {
		if err := json.Unmarshal(doc, into); err != nil {
			return err
		}
		if into.Name == "" {
			return errors.New("a name is required")
		}
		into.Name = strings.ToUpper(into.Name)
		return nil
	})
	_, err := r.SmartSave(t.Context(), docs(document(t, item("a"))), decode)
	noErr(t, err)
	want := item("a")
	want.Name = "NAME OF A"
	stored(t, r, want)
	_, err = r.SmartSave(t.Context(), docs(document(t, item("b")), `{"id":"c"}`), decode)
	wantNamed(t, err, repo.ErrInvalid, 1)
	_, err = r.SmartSave(t.Context(), docs(`{"id":"a"}`), repo.WithDecoder(func([]byte, *Auto) error { return nil }))
	wantErr(t, err, repo.ErrInvalid)
	stored(t, r, want)
}

func smartSaveWithoutKey(t *testing.T, h Harness) {
	without(t, h.Features.TextKeys, "TextKeys")
	for _, opt := range []repo.SmartSaveOption{repo.Replace(), repo.Merge()} {
		r := h.items(t)
		_, err := r.SmartSave(t.Context(), docs(document(t, item("a")), `{"name":"x","at":"2024-02-29T12:00:00Z"}`), opt)
		wantBatch(t, err, repo.ErrInvalid, 1)
		stored(t, r)
	}
}

func smartSaveDuplicateValue(t *testing.T, h Harness) {
	need(t, h.Features.AtomicSaveAll, "AtomicSaveAll")
	for _, opt := range []repo.SmartSaveOption{repo.Replace(), repo.Merge()} {
		r := h.items(t)
		saveItems(t, r, itemsOf("a", "b")...)
		clash := item("b")
		clash.SKU = item("a").SKU
		_, err := r.SmartSave(t.Context(), docs(document(t, item("c")), document(t, clash)), opt)
		wantBatch(t, err, repo.ErrDuplicateKey, 1)
		stored(t, r, itemsOf("a", "b")...)
	}
}

func smartSaveCrossesBatches(t *testing.T, h Harness) {
	for _, opt := range []repo.SmartSaveOption{repo.Replace(), repo.Merge()} {
		r := h.items(t)
		list := numbered(h.large())
		saveItems(t, r, list[:len(list)/2]...)
		texts := make([]string, len(list))
		for i, e := range list {
			e.Name = fmt.Sprint("changed ", i)
			texts[i] = document(t, e)
		}
		out, err := r.SmartSave(t.Context(), docs(texts...), opt)
		noErr(t, err)
		inOrder(t, out, idsOf(list)...)
		all, err := r.Find(t.Context(), repo.F[Item, string]("ID").Asc())
		noErr(t, err)
		inOrder(t, all, idsOf(list)...)
		for i := range all {
			same(t, all[i], list[i])
			same(t, out[i], list[i])
		}
	}
}

func smartSaveVersions(t *testing.T, h Harness) {
	r := h.marked(t)
	e := marked(t, r, "a")
	out, err := r.SmartSave(t.Context(), docs(`{"id":"a","rev":1,"name":"x"}`, `{"id":"b","name":"y"}`))
	noErr(t, err)
	if len(out) != 2 || out[0].Rev != 2 || out[1].Rev != 1 {
		t.Fatalf("got %s", shown(out))
	}
	_, err = r.SmartSave(t.Context(), docs(`{"id":"a","rev":1,"name":"z"}`))
	wantErr(t, err, repo.ErrStale)
	got := get(t, r, "a")
	if got.Name != "x" || got.Rev != 2 {
		t.Fatalf("got %s", shown(got))
	}
	if d := got.Made.Sub(e.Made).Abs(); d >= 2e6 {
		t.Fatalf("created moved by %v", d)
	}
	recent(t, "updated", got.Seen)
}

// smartSaveWithoutVersion: a document that names no version, or 0, replaces what is
// stored in any version, and is inserted where nothing is. One that names a version is
// checked, and so is an entity that Save gets.
func smartSaveWithoutVersion(t *testing.T, h Harness) {
	r := h.marked(t)
	var texts []string
	for i, id := range []string{"a", "b", "c"} {
		e := marked(t, r, id)
		for range i {
			noErr(t, r.Save(t.Context(), e))
		}
		texts = append(texts, fmt.Sprintf(`{"id":%q,"name":"document"}`, id))
	}
	old := get(t, r, "c")
	out, err := r.SmartSave(t.Context(), docs(append(texts, `{"id":"new","name":"document"}`)...))
	noErr(t, err)
	for i, want := range map[int]int64{0: 2, 1: 3, 2: 4, 3: 1} {
		if got := get(t, r, out[i].ID); out[i].Rev != want || got.Rev != want || got.Name != "document" {
			t.Errorf("element %d: got %s, stored is %s, want version %d", i, shown(out[i]), shown(got), want)
		}
	}
	if got := get(t, r, "c"); !got.Made.Equal(old.Made) || out[2].Made.Sub(old.Made).Abs() >= 2e6 {
		t.Errorf("created at %v, then %v, and the answer says %v", old.Made, got.Made, out[2].Made)
	}
	noErr(t, r.DeleteByID(t.Context(), "new"))
	for text, want := range map[string]error{
		`{"id":"a","name":"zero","rev":0}`:    nil,
		`{"id":"b","name":"null","rev":null}`: nil,
		`{"id":"c","name":"named","rev":4}`:   nil,
		`{"id":"c","name":"late","rev":3}`:    repo.ErrStale,
		`{"id":"d","name":"gone","rev":1}`:    repo.ErrStale,
	} {
		if _, err := r.SmartSave(t.Context(), docs(text)); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", text, err, want)
		}
	}
	if _, err := r.SmartSave(t.Context(), docs(`{"id":"new","name":"again"}`)); !errors.Is(err, repo.ErrDuplicateKey) && !errors.Is(err, repo.ErrNotFound) {
		t.Errorf("a document of a deleted entity: %v, want ErrDuplicateKey or ErrNotFound", err)
	}
	nobody(t, r, "new")
	wantErr(t, r.Save(t.Context(), &Marked{ID: "a", Name: "new"}), repo.ErrDuplicateKey)
	wantErr(t, r.SaveAll(t.Context(), []*Marked{{ID: "a", Name: "new"}}), repo.ErrDuplicateKey)
}

// smartSaveWithoutVersionInTx: the same where a write that fails ends the transaction.
func smartSaveWithoutVersionInTx(t *testing.T, h Harness) {
	r := h.marked(t)
	tx := transactor(t, h, r)
	noErr(t, r.Save(t.Context(), marked(t, r, "a")))
	noErr(t, tx.InTx(t.Context(), func(ctx context.Context) error {
		_, err := r.SmartSave(ctx, docs(`{"id":"a","name":"document"}`, `{"id":"b","name":"document"}`))
		return err
	}))
	if got := get(t, r, "a"); got.Name != "document" || got.Rev != 3 {
		t.Fatalf("stored is %s", shown(got))
	}
	count(t, r, 2)
}
