package repotest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

// by is a context under which somebody writes.
func by(t *testing.T, name string) context.Context {
	t.Helper()
	return repo.WithActor(t.Context(), name)
}

// byAnnAnd checks who last saved what Ann created, as it is stored and as e says it.
func byAnnAnd(t *testing.T, r repo.Repository[Stamped], e *Stamped, editor string) {
	t.Helper()
	for _, got := range []*Stamped{e, get(t, r, "a")} {
		if got != nil && (got.Maker != "ann" || got.Editor == nil || *got.Editor != editor) {
			t.Fatalf("got %s, want one created by ann and last saved by %q", shown(got), editor)
		}
	}
}

func actorsOfSaves(t *testing.T, h Harness) {
	r := from(t, "Stamped", h.Stamped)
	e := &Stamped{ID: "a"}
	noErr(t, r.Save(by(t, "ann"), e))
	byAnnAnd(t, r, e, "ann")
	e.Maker = "forged"
	noErr(t, r.Save(by(t, "bob"), e))
	byAnnAnd(t, r, e, "bob")
	noErr(t, r.SaveAll(by(t, "carl"), []*Stamped{e, {ID: "b"}}))
	byAnnAnd(t, r, e, "carl")
	if b := get(t, r, "b"); b.Maker != "carl" {
		t.Errorf("b was created by %q", b.Maker)
	}
	e.Name = "by nobody"
	noErr(t, r.Save(t.Context(), e))
	byAnnAnd(t, r, e, "carl")
	noErr(t, r.Save(by(t, "dan"), &Stamped{ID: "c", Maker: "imported"}))
	if c := get(t, r, "c"); c.Maker != "imported" || c.Editor == nil || *c.Editor != "dan" {
		t.Errorf("got %s", shown(c))
	}
	if h.Features.Update {
		u, err := updater(t, h, r).Update(by(t, "eve"), "a", func(e *Stamped) error { e.Name = "x"; return nil })
		noErr(t, err)
		byAnnAnd(t, r, u, "eve")
	}
}

func actorsOfDocuments(t *testing.T, h Harness) {
	r := from(t, "Stamped", h.Stamped)
	save := func(name, doc string, opt repo.SmartSaveOption) *Stamped {
		t.Helper()
		out, err := r.SmartSave(by(t, name), docs(doc), opt)
		noErr(t, err)
		return out[0]
	}
	byAnnAnd(t, r, save("ann", `{"id":"a","name":"x"}`, repo.Merge()), "ann")
	byAnnAnd(t, r, save("bob", `{"id":"a","name":"x"}`, repo.Merge()), "ann") // nothing has changed
	byAnnAnd(t, r, save("bob", `{"id":"a","name":"y"}`, repo.Merge()), "bob")
	byAnnAnd(t, r, save("carl", `{"id":"a","name":"y"}`, repo.Replace()), "carl")
}

func actorsOfWriters(t *testing.T, h Harness) {
	r := from(t, "Stamped", h.Stamped)
	w := writer(t, h, r)
	e := &Stamped{ID: "a", Name: "n"}
	noErr(t, w.Insert(by(t, "ann"), e))
	byAnnAnd(t, r, e, "ann")
	name := repo.F[Stamped, string]("Name")
	n, err := w.UpdateWhere(by(t, "bob"), name.Eq("n"), name.Set("m"))
	wantN(t, n, err, 1)
	byAnnAnd(t, r, nil, "bob")
	n, err = w.UpdateWhere(t.Context(), name.Eq("m"), name.Set("n"))
	wantN(t, n, err, 1)
	byAnnAnd(t, r, nil, "bob")
	up := &Stamped{ID: "other", Name: "n"}
	_, err = w.UpsertBy(by(t, "carl"), []*Stamped{up}, name)
	noErr(t, err)
	byAnnAnd(t, r, up, "carl")
	noErr(t, w.Insert(t.Context(), &Stamped{ID: "nobody's", Name: "o"}))
	up = &Stamped{ID: "other", Name: "o", Maker: "forged"}
	_, err = w.UpsertBy(by(t, "carl"), []*Stamped{up}, name)
	noErr(t, err)
	if got := get(t, r, "nobody's"); got.Maker != "" || up.Maker != "" {
		t.Errorf("an entity that nobody created was overwritten: got %s and %s", shown(got), shown(up))
	}
}

// actorsOfAnotherType: an actor that the field cannot hold is refused before anything is
// written.
func actorsOfAnotherType(t *testing.T, h Harness) {
	r := from(t, "Stamped", h.Stamped)
	e := &Stamped{ID: "a"}
	noErr(t, r.Save(by(t, "ann"), e))
	wrong := repo.WithActor(t.Context(), 7)
	wantErr(t, r.Save(wrong, &Stamped{ID: "b"}), repo.ErrInvalid)
	wantErr(t, r.SaveAll(wrong, []*Stamped{{ID: "b"}, {ID: "c"}}), repo.ErrInvalid)
	_, err := r.SmartSave(wrong, docs(`{"id":"a","name":"x"}`), repo.Merge())
	wantErr(t, err, repo.ErrInvalid)
	nobody(t, r, "b")
	nobody(t, r, "c")
	if h.Features.Writer {
		name := repo.F[Stamped, string]("Name")
		_, err = writer(t, h, r).UpdateWhere(wrong, name.Eq(""), name.Set("x"))
		wantErr(t, err, repo.ErrInvalid)
		if _, ok := errors.AsType[*repo.BatchError](err); ok || !strings.Contains(err.Error(), "Editor") {
			t.Errorf("got %v, want the field that would be written and no element", err)
		}
	}
	byAnnAnd(t, r, e, "ann")
}
