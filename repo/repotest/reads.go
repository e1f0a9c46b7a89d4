package repotest

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
)

func oneOfSeveral(t *testing.T, h Harness) {
	r := shop(t, h)
	stock, price := repo.F[Item, int64]("Stock"), repo.F[Item, float64]("Price")
	e, err := repo.FindOne(t.Context(), r, stock.Ge(1), price.Desc())
	noErr(t, err)
	inOrder(t, []*Item{e}, "f")
	e, err = repo.FindOne(t.Context(), r, stock.Ge(1), price.Desc(), repo.Offset(1), repo.Limit(7))
	noErr(t, err)
	inOrder(t, []*Item{e}, "c")
	e, err = repo.FindOne(t.Context(), r, stock.Eq(1))
	noErr(t, err)
	if e.ID != "c" && e.ID != "d" {
		t.Fatalf("got %s", shown(e))
	}
	if e, err = repo.FindOne(t.Context(), r, stock.Eq(99)); e != nil {
		t.Fatalf("got %s", shown(e))
	}
	wantErr(t, err, repo.ErrNotFound)
	_, err = repo.FindOne(t.Context(), r, repo.F[Item, string]("Nope").Eq("x"))
	wantErr(t, err, repo.ErrInvalid)
}

func oneExists(t *testing.T, h Harness) {
	r := shop(t, h)
	stock := repo.F[Item, int64]("Stock")
	for n, want := range map[int64]bool{0: true, 2: true, 3: false} {
		got, err := repo.Exists(t.Context(), r, stock.Eq(n))
		noErr(t, err)
		if got != want {
			t.Fatalf("exists with stock %d: %t", n, got)
		}
	}
	_, err := repo.Exists(t.Context(), r, repo.F[Item, string]("Nope").Eq("x"))
	wantErr(t, err, repo.ErrInvalid)
}

func pageByPage(t *testing.T, h Harness) {
	r := shop(t, h)
	stock := repo.F[Item, int64]("Stock") // 0 0 1 1 2 2: the key decides between equal ones
	for i, c := range []struct {
		want []string
		next bool
	}{
		{[]string{"e", "f", "c", "d"}, true},
		{[]string{"a", "b"}, false},
		{nil, false},
	} {
		p, err := repo.FindPage(t.Context(), r, repo.PageRequest{Number: i, Size: 4, Total: true}, stock.Desc())
		noErr(t, err)
		inOrder(t, p.Items, c.want...)
		if p.HasNext != c.next || p.Number != i || p.Size != 4 || p.Total == nil || *p.Total != 6 || p.Items == nil {
			t.Fatalf("page %d: %+v", i, p)
		}
	}
	p, err := repo.FindPage(t.Context(), r, repo.PageRequest{Size: 2}, stock.Eq(1))
	noErr(t, err)
	inOrder(t, p.Items, "c", "d")
	if p.HasNext || p.Total != nil {
		t.Fatalf("got %+v", p)
	}
}

func pageRefusesWhatIsWrong(t *testing.T, h Harness) {
	r := shop(t, h)
	for name, p := range map[string]repo.PageRequest{
		"no size":    {},
		"negative":   {Number: -1, Size: 1},
		"huge size":  {Size: repo.MaxPageSize + 1},
		"less":       {Size: -1},
		"huge":       {Number: math.MaxInt32, Size: 2},
		"very huge":  {Number: math.MaxInt, Size: 2},
		"most of it": {Number: math.MinInt, Size: repo.MaxPageSize},
	} {
		if _, err := repo.FindPage(t.Context(), r, p); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, q := range badOptions() {
		if _, err := repo.FindPage(t.Context(), r, repo.PageRequest{Size: 1}, q); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	p, err := repo.FindPage(t.Context(), r, repo.PageRequest{Number: math.MaxInt32 / repo.MaxPageSize, Size: repo.MaxPageSize})
	noErr(t, err)
	inOrder(t, p.Items)
}

// badOptions are those that neither a page nor a window takes.
func badOptions() map[string]repo.Option {
	return map[string]repo.Option{
		"limit":          repo.Limit(1),
		"offset":         repo.Offset(1),
		"bad limit":      repo.Limit(0),
		"unknown field":  repo.F[Item, string]("Nope").Eq("x"),
		"unknown sort":   repo.F[Item, string]("Nope").Asc(),
		"foreign handle": repo.F[Auto, string]("Name").Eq("x"),
		"foreign sort":   repo.F[Auto, string]("Name").Asc(),
		"nil":            nil,
	}
}

func pluckGivesOneField(t *testing.T, h Harness) {
	r := shop(t, h) // b and d have no note
	id := repo.F[Item, string]("ID")
	wantList(t, []string{"apple", "apricot", "100% juice"}, repo.F[Item, string]("Name"), r, id.Asc(), repo.Limit(3))
	wantList(t, []string{"f", "e"}, id, r, id.Desc(), repo.Limit(2))
	wantList(t, []string{"note of a", "", "note of c"}, repo.F[Item, string]("Note"), r, id.Asc(), repo.Limit(3))
	wantList(t, []int64{0, -1, -2}, repo.F[Item, int64]("Grade"), r, id.Asc(), repo.Limit(3))
	wantList(t, []string{"red"}, repo.F[Item, string]("Box.Colour"), r, id.Eq("a"))
	wantList(t, []int8{2}, repo.F[Item, int8]("Box.Width"), r, id.Eq("a"))
	wantList(t, []string{}, id, r, id.Eq("none"))
	notes, err := repo.Pluck(t.Context(), r, repo.F[Item, *string]("Note"), id.In("a", "b"), id.Asc())
	noErr(t, err)
	if len(notes) != 2 || notes[0] == nil || *notes[0] != "note of a" || notes[1] != nil {
		t.Fatalf("got %v", notes)
	}
	at, err := repo.Pluck(t.Context(), r, repo.F[Item, time.Time]("At"), id.Eq("a"))
	noErr(t, err)
	if len(at) != 1 || !at[0].Equal(noon()) {
		t.Fatalf("got %v", at)
	}
	tags, err := repo.Pluck(t.Context(), r, repo.F[Item, []string]("Tags"), id.Eq("a"))
	noErr(t, err)
	if len(tags) != 1 || !slices.Equal(tags[0], []string{"b", "a"}) {
		t.Fatalf("got %v", tags)
	}
}

func pluckRefusesWhatIsWrong(t *testing.T, h Harness) {
	r := shop(t, h)
	_, err := repo.Pluck(t.Context(), r, repo.F[Item, string]("Nope"))
	wantErr(t, err, repo.ErrInvalid)
	_, err = repo.Pluck(t.Context(), r, repo.F[Item, string]("Stock"))
	wantErr(t, err, repo.ErrInvalid)
	_, err = repo.Pluck(t.Context(), r, repo.F[Item, uint8]("Grade")) // negative ones
	wantErr(t, err, repo.ErrInvalid)
	_, err = repo.Pluck(t.Context(), r, repo.F[Item, string]("ID"), repo.F[Item, string]("Nope").Eq("x"))
	wantErr(t, err, repo.ErrInvalid)
}

// wantList wants Pluck to give these.
func wantList[V comparable](t *testing.T, want []V, f repo.Field[Item, V], r repo.Repository[Item], q ...repo.Option) {
	t.Helper()
	got, err := repo.Pluck(t.Context(), r, f, q...)
	noErr(t, err)
	if !slices.Equal(got, want) || got == nil {
		t.Fatalf("%s: got %v, want %v", f.Name(), got, want)
	}
}

func readsOfDeletedOnes(t *testing.T, h Harness) {
	need(t, h.Features.Reader, "Reader")
	r := h.marked(t)
	a, b := &Marked{ID: "a", Name: "x"}, &Marked{ID: "b", Name: "x"}
	noErr(t, r.SaveAll(t.Context(), []*Marked{a, b}))
	noErr(t, r.DeleteByID(t.Context(), "a"))
	for e, err := range repo.Stream(t.Context(), r) {
		noErr(t, err)
		if e.ID == "a" {
			t.Error("the stream has a deleted one")
		}
	}
	names, err := repo.Pluck(t.Context(), r, repo.F[Marked, string]("ID"))
	noErr(t, err)
	n, err := repo.Sum(t.Context(), r, repo.F[Marked, int64]("Rev"))
	noErr(t, err)
	if !slices.Equal(names, []string{"b"}) || n != b.Rev {
		t.Errorf("plucked %v, sum %d", names, n)
	}
	if there, err := repo.Exists(t.Context(), r, repo.F[Marked, string]("ID").Eq("a")); err != nil || there {
		t.Errorf("the deleted one exists: %t, %v", there, err)
	}
}
