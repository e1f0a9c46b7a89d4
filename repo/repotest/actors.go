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

// madeBy checks who created and who last saved what is stored and what e says of it.
func madeBy(t *testing.T, r repo.Repository[Stamped], e *Stamped, maker, editor string) {
	t.Helper()
	for _, got := range []*Stamped{e, get(t, r, "a")} {
		if got != nil && (got.Maker != maker || got.Editor == nil || *got.Editor != editor) {
			t.Fatalf("got %s, want one created by %q and last saved by %q", shown(got), maker, editor)
		}
	}
}

func actorsOfSaves(t *testing.T, h Harness) {
	r := from(t, "Stamped", h.Stamped)
	e := &Stamped{ID: "a"}
	noErr(t, r.Save(by(t, "ann"), e))
	madeBy(t, r, e, "ann", "ann")
	e.Maker = "forged"
	noErr(t, r.Save(by(t, "bob"), e))
	madeBy(t, r, e, "ann", "bob")
	noErr(t, r.SaveAll(by(t, "carl"), []*Stamped{e, {ID: "b"}}))
	madeBy(t, r, e, "ann", "carl")
	if b := get(t, r, "b"); b.Maker != "carl" {
		t.Errorf("b was created by %q", b.Maker)
	}
	e.Name = "by nobody"
	noErr(t, r.Save(t.Context(), e))
	madeBy(t, r, e, "ann", "carl")
	noErr(t, r.Save(by(t, "dan"), &Stamped{ID: "c", Maker: "imported"}))
	if c := get(t, r, "c"); c.Maker != "imported" || c.Editor == nil || *c.Editor != "dan" {
		t.Errorf("got %s", shown(c))
	}
	if h.Features.Update {
		u, err := updater(t, h, r).Update(by(t, "eve"), "a", func(e *Stamped) error { e.Name = "x"; return nil })
		noErr(t, err)
		madeBy(t, r, u, "ann", "eve")
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
	madeBy(t, r, save("ann", `{"id":"a","name":"x"}`, repo.Merge()), "ann", "ann")
	madeBy(t, r, save("bob", `{"id":"a","name":"x"}`, repo.Merge()), "ann", "ann") // nothing has changed
	madeBy(t, r, save("bob", `{"id":"a","name":"y"}`, repo.Merge()), "ann", "bob")
	madeBy(t, r, save("carl", `{"id":"a","name":"y"}`, repo.Replace()), "ann", "carl")
}

func actorsOfWriters(t *testing.T, h Harness) {
	r := from(t, "Stamped", h.Stamped)
	w := writer(t, h, r)
	e := &Stamped{ID: "a", Name: "n"}
	noErr(t, w.Insert(by(t, "ann"), e))
	madeBy(t, r, e, "ann", "ann")
	name := repo.F[Stamped, string]("Name")
	n, err := w.UpdateWhere(by(t, "bob"), name.Eq("n"), name.Set("m"))
	wantN(t, n, err, 1)
	madeBy(t, r, nil, "ann", "bob")
	n, err = w.UpdateWhere(t.Context(), name.Eq("m"), name.Set("n"))
	wantN(t, n, err, 1)
	madeBy(t, r, nil, "ann", "bob")
	up := &Stamped{ID: "other", Name: "n"}
	_, err = w.UpsertBy(by(t, "carl"), []*Stamped{up}, name)
	noErr(t, err)
	madeBy(t, r, up, "ann", "carl")
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
	madeBy(t, r, e, "ann", "ann")
}
