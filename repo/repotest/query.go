package repotest

import (
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
)

// shop stores items that differ in every field that the queries look at.
func shop(t *testing.T, h Harness) repo.Repository[Item] {
	t.Helper()
	r := h.items(t)
	var list []*Item
	for i, c := range []struct {
		id, name string
		price    float64
		noted    bool
	}{
		{"a", "apple", 1.5, true},
		{"b", "apricot", 2.5, false},
		{"c", "100% juice", 0.5, true},
		{"d", "100 percent juice", 0, false},
		{"e", "snake_case", -1, true},
		{"f", "snakeXcase", 9.75, true},
	} {
		e := item(c.id)
		e.Name, e.Price, e.Stock, e.Active = c.name, c.price, int64(i/2), i%2 == 0
		e.Grade = int32(-i)
		e.At = noon().AddDate(0, 0, i)
		if !c.noted {
			e.Note, e.Due = nil, nil
		}
		list = append(list, e)
	}
	saveItems(t, r, list...)
	return r
}

// found wants the query to find these in any order, and Count to agree.
func found(t *testing.T, r repo.Repository[Item], want []string, q ...repo.Option) {
	t.Helper()
	got, err := r.Find(t.Context(), q...)
	noErr(t, err)
	anyOrder(t, got, want...)
	n, err := r.Count(t.Context(), q...)
	noErr(t, err)
	if n != int64(len(want)) {
		t.Fatalf("Count is %d, want %d", n, len(want))
	}
}

func queryWithoutOptions(t *testing.T, h Harness) {
	found(t, h.items(t), nil)
	found(t, shop(t, h), []string{"a", "b", "c", "d", "e", "f"})
}

func queryEqualAndNot(t *testing.T, h Harness) {
	r := shop(t, h)
	found(t, r, []string{"b"}, repo.F[Item, string]("Name").Eq("apricot"))
	found(t, r, []string{"a", "c", "e"}, repo.F[Item, bool]("Active").Eq(true))
	found(t, r, []string{"b", "d", "f"}, repo.F[Item, bool]("Active").Eq(false))
	found(t, r, []string{"a", "b"}, repo.F[Item, int64]("Stock").Eq(0))
	found(t, r, []string{"d"}, repo.F[Item, float64]("Price").Eq(0))
	found(t, r, []string{"c"}, repo.F[Item, time.Time]("At").Eq(noon().AddDate(0, 0, 2)))
	found(t, r, []string{"a", "b", "c", "d"}, repo.F[Item, int64]("Stock").Ne(2))
	found(t, r, nil, repo.F[Item, string]("Name").Eq(""))
	found(t, r, []string{"a"}, repo.F[Item, string]("ID").Eq("a"))
}

func queryOrderComparisons(t *testing.T, h Harness) {
	r := shop(t, h)
	stock, price, at := repo.F[Item, int64]("Stock"), repo.F[Item, float64]("Price"), repo.F[Item, time.Time]("At")
	found(t, r, []string{"a", "b"}, stock.Lt(1))
	found(t, r, []string{"a", "b", "c", "d"}, stock.Le(1))
	found(t, r, []string{"e", "f"}, stock.Gt(1))
	found(t, r, []string{"c", "d", "e", "f"}, stock.Ge(1))
	found(t, r, []string{"e"}, price.Lt(0))
	found(t, r, []string{"b", "f"}, price.Gt(1.5))
	found(t, r, []string{"e", "f"}, at.Ge(noon().AddDate(0, 0, 4)))
	found(t, r, []string{"a"}, at.Lt(noon().AddDate(0, 0, 1)))
	found(t, r, []string{"e", "f"}, repo.F[Item, int32]("Grade").Lt(-3))
	found(t, r, []string{"a", "b"}, repo.F[Item, string]("ID").Lt("c"))
}

func queryConditionsHoldTogether(t *testing.T, h Harness) {
	r := shop(t, h)
	stock, active := repo.F[Item, int64]("Stock"), repo.F[Item, bool]("Active")
	found(t, r, []string{"c"}, stock.Ge(1), active.Eq(true), stock.Lt(2))
	found(t, r, nil, stock.Eq(1), stock.Eq(2))
}

func queryIn(t *testing.T, h Harness) {
	r := shop(t, h)
	id := repo.F[Item, string]("ID")
	found(t, r, []string{"b", "e"}, id.In("e", "b", "absent", "b"))
	found(t, r, []string{"a"}, id.In("a"))
	found(t, r, []string{"c", "d"}, repo.F[Item, int64]("Stock").In(1, 77))
}

func queryInOfNone(t *testing.T, h Harness) {
	r := shop(t, h)
	found(t, r, nil, repo.F[Item, string]("ID").In())
	found(t, r, nil, repo.F[Item, string]("ID").In(), repo.F[Item, bool]("Active").Eq(true))
	found(t, r, []string{"a"}, repo.Or(repo.F[Item, string]("ID").In(), repo.F[Item, string]("ID").Eq("a")))
}

func queryNull(t *testing.T, h Harness) {
	r := shop(t, h)
	found(t, r, []string{"b", "d"}, repo.F[Item, string]("Note").Null())
	found(t, r, []string{"a", "c", "e", "f"}, repo.F[Item, string]("Note").NotNull())
	found(t, r, []string{"b", "d"}, repo.F[Item, *time.Time]("Due").Null())
	found(t, r, nil, repo.F[Item, string]("Name").Null())
}

// queryNullDoesNotCompare: a field without a value neither equals nor differs.
func queryNullDoesNotCompare(t *testing.T, h Harness) {
	r := shop(t, h)
	note := repo.F[Item, string]("Note")
	found(t, r, []string{"a"}, note.Eq("note of a"))
	found(t, r, []string{"c", "e", "f"}, note.Ne("note of a"))
	found(t, r, []string{"a", "c", "e", "f"}, note.Lt("z"))
	found(t, r, nil, note.Eq(""))
}

func queryPrefixIsLiteral(t *testing.T, h Harness) {
	r := shop(t, h)
	name := repo.F[Item, string]("Name")
	found(t, r, []string{"a", "b"}, name.Prefix("ap"))
	found(t, r, []string{"c"}, name.Prefix("100%"))
	found(t, r, []string{"e"}, name.Prefix("snake_"))
	found(t, r, []string{"c", "d"}, name.Prefix("100"))
	found(t, r, nil, name.Prefix("%juice"))
	found(t, r, nil, name.Prefix(".*"))
	found(t, r, nil, name.Prefix("pple"))
	found(t, r, []string{"a", "b", "c", "d", "e", "f"}, name.Prefix(""))
	found(t, r, []string{"a", "c", "e", "f"}, repo.F[Item, string]("Note").Prefix("note"))

	odd := item("odd")
	odd.Name = `back\slash 'quoted' [x] ^$`
	saveItems(t, r, odd)
	found(t, r, []string{"odd"}, name.Prefix(`back\slash 'quoted' [x] ^`))
	found(t, r, nil, name.Prefix(`back\\`))
}

func queryTextIsCaseSensitive(t *testing.T, h Harness) {
	need(t, h.Features.CaseSensitiveText, "CaseSensitiveText")
	r := shop(t, h)
	name := repo.F[Item, string]("Name")
	found(t, r, nil, name.Eq("APPLE"))
	found(t, r, nil, name.Prefix("Ap"))
	saveItems(t, r, item("A"))
	found(t, r, []string{"A"}, repo.F[Item, string]("ID").In("A"))
}

func querySorts(t *testing.T, h Harness) {
	r := shop(t, h)
	id, price := repo.F[Item, string]("ID"), repo.F[Item, float64]("Price")
	for _, c := range []struct {
		want []string
		by   []repo.Option
	}{
		{[]string{"e", "d", "c", "a", "b", "f"}, []repo.Option{price.Asc()}},
		{[]string{"f", "b", "a", "c", "d", "e"}, []repo.Option{price.Desc()}},
		{[]string{"f", "e", "d", "c", "b", "a"}, []repo.Option{repo.F[Item, time.Time]("At").Desc()}},
		{[]string{"e", "f", "c", "d", "a", "b"}, []repo.Option{repo.F[Item, int64]("Stock").Desc(), id.Asc()}},
		{[]string{"f", "d", "b", "e", "c", "a"}, []repo.Option{repo.F[Item, bool]("Active").Asc(), id.Desc()}},
	} {
		got, err := r.Find(t.Context(), c.by...)
		noErr(t, err)
		inOrder(t, got, c.want...)
	}
}

func queryLimitAndOffset(t *testing.T, h Harness) {
	r := shop(t, h)
	id := repo.F[Item, string]("ID")
	for _, c := range []struct {
		want []string
		q    []repo.Option
	}{
		{[]string{"a", "b"}, []repo.Option{repo.Limit(2)}},
		{[]string{"c", "d"}, []repo.Option{repo.Limit(2), repo.Offset(2)}},
		{[]string{"f"}, []repo.Option{repo.Limit(9), repo.Offset(5)}},
		{[]string{"e", "f"}, []repo.Option{repo.Offset(4)}},
		{nil, []repo.Option{repo.Offset(6)}},
		{nil, []repo.Option{repo.Offset(60), repo.Limit(1)}},
		{[]string{"c"}, []repo.Option{repo.Limit(1), repo.F[Item, int64]("Stock").Eq(1)}},
	} {
		got, err := r.Find(t.Context(), append(c.q, id.Asc())...)
		noErr(t, err)
		inOrder(t, got, c.want...)
	}
}

func countIgnoresLimitAndOffset(t *testing.T, h Harness) {
	r := shop(t, h)
	n, err := r.Count(t.Context(), repo.Limit(1), repo.Offset(3), repo.F[Item, int64]("Stock").Ge(1), repo.F[Item, string]("ID").Desc())
	noErr(t, err)
	if n != 4 {
		t.Fatalf("got %d, want 4", n)
	}
}

func queryValuesAreNeverCode(t *testing.T, h Harness) {
	r := shop(t, h)
	name := repo.F[Item, string]("Name")
	for _, text := range oddTexts() {
		found(t, r, nil, name.Eq(text))
		found(t, r, nil, name.In(text, text+"x"))
		found(t, r, nil, name.Prefix(text+"x"))
	}
	r = h.items(t)
	e := item("odd")
	for _, text := range oddTexts() {
		e.Name = text
		saveItems(t, r, e)
		found(t, r, []string{"odd"}, name.Eq(text))
		found(t, r, []string{"odd"}, name.Prefix(text))
	}
}

func queryRefusesWhatIsWrong(t *testing.T, h Harness) {
	r := shop(t, h)
	for name, q := range map[string]repo.Option{
		"unknown field":     repo.F[Item, string]("Nope").Eq("x"),
		"column name":       repo.F[Item, string]("name").Eq("x"),
		"code for a field":  repo.F[Item, string]("Name; DROP TABLE items").Eq("x"),
		"unknown sort":      repo.F[Item, string]("1").Asc(),
		"foreign handle":    repo.F[Auto, string]("Name").Eq("x"),
		"foreign sort":      repo.F[Auto, string]("Name").Desc(),
		"text for a number": repo.F[Item, string]("Stock").Eq("1"),
		"prefix of number":  repo.F[Item, int64]("Stock").Prefix("1"),
		"limit zero":        repo.Limit(0),
		"negative offset":   repo.Offset(-1),
		"empty condition":   repo.Condition{},
		"empty inside":      repo.Not(repo.Condition{}),
		"contains, number":  repo.F[Item, int64]("Stock").Contains("1"),
		"suffix, number":    repo.F[Item, int64]("Stock").Suffix("1"),
		"case of a number":  repo.F[Item, int64]("Stock").Eq(1).IgnoreCase(),
		"not in of none":    repo.F[Item, int64]("Stock").NotIn(),
		"no in of none":     repo.Not(repo.F[Item, int64]("Stock").In()),
		"bad field inside":  repo.Or(repo.F[Item, string]("Nope").Eq("x")),
		"nil":               nil,
	} {
		if _, err := r.Find(t.Context(), q); err == nil {
			t.Errorf("%s: Find accepts it", name)
		} else {
			wantErr(t, err, repo.ErrInvalid)
		}
		if _, err := r.Count(t.Context(), q); err == nil {
			t.Errorf("%s: Count accepts it", name)
		} else {
			wantErr(t, err, repo.ErrInvalid)
		}
	}
}

func queryUnknownNative(t *testing.T, h Harness) {
	r := shop(t, h)
	for _, native := range []any{nil, 1, "1=1", struct{}{}, func() {}} {
		_, err := r.Find(t.Context(), repo.Native(native))
		wantErr(t, err, repo.ErrUnsupported)
		_, err = r.Count(t.Context(), repo.Native(native))
		wantErr(t, err, repo.ErrUnsupported)
	}
}

func queryNative(t *testing.T, h Harness) {
	if h.Native == nil {
		t.Skip("the harness gives no Native value")
	}
	r := shop(t, h)
	found(t, r, []string{"c", "d", "e", "f"}, repo.Native(h.Native(0)))
	found(t, r, []string{"c", "d"}, repo.Native(h.Native(0)), repo.F[Item, int64]("Stock").Lt(2))
	got, err := r.Find(t.Context(), repo.Native(h.Native(0)), repo.F[Item, string]("ID").Desc(), repo.Limit(2))
	noErr(t, err)
	inOrder(t, got, "f", "e")
}
