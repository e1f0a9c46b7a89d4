package repotest

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

// allDefaults and noDefaults are the values but for the key.
const (
	allDefaults = "18 true abc true 0"
	noDefaults  = "0 false  nil 0"
)

func valuesOf(e *Defaulted) string {
	opt := "nil"
	if e.Opt != nil {
		opt = strconv.FormatBool(*e.Opt)
	}
	return fmt.Sprintf("%v %v %s %s %v", e.Age, e.On, e.Kind, opt, e.Plain)
}

// hasValues wants the values of what a call returned, and of what is stored.
func hasValues(t *testing.T, r repo.Repository[Defaulted], e *Defaulted, want string) {
	t.Helper()
	if got := valuesOf(e); got != want {
		t.Errorf("%s is %s after the call, want %s", e.ID, got, want)
	}
	if got := valuesOf(get(t, r, e.ID)); got != want {
		t.Errorf("%s is stored as %s, want %s", e.ID, got, want)
	}
}

// defaultsOfNewOnes: a zero value stands for the default, as in GORM's Create.
func defaultsOfNewOnes(t *testing.T, h Harness) {
	r := from(t, "Defaulted", h.Defaulted)
	one, off := &Defaulted{ID: "one"}, false
	noErr(t, r.Save(t.Context(), one))
	hasValues(t, r, one, allDefaults)
	list := []*Defaulted{{ID: "a"}, {ID: "b", Age: 3, Plain: 1}, {ID: "c", Opt: &off, Kind: "own"}, {ID: "d"}}
	noErr(t, r.SaveAll(t.Context(), list))
	for i, want := range []string{allDefaults, "3 true abc true 1", "18 true own false 0", allDefaults} {
		hasValues(t, r, list[i], want)
	}
	out, err := r.SmartSave(t.Context(), docs(`{"id":"e"}`, `{"id":"f","plain":2}`))
	noErr(t, err)
	hasValues(t, r, out[0], allDefaults)
	hasValues(t, r, out[1], "18 true abc true 2")
}

// defaultsOfStoredOnes: the zero value stands for itself.
func defaultsOfStoredOnes(t *testing.T, h Harness) {
	r := from(t, "Defaulted", h.Defaulted)
	noErr(t, r.SaveAll(t.Context(), []*Defaulted{{ID: "a"}, {ID: "b"}, {ID: "c"}}))
	a := &Defaulted{ID: "a"}
	noErr(t, r.Save(t.Context(), a))
	hasValues(t, r, a, noDefaults)
	list := []*Defaulted{{ID: "new"}, {ID: "b"}}
	noErr(t, r.SaveAll(t.Context(), list))
	hasValues(t, r, list[0], allDefaults)
	hasValues(t, r, list[1], noDefaults)
	out, err := r.SmartSave(t.Context(), docs(`{"id":"c"}`))
	noErr(t, err)
	hasValues(t, r, out[0], noDefaults)
}

// defaultsYieldToDocuments: what a document gives is meant, zero or not.
func defaultsYieldToDocuments(t *testing.T, h Harness) {
	r := from(t, "Defaulted", h.Defaulted)
	for mode, opts := range map[string][]repo.SmartSaveOption{"replace": nil, "merge": {repo.Merge()}, "non-null": {repo.MergeNonNull()}} {
		null := map[bool]string{true: "true", false: "nil"}[mode == "non-null"]
		for i, c := range [][2]string{
			{`"on":false`, "18 false abc true 0"},
			{`"on":false,"age":0,"plain":1`, "0 false abc true 1"},
			{`"kind":"","on":true`, "18 true  true 0"},
			{`"opt":null`, "18 true abc " + null + " 0"},
			{`"opt":false`, "18 true abc false 0"},
		} {
			id := fmt.Sprint(mode, i)
			out, err := r.SmartSave(t.Context(), docs(fmt.Sprintf(`{"id":%q,%s}`, id, c[0]), fmt.Sprintf(`{"id":%q}`, id+"b")), opts...)
			noErr(t, err)
			hasValues(t, r, out[0], c[1])
			hasValues(t, r, out[1], allDefaults)
		}
	}
}

// defaultsCanBeCleared by every way to change what is stored.
func defaultsCanBeCleared(t *testing.T, h Harness) {
	r := from(t, "Defaulted", h.Defaulted)
	noErr(t, r.SaveAll(t.Context(), []*Defaulted{{ID: "a"}, {ID: "b"}}))
	out, err := r.SmartSave(t.Context(), docs(`{"id":"a","on":false,"age":0,"kind":"","opt":null}`), repo.Merge())
	noErr(t, err)
	hasValues(t, r, out[0], noDefaults)
	u, ok := repo.As[repo.Updater[Defaulted]](r)
	need(t, ok, "Update")
	b, err := u.Update(t.Context(), "b", func(e *Defaulted) error {
		*e = Defaulted{ID: e.ID}
		return nil
	})
	noErr(t, err)
	hasValues(t, r, b, noDefaults)
}
