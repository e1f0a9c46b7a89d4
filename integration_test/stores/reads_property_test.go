package stores_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/samber/lo"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

// anySorts draws sort keys of any field, texts too: each store is compared with itself.
func anySorts(t *rapid.T) ([]repo.Option, string) {
	by, shown := sorts(t)
	if rapid.Bool().Draw(t, "by text") {
		name := rapid.SampledFrom([]string{"Name", "Note", "Box.Colour", "ID"}).Draw(t, "text")
		f := repo.F[repotest.Item, string](name)
		s := rapid.SampledFrom([]repo.Sort{f.Asc(), f.Desc(), f.Asc().NullsLast(), f.Desc().NullsFirst()}).Draw(t, "direction")
		by, shown = append([]repo.Option{s}, by...), fmt.Sprintf(" by %s %+v%s", name, s, shown)
	}
	return by, shown
}

// TestRandomWindows walks all windows of random queries, and a stream of them: they are what
// Find finds.
func TestRandomWindows(t *testing.T) {
	t.Parallel()
	stores, model := queriedStores(t)
	stores["Memory"] = model
	cursors := lo.Must(repo.NewCursors(bytes.Repeat([]byte{7}, repo.MinCursorKey)))
	refused := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		c, shown := cond(rt, 2)
		by, order := anySorts(rt)
		q := append([]repo.Option{c}, by...)
		size := rapid.IntRange(1, 25).Draw(rt, "size")
		for name, r := range stores {
			want, _ := answerOf(t, r, q)
			if want == "unsupported" || want == "invalid" {
				refused[name]++
				continue
			}
			if got := windowsOf(t, r, cursors, size, q); got != want {
				rt.Errorf("%s: %s%s, windows of %d\n got %s\nwant %s", name, shown, order, size, got, want)
			}
			if got := streamOf(t, r, q); got != want {
				rt.Errorf("%s: %s%s, stream\n got %s\nwant %s", name, shown, order, got, want)
			}
		}
	})
	t.Logf("refused: %v", refused)
}

func windowsOf(t *testing.T, r repo.Repository[repotest.Item], c *repo.Cursors, size int, q []repo.Option) string {
	t.Helper()
	var ids []string
	w := repo.Window[repotest.Item]{}
	for {
		var err error
		w, err = repo.FindWindow(t.Context(), r, c, repo.WindowRequest{Size: size, After: w.Next}, q...)
		check.Must(t, err)
		for _, e := range w.Items {
			ids = append(ids, e.ID)
		}
		if w.Next == "" || len(ids) > 1000 {
			return strings.Join(ids, " ")
		}
	}
}

func streamOf(t *testing.T, r repo.Repository[repotest.Item], q []repo.Option) string {
	t.Helper()
	var ids []string
	for e, err := range repo.Stream(t.Context(), r, q...) {
		check.Must(t, err)
		ids = append(ids, e.ID)
	}
	return strings.Join(ids, " ")
}

// figures are what all groups have.
type figures struct {
	Items    int        `holdfast:"count"`
	Stock    int64      `holdfast:"sum Stock"`
	Price    float64    `holdfast:"sum Price"`
	Width    int64      `holdfast:"sum Box.Width"`
	LowPrice float64    `holdfast:"min Price"`
	TopStock *int64     `holdfast:"max Stock"`
	TopWidth *int       `holdfast:"max Box.Width"`
	First    time.Time  `holdfast:"min At"`
	LastDue  *time.Time `holdfast:"max Due"`
}

// grouping asks for the groups of some fields.
type grouping struct {
	name string
	ask  func(t *testing.T, r repo.Repository[repotest.Item], q []repo.Option) string
}

// groupsBy shows the groups of P, in an order of their texts: collations differ.
func groupsBy[P any](name string) grouping {
	p := repo.MustProjection[repotest.Item, P]()
	return grouping{name, func(t *testing.T, r repo.Repository[repotest.Item], q []repo.Option) string {
		t.Helper()
		groups, err := repo.Project(t.Context(), r, p, q...)
		switch {
		case errors.Is(err, repo.ErrInvalid):
			return "invalid"
		case errors.Is(err, repo.ErrUnsupported):
			return "unsupported"
		}
		check.Must(t, err)
		lines := lo.Map(groups, func(g P, _ int) string { return string(lo.Must(json.Marshal(g))) })
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}}
}

func groupings() []grouping {
	return []grouping{
		groupsBy[figures]("nothing"),
		groupsBy[struct {
			Active bool
			N      int   `holdfast:"count"`
			Stock  int64 `holdfast:"sum Stock"`
		}]("Active"),
		groupsBy[struct {
			Name  string
			Items int     `holdfast:"count"`
			Price float64 `holdfast:"sum Price"`
		}]("Name"),
		groupsBy[struct {
			Note  *string
			Grade int32
			Items int        `holdfast:"count"`
			Due   *time.Time `holdfast:"min Due"`
			Width *int       `holdfast:"min Box.Width"`
		}]("Note and Grade"),
		groupsBy[struct {
			Due   *time.Time
			Top   float64 `holdfast:"max Price"`
			Items int     `holdfast:"count"`
		}]("Due"),
		groupsBy[struct {
			Colour string `holdfast:"Box.Colour"`
			Width  int    `holdfast:"Box.Width"`
			Items  int    `holdfast:"count"`
			Stock  int64  `holdfast:"sum Stock"`
		}]("Box"),
	}
}

// TestRandomGroups asks every store for the same groups and wants those of memory.
func TestRandomGroups(t *testing.T) {
	t.Parallel()
	stores, model := queriedStores(t)
	refused := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		c, shown := cond(rt, 2)
		by := rapid.SampledFrom(groupings()).Draw(rt, "groups")
		want := by.ask(t, model, []repo.Option{c})
		for name, r := range stores {
			switch got := by.ask(t, r, []repo.Option{c}); {
			case got == "unsupported":
				refused[name]++
			case got != want:
				rt.Errorf("%s: by %s of %s\n got %s\nwant %s", name, by.name, shown, got, want)
			}
		}
	})
	t.Logf("refused: %v", refused)
}
