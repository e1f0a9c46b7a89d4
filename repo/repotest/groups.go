package repotest

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
)

// label is a smaller item.
type label struct {
	ID     string
	Colour string `holdfast:"Box.Colour"`
	Note   *string
	Ignore int `holdfast:"-"`
}

// sums are those of the items with one Active and one Note.
type sums struct {
	Active bool
	Note   *string
	Items  int        `holdfast:"count"`
	Stock  int64      `holdfast:"sum Stock"`
	Grade  int32      `holdfast:"sum Grade"`
	Price  float64    `holdfast:"sum Price"`
	Width  int64      `holdfast:"sum Box.Width"`
	Low    float64    `holdfast:"min Price"`
	First  time.Time  `holdfast:"min At"`
	Last   *time.Time `holdfast:"max Due"`
	Name   string     `holdfast:"max ID"`
}

func projectToASmallerStruct(t *testing.T, h Harness) {
	r := shop(t, h)
	got, err := repo.Project(t.Context(), r, repo.MustProjection[Item, label](), repo.F[label, string]("ID").Desc(), repo.Limit(3))
	noErr(t, err)
	if len(got) != 3 || got[0].ID != "f" || got[1].ID != "e" || got[2].ID != "d" || got[0].Colour != "red" ||
		got[2].Note != nil || got[0].Note == nil || *got[0].Note != "note of f" {
		t.Fatalf("got %+v", got)
	}
	got, err = repo.Project(t.Context(), r, repo.MustProjection[Item, label](), repo.F[Item, int64]("Stock").Eq(99))
	noErr(t, err)
	if len(got) != 0 || got == nil {
		t.Fatalf("got %+v", got)
	}
}

func projectToGroups(t *testing.T, h Harness) {
	need(t, h.Features.Reader, "Reader")
	r := shop(t, h)
	for i, id := range []string{"a", "c", "e", "f"} { // a, c and e are active, b and d have no note
		e := get(t, r, id)
		e.Note = new([]string{"x", "y", "x", "X"}[i])
		saveItems(t, r, e)
	}
	got, err := repo.Project(t.Context(), r, repo.MustProjection[Item, sums](),
		repo.F[Item, string]("Note").Asc(), repo.F[sums, string]("Name").Desc())
	noErr(t, err)
	if len(got) != 4 {
		t.Fatalf("got %d groups: %+v", len(got), got)
	}
	byName := map[string]sums{}
	for _, g := range got {
		byName[g.Name] = g
	}
	if got[0].Note != nil || got[0].Active {
		t.Errorf("the group without a note is not first: %+v", got[0])
	}
	wantGroup(t, byName["d"], sums{Items: 2, Stock: 1, Grade: -4, Price: 2.5, Width: 4, Low: 0, First: noon().AddDate(0, 0, 1)})
	wantGroup(t, byName["e"], sums{
		Active: true, Note: new("x"), Items: 2, Stock: 2, Grade: -4, Price: 0.5, Width: 4, Low: -1,
		First: noon(), Last: new(noon().Add(time.Hour)),
	})
	wantGroup(t, byName["f"], sums{
		Note: new("X"), Items: 1, Stock: 2, Grade: -5, Price: 9.75, Width: 2, Low: 9.75,
		First: noon().AddDate(0, 0, 5), Last: new(noon().Add(time.Hour)),
	})
}

func wantGroup(t *testing.T, got, want sums) {
	t.Helper()
	got.Name = ""
	same(t, &got, &want)
}

func projectOfNone(t *testing.T, h Harness) {
	need(t, h.Features.Reader, "Reader")
	r := h.items(t)
	got, err := repo.Project(t.Context(), r, repo.MustProjection[Item, sums]())
	noErr(t, err)
	if len(got) != 0 || got == nil {
		t.Fatalf("got %+v", got)
	}
	type all struct {
		N   int64    `holdfast:"count"`
		Sum int64    `holdfast:"sum Stock"`
		Max *float64 `holdfast:"max Price"`
		Min string   `holdfast:"min Name"`
	}
	one, err := repo.Project(t.Context(), r, repo.MustProjection[Item, all]())
	noErr(t, err)
	if len(one) != 1 || one[0] != (all{}) {
		t.Fatalf("got %+v", one)
	}
}

func projectSortsAndCutsGroups(t *testing.T, h Harness) {
	need(t, h.Features.Reader, "Reader")
	r := shop(t, h)
	type shelf struct {
		Stock int64
		Price float64 `holdfast:"sum Price"`
	}
	p := repo.MustProjection[Item, shelf]()
	price := repo.F[shelf, float64]("Price")
	for _, c := range []struct {
		want []shelf
		q    []repo.Option
	}{
		{[]shelf{{2, 8.75}, {0, 4}, {1, 0.5}}, []repo.Option{price.Desc()}},
		{[]shelf{{0, 4}, {2, 8.75}}, []repo.Option{price.Asc(), repo.Offset(1)}},
		{[]shelf{{1, 0.5}}, []repo.Option{price.Asc(), repo.Limit(1)}},
		{[]shelf{{1, 0.5}}, []repo.Option{repo.F[Item, int64]("Stock").Asc(), repo.Limit(1), repo.Offset(1)}},
		{[]shelf{{2, 9.75}}, []repo.Option{repo.F[Item, float64]("Price").Gt(3)}},
		{[]shelf{}, []repo.Option{price.Asc(), repo.Offset(3)}},
	} {
		got, err := repo.Project(t.Context(), r, p, c.q...)
		noErr(t, err)
		if !slices.Equal(got, c.want) {
			t.Errorf("got %v, want %v", got, c.want)
		}
	}
}

func projectRefusesWhatIsWrong(t *testing.T, h Harness) {
	need(t, h.Features.Reader, "Reader")
	r := shop(t, h)
	_, err := repo.Project(t.Context(), r, repo.Projection[Item, label]{})
	wantErr(t, err, repo.ErrInvalid)
	for name, q := range map[string]repo.Option{
		"sort that is no group": repo.F[Item, string]("Name").Asc(),
		"sort of the result":    repo.F[sums, string]("Nope").Asc(),
		"sort of another type":  repo.F[label, string]("ID").Asc(),
		"unknown field":         repo.F[Item, string]("Nope").Eq("x"),
		"condition on a sum":    repo.F[sums, int64]("Stock").Gt(1),
		"bad limit":             repo.Limit(0),
		"nil":                   nil,
	} {
		if _, err := repo.Project(t.Context(), r, repo.MustProjection[Item, sums](), q); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, q := range map[string]repo.Option{
		"sort of another type": repo.F[sums, string]("Name").Asc(),
		"sort of the result":   repo.F[label, string]("Nope").Asc(),
		"unknown field":        repo.F[Item, string]("Nope").Eq("x"),
	} {
		if _, err := repo.Project(t.Context(), r, repo.MustProjection[Item, label](), q); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	type tagged struct {
		Tags []string
		N    int `holdfast:"count"`
	}
	_, err = repo.Project(t.Context(), r, repo.MustProjection[Item, tagged]())
	wantErr(t, err, repo.ErrUnsupported)
	type flags struct {
		Any bool `holdfast:"max Active"`
	}
	_, err = repo.Project(t.Context(), r, repo.MustProjection[Item, flags]())
	wantErr(t, err, repo.ErrUnsupported)
}

func sumMinAndMax(t *testing.T, h Harness) {
	need(t, h.Features.Reader, "Reader")
	r := shop(t, h)
	stock, price, note := repo.F[Item, int64]("Stock"), repo.F[Item, float64]("Price"), repo.F[Item, string]("Note")
	n, err := repo.Sum(t.Context(), r, stock, repo.F[Item, bool]("Active").Eq(false), price.Desc())
	noErr(t, err)
	x, err := repo.Sum(t.Context(), r, price)
	noErr(t, err)
	none, err := repo.Sum(t.Context(), r, price, stock.Eq(99))
	noErr(t, err)
	if n != 3 || x != 13.25 || none != 0 {
		t.Errorf("sums are %d, %g, %g", n, x, none)
	}
	low, err := repo.Min(t.Context(), r, note)
	noErr(t, err)
	high, err := repo.Max(t.Context(), r, note, price.Lt(1))
	noErr(t, err)
	due, err := repo.Max(t.Context(), r, repo.F[Item, time.Time]("Due"))
	noErr(t, err)
	if low != "note of a" || high != "note of e" || !due.Equal(noon().Add(time.Hour)) {
		t.Errorf("got %q, %q, %v", low, high, due)
	}
	_, err = repo.Min(t.Context(), r, note, repo.F[Item, string]("ID").In("b", "d"))
	wantErr(t, err, repo.ErrNotFound)
	_, err = repo.Max(t.Context(), r, note, stock.Eq(99))
	wantErr(t, err, repo.ErrNotFound)
}

func sumRefusesWhatIsWrong(t *testing.T, h Harness) {
	need(t, h.Features.Reader, "Reader")
	r := shop(t, h)
	_, err := repo.Sum(t.Context(), r, repo.F[Item, int64]("Nope"))
	wantErr(t, err, repo.ErrInvalid)
	_, err = repo.Sum(t.Context(), r, repo.F[Item, int64]("Name"))
	wantErr(t, err, repo.ErrInvalid)
	_, err = repo.Sum(t.Context(), r, repo.F[Item, int64]("Stock"), repo.Limit(1))
	wantErr(t, err, repo.ErrInvalid)
	_, err = repo.Sum(t.Context(), r, repo.F[Item, uint8]("Grade"))
	wantErr(t, err, repo.ErrInvalid) // it is negative
	_, err = repo.Min(t.Context(), r, repo.F[Item, string]("Nope"))
	wantErr(t, err, repo.ErrInvalid)
	for _, id := range []string{"a", "b"} {
		e := get(t, r, id)
		e.Stock = math.MaxInt64
		saveItems(t, r, e)
	}
	if n, err := repo.Sum(t.Context(), r, repo.F[Item, int64]("Stock")); err == nil {
		t.Errorf("a sum beyond an int64 is %d", n)
	} else {
		wantErr(t, err, repo.ErrUnsupported)
	}
}
