package stores_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/samber/lo"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/gormharness"
	"github.com/holdfast-go/holdfast/integration_test/internal/inmemory"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongoharness"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

// queried are the items that random queries look at: every text and number of the
// alphabets occurs, null too.
func queried() []*repotest.Item {
	var list []*repotest.Item
	texts := queryTexts()
	for i := range 60 {
		e := &repotest.Item{
			ID: fmt.Sprintf("i%02d", i), SKU: fmt.Sprintf("s%02d", i), Name: texts[i%len(texts)], Active: i%3 == 0,
			Stock: int64(i%7 - 3), Grade: int32(i % 4), Price: float64(i%9)/4 - 1, At: time.Date(2024, 1, 1+i%5, 0, 0, 0, 0, time.UTC),
			Box: repotest.Box{Width: i%5 - 2, Colour: texts[(i*7)%len(texts)]}, Tags: []string{}, Labels: map[string]string{},
		}
		if i%4 != 0 {
			e.Note = new(texts[(i*3)%len(texts)])
		}
		if i%3 != 0 {
			e.Due = new(e.At.AddDate(0, 0, i%2))
		}
		list = append(list, e)
	}
	return list
}

func queryTexts() []string {
	return []string{"", "a", "A", "aa", "ab", "Ab", "b", "B ", "b", "a%", "a_", "_", "%", `\`, `a\`, "'", `"`, "a*", "a?", "[a]", "a.", "é", "É", "aé", "ä", "日本", "a!b", "ab "}
}

// cond draws a condition. Text is not put into an order: that is the collation's matter.
func cond(t *rapid.T, depth int) (repo.Condition, string) {
	if kind := rapid.IntRange(0, 7).Draw(t, "kind"); depth > 0 && kind < 3 {
		if kind == 2 {
			c, text := cond(t, depth-1)
			return repo.Not(c), "not(" + text + ")"
		}
		var list []repo.Condition
		var texts []string
		for range rapid.IntRange(0, 3).Draw(t, "parts") {
			c, text := cond(t, depth-1)
			list, texts = append(list, c), append(texts, text)
		}
		if kind == 0 {
			return repo.And(list...), "and(" + strings.Join(texts, ", ") + ")"
		}
		return repo.Or(list...), "or(" + strings.Join(texts, ", ") + ")"
	}
	switch rapid.IntRange(0, 4).Draw(t, "type") {
	case 0:
		return number(t, lo.Must(repo.NewField[repotest.Item, int64](rapid.SampledFrom([]string{"Stock", "Box.Width"}).Draw(t, "field"))))
	case 1:
		return comparing(t, repo.MustField[repotest.Item, float64]("Price"), rapid.SampledFrom([]float64{-1, -0.5, 0, 0.25, 1}))
	case 2:
		name := rapid.SampledFrom([]string{"At", "Due"}).Draw(t, "field")
		return comparing(t, lo.Must(repo.NewField[repotest.Item, time.Time](name)), rapid.Custom(func(t *rapid.T) time.Time {
			return time.Date(2024, 1, rapid.IntRange(1, 6).Draw(t, "day"), 0, 0, 0, 0, time.UTC)
		}))
	default:
		return text(t)
	}
}

func number(t *rapid.T, f repo.Field[repotest.Item, int64]) (repo.Condition, string) {
	return comparing(t, f, rapid.Int64Range(-4, 4))
}

func comparing[V any](t *rapid.T, f repo.Field[repotest.Item, V], values *rapid.Generator[V]) (repo.Condition, string) {
	x, y := values.Draw(t, "x"), values.Draw(t, "y")
	all := []lo.Tuple2[string, repo.Condition]{
		{A: "eq", B: f.Eq(x)},
		{A: "ne", B: f.Ne(x)},
		{A: "lt", B: f.Lt(x)},
		{A: "le", B: f.Le(x)},
		{A: "gt", B: f.Gt(x)},
		{A: "ge", B: f.Ge(x)},
		{A: "between", B: f.Between(x, y)},
		{A: "in", B: f.In(x, y)},
		{A: "notIn", B: f.NotIn(x, y)},
		{A: "null", B: f.Null()},
		{A: "notNull", B: f.NotNull()},
	}
	one := rapid.SampledFrom(all).Draw(t, "op")
	return one.B, fmt.Sprintf("%s %s %v %v", f.Name(), one.A, x, y)
}

func text(t *rapid.T) (repo.Condition, string) {
	f := lo.Must(repo.NewField[repotest.Item, string](rapid.SampledFrom([]string{"Name", "Note", "Box.Colour"}).Draw(t, "field")))
	texts := rapid.SampledFrom(queryTexts())
	x, y := texts.Draw(t, "x"), texts.Draw(t, "y")
	all := []lo.Tuple2[string, repo.Condition]{
		{A: "eq", B: f.Eq(x)},
		{A: "ne", B: f.Ne(x)},
		{A: "in", B: f.In(x, y)},
		{A: "notIn", B: f.NotIn(x, y)},
		{A: "prefix", B: f.Prefix(x)},
		{A: "contains", B: f.Contains(x)},
		{A: "suffix", B: f.Suffix(x)},
		{A: "null", B: f.Null()},
		{A: "notNull", B: f.NotNull()},
	}
	one := rapid.SampledFrom(all).Draw(t, "op")
	c, shown := one.B, fmt.Sprintf("%s %s %q %q", f.Name(), one.A, x, y)
	if rapid.Bool().Draw(t, "fold") {
		c, shown = c.IgnoreCase(), shown+" ignoring case"
	}
	return c, shown
}

// sorts draws sort keys, of which the last makes the order complete.
func sorts(t *rapid.T) ([]repo.Option, string) {
	var list []repo.Option
	var shown strings.Builder
	for range rapid.IntRange(0, 2).Draw(t, "sorts") {
		name := rapid.SampledFrom([]string{"Stock", "Due", "Price", "Active", "Box.Width"}).Draw(t, "by")
		by := repo.F[repotest.Item, string](name).Asc()
		if rapid.Bool().Draw(t, "desc") {
			by = repo.F[repotest.Item, string](name).Desc()
			name = "-" + name
		}
		switch rapid.IntRange(0, 2).Draw(t, "nulls") {
		case 0:
			by, name = by.NullsFirst(), name+" nulls first"
		case 1:
			by, name = by.NullsLast(), name+" nulls last"
		}
		list = append(list, by)
		shown.WriteString(" by " + name)
	}
	return append(list, repo.F[repotest.Item, string]("ID").Asc()), shown.String()
}

// queriedStores are the stores that random queries compare, with the same items.
func queriedStores(t *testing.T) (stores map[string]repo.Repository[repotest.Item], model repo.Repository[repotest.Item]) {
	t.Helper()
	stores = map[string]repo.Repository[repotest.Item]{}
	for _, b := range sqldb.Backends() {
		stores[b.Name] = gormharness.New(b.Open(t)).Items(t)
	}
	stores["MySQLIgnoringCase"] = gormharness.New(sqldb.MySQLFolding(t)).Items(t)
	stores["MongoDB"] = mongoharness.New(t).Items(t)
	model = inmemory.Of[repotest.Item](nil)(t)
	check.Must(t, model.SaveAll(t.Context(), queried()))
	for _, r := range stores {
		check.Must(t, r.SaveAll(t.Context(), queried()))
	}
	return stores, model
}

// TestRandomQueries asks every store the same and wants the answer of memory. A store may
// refuse, as one that it cannot answer; it must not answer wrongly.
func TestRandomQueries(t *testing.T) {
	stores, model := queriedStores(t)
	refused := map[string]int{}
	total := 0
	rapid.Check(t, func(rt *rapid.T) {
		c, shown := cond(rt, 3)
		by, order := sorts(rt)
		q := append([]repo.Option{c}, by...)
		if n := rapid.IntRange(0, 20).Draw(rt, "limit"); n > 0 {
			q = append(q, repo.Limit(n))
		}
		q = append(q, repo.Offset(rapid.IntRange(0, 5).Draw(rt, "offset")))
		want, count := answerOf(t, model, q)
		total++
		for name, r := range stores {
			got, n := answerOf(t, r, q)
			switch {
			case got == "unsupported":
				refused[name]++
			case got != want:
				rt.Errorf("%s: %s%s\n got %s\nwant %s", name, shown, order, got, want)
			case n != count:
				rt.Errorf("%s: %s%s: counts %d, not %d", name, shown, order, n, count)
			}
		}
	})
	t.Logf("%d queries; refused: %v", total, refused)
}

func answerOf(t *testing.T, r repo.Repository[repotest.Item], q []repo.Option) (string, int64) {
	t.Helper()
	found, err := r.Find(t.Context(), q...)
	if errors.Is(err, repo.ErrInvalid) {
		return "invalid", 0
	}
	if errors.Is(err, repo.ErrUnsupported) {
		return "unsupported", 0
	}
	check.Must(t, err)
	n, err := r.Count(t.Context(), q...)
	check.Must(t, err)
	return strings.Join(lo.Map(found, func(e *repotest.Item, _ int) string { return e.ID }), " "), n
}
