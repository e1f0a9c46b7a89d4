package repotest

import (
	"errors"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
)

// foundOrRefused wants the query to find these, or to be refused as one that the store
// cannot answer. It never is answered wrongly.
func foundOrRefused(t *testing.T, r repo.Repository[Item], want []string, q ...repo.Option) {
	t.Helper()
	if _, err := r.Find(t.Context(), q...); errors.Is(err, repo.ErrUnsupported) {
		_, err := r.Count(t.Context(), q...)
		wantErr(t, err, repo.ErrUnsupported)
		t.Logf("not supported: %v", err)
		return
	}
	found(t, r, want, q...)
}

func queryOr(t *testing.T, h Harness) {
	r := shop(t, h)
	id, stock, active := repo.F[Item, string]("ID"), repo.F[Item, int64]("Stock"), repo.F[Item, bool]("Active")
	found(t, r, []string{"a", "f"}, repo.Or(id.Eq("a"), id.Eq("f")))
	found(t, r, []string{"f"}, repo.Or(id.Eq("a"), id.Eq("f")), active.Eq(false))
	found(t, r, []string{"a", "d", "e", "f"}, repo.Or(id.Eq("a"), id.Eq("d"), stock.Eq(2)))
	found(t, r, []string{"f"}, repo.Or(id.Eq("a"), stock.Eq(2)), repo.Or(active.Eq(false), id.Eq("x")))
	found(t, r, []string{"a", "b", "f"}, repo.Or(id.Eq("b"), repo.Or(id.Eq("a"), id.Eq("f"))))
	found(t, r, nil, repo.Or())
	found(t, r, []string{"a"}, repo.Or(repo.Or(), id.Eq("a")))
}

func queryAndOrNot(t *testing.T, h Harness) {
	r := shop(t, h)
	all := []string{"a", "b", "c", "d", "e", "f"}
	id, stock, active := repo.F[Item, string]("ID"), repo.F[Item, int64]("Stock"), repo.F[Item, bool]("Active")
	found(t, r, all, repo.And())
	found(t, r, all, repo.Or(repo.And(), id.Eq("a")))
	found(t, r, nil, repo.Not(repo.And()))
	found(t, r, all, repo.Not(repo.Or()))
	found(t, r, []string{"a", "d"}, repo.Or(repo.And(stock.Eq(0), active.Eq(true)), repo.And(stock.Eq(1), active.Eq(false))))
	found(t, r, []string{"b", "c", "e", "f"}, repo.Not(repo.Or(repo.And(stock.Eq(0), active.Eq(true)), repo.And(stock.Eq(1), active.Eq(false)))))
	found(t, r, []string{"b", "c", "d", "e", "f"}, repo.Not(id.Eq("a")))
	found(t, r, []string{"a"}, repo.Not(repo.Not(id.Eq("a"))))
	found(t, r, []string{"c", "d", "e", "f"}, repo.Not(stock.Lt(1)))
	found(t, r, []string{"a", "b"}, repo.Not(stock.Ge(1)))
	found(t, r, []string{"a", "b", "c", "d"}, repo.Not(stock.Gt(1)))
	found(t, r, []string{"e", "f"}, repo.Not(stock.Le(1)))
	found(t, r, []string{"a"}, repo.Not(id.Ne("a")))
	found(t, r, []string{"a", "b"}, repo.Not(id.In("c", "d", "e", "f")))
	found(t, r, []string{"c"}, repo.Not(id.NotIn("c")))
}

// queryNotOfNull: where a field has no value, a comparison and its negation both fail.
func queryNotOfNull(t *testing.T, h Harness) {
	r := shop(t, h) // b and d have no note
	note, id := repo.F[Item, string]("Note"), repo.F[Item, string]("ID")
	found(t, r, []string{"c", "e", "f"}, repo.Not(note.Eq("note of a")))
	found(t, r, []string{"a"}, repo.Not(note.Ne("note of a")))
	found(t, r, []string{"c", "e", "f"}, repo.Not(note.In("note of a")))
	found(t, r, []string{"a", "e", "f"}, note.NotIn("note of c"))
	found(t, r, nil, repo.Not(note.Lt("z")))
	found(t, r, []string{"a", "e", "f"}, repo.Not(note.Suffix("c")))
	found(t, r, []string{"a", "e", "f"}, repo.Not(note.Contains("of c")))
	found(t, r, []string{"c", "e", "f"}, repo.Not(note.Prefix("note of a")))
	found(t, r, nil, repo.Not(note.Contains("")))
	found(t, r, []string{"a", "c", "e", "f"}, note.Contains(""))
	found(t, r, []string{"a", "c", "e", "f"}, note.Suffix(""))
	found(t, r, []string{"a", "c", "e", "f"}, repo.Not(note.Null()))
	found(t, r, []string{"b", "d"}, repo.Not(note.NotNull()))
	found(t, r, []string{"c", "e", "f"}, repo.Not(repo.And(id.Ne("b"), note.Eq("note of a"))), id.Ne("b"), id.Ne("d"))
	found(t, r, []string{"b", "c", "e", "f"}, repo.Not(repo.And(id.Ne("b"), note.Eq("note of a"))))
	found(t, r, nil, repo.F[Item, *string]("Note").NotIn(nil, new("x")))
	found(t, r, []string{"a"}, repo.F[Item, *string]("Note").In(nil, new("note of a")))
}

func queryNotInAndBetween(t *testing.T, h Harness) {
	r := shop(t, h)
	id, stock, at := repo.F[Item, string]("ID"), repo.F[Item, int64]("Stock"), repo.F[Item, time.Time]("At")
	found(t, r, []string{"b", "d", "f"}, id.NotIn("a", "c", "e", "absent"))
	found(t, r, []string{"a", "b", "e", "f"}, stock.NotIn(1))
	found(t, r, []string{"c", "d", "e", "f"}, stock.Between(1, 2))
	found(t, r, []string{"a", "b"}, repo.Not(stock.Between(1, 2)))
	found(t, r, nil, stock.Between(2, 1))
	found(t, r, []string{"b", "c"}, at.Between(noon().AddDate(0, 0, 1), noon().AddDate(0, 0, 2)))
}

func queryContainsAndSuffixAreLiteral(t *testing.T, h Harness) {
	r := shop(t, h)
	name := repo.F[Item, string]("Name")
	found(t, r, []string{"c", "d"}, name.Contains("00"))
	found(t, r, []string{"c"}, name.Contains("%"))
	found(t, r, []string{"e"}, name.Contains("_"))
	found(t, r, []string{"c", "d"}, name.Suffix("juice"))
	found(t, r, []string{"e", "f"}, name.Suffix("case"))
	found(t, r, nil, name.Suffix("%juice"))
	found(t, r, nil, name.Contains(".*"))
	found(t, r, nil, name.Contains("APPLE"))
	found(t, r, nil, name.Suffix("PPLE"))
	found(t, r, nil, name.Suffix("snake_cas"))

	odd := item("odd")
	odd.Name = "back\\slash 'quoted' [x] ^$ !\n日本 end \\"
	saveItems(t, r, odd)
	for _, text := range []string{`\slash 'q`, "[x]", "^$", "!", "\n", "本", `\`, odd.Name} {
		found(t, r, []string{"odd"}, name.Contains(text))
	}
	for _, text := range []string{` \`, "本 end \\", odd.Name} {
		found(t, r, []string{"odd"}, name.Suffix(text))
	}
	found(t, r, nil, name.Suffix("end"))
}

// queryTextIsExact holds whatever the collation of the database is.
func queryTextIsExact(t *testing.T, h Harness) {
	r := shop(t, h)
	name := repo.F[Item, string]("Name")
	for _, text := range []string{"APPLE", "äpple", "apple "} {
		found(t, r, nil, name.Eq(text))
		found(t, r, nil, name.In(text, "none"))
		found(t, r, nil, name.Prefix(text))
		found(t, r, nil, name.Suffix(text))
		found(t, r, []string{"a", "b", "c", "d", "e", "f"}, name.Ne(text))
		found(t, r, []string{"a", "b", "c", "d", "e", "f"}, name.NotIn(text))
	}
}

func queryIgnoreCase(t *testing.T, h Harness) {
	r := shop(t, h)
	name, note := repo.F[Item, string]("Name"), repo.F[Item, *string]("Note")
	found(t, r, []string{"a"}, name.Eq("ApPlE").IgnoreCase())
	found(t, r, []string{"b", "c", "d", "e", "f"}, name.Ne("ApPlE").IgnoreCase())
	found(t, r, []string{"a", "f"}, name.In("APPLE", "SNAKExCASE", "x").IgnoreCase())
	found(t, r, []string{"b", "c", "d", "e"}, name.NotIn("APPLE", "SNAKExCASE").IgnoreCase())
	found(t, r, []string{"a", "b"}, name.Prefix("AP").IgnoreCase())
	found(t, r, []string{"f"}, name.Contains("XC").IgnoreCase())
	found(t, r, []string{"e"}, name.Contains("_C").IgnoreCase())
	found(t, r, []string{"e", "f"}, name.Suffix("CASE").IgnoreCase())
	found(t, r, []string{"a", "c"}, repo.Not(note.Suffix("E").IgnoreCase()), repo.Not(note.Eq(new("NOTE OF F")).IgnoreCase()))
	found(t, r, []string{"a", "e"}, repo.Or(name.Eq("APPLE"), repo.And(name.Prefix("SNAKE_"), note.NotNull())).IgnoreCase())
	foundOrRefused(t, r, []string{"a", "b", "c", "d"}, name.Lt("B").IgnoreCase())
	foundOrRefused(t, r, []string{"a", "b"}, name.Between("APP", "AQ").IgnoreCase())
}

func queryIgnoreCaseBeyondASCII(t *testing.T, h Harness) {
	r := shop(t, h)
	odd := item("odd")
	odd.Name = "ÉCOLE Straße Ñandú"
	saveItems(t, r, odd)
	name := repo.F[Item, string]("Name")
	foundOrRefused(t, r, []string{"odd"}, name.Eq("École sTraße ñANDÚ").IgnoreCase())
	foundOrRefused(t, r, []string{"odd"}, name.In("École sTraße ñANDÚ", "x").IgnoreCase())
	foundOrRefused(t, r, []string{"odd"}, name.Prefix("éco").IgnoreCase())
	foundOrRefused(t, r, []string{"odd"}, name.Contains("STRAß").IgnoreCase())
	foundOrRefused(t, r, []string{"odd"}, name.Suffix("ñANDÚ").IgnoreCase())
	found(t, r, []string{"odd"}, name.Contains("cole").IgnoreCase())
	found(t, r, nil, name.Prefix("ecole").IgnoreCase())
}

func queryNestedFields(t *testing.T, h Harness) {
	r := shop(t, h)
	for i, id := range []string{"a", "b", "c"} {
		e, err := r.FindByID(t.Context(), id)
		noErr(t, err)
		e.Box = Box{Width: i * 10, Colour: []string{"blue", "Blue", `"quoted" \`}[i]}
		saveItems(t, r, e)
	}
	width, colour := repo.F[Item, int]("Box.Width"), repo.F[Item, string]("Box.Colour")
	found(t, r, []string{"b", "c"}, width.Ge(10))
	found(t, r, []string{"a"}, width.Eq(0))
	found(t, r, []string{"a", "b", "c"}, width.In(0, 10, 20))
	found(t, r, []string{"d", "e", "f"}, width.Between(1, 9))
	found(t, r, []string{"a"}, colour.Eq("blue"))
	found(t, r, []string{"a", "b"}, colour.Eq("BLUE").IgnoreCase())
	found(t, r, []string{"c"}, colour.Eq(`"quoted" \`))
	found(t, r, []string{"c"}, colour.Suffix(`\`))
	found(t, r, []string{"b"}, colour.Prefix("Bl"))
	found(t, r, []string{"a", "c", "d", "e", "f"}, repo.Not(colour.Contains("Bl")))
	found(t, r, nil, colour.Null())
	found(t, r, []string{"a", "b", "c", "d", "e", "f"}, colour.NotNull())
	got, err := r.Find(t.Context(), width.Desc(), repo.F[Item, string]("ID").Desc(), repo.Limit(3))
	noErr(t, err)
	inOrder(t, got, "c", "b", "f")
}

func querySortsNulls(t *testing.T, h Harness) {
	r := shop(t, h) // b and d have no note and no due
	note, id := repo.F[Item, string]("Note"), repo.F[Item, string]("ID")
	for _, c := range []struct {
		want []string
		by   repo.Sort
	}{
		{[]string{"b", "d", "a", "c", "e", "f"}, note.Asc()},
		{[]string{"b", "d", "a", "c", "e", "f"}, note.Asc().NullsFirst()},
		{[]string{"a", "c", "e", "f", "b", "d"}, note.Asc().NullsLast()},
		{[]string{"f", "e", "c", "a", "b", "d"}, note.Desc()},
		{[]string{"f", "e", "c", "a", "b", "d"}, note.Desc().NullsLast()},
		{[]string{"b", "d", "f", "e", "c", "a"}, note.Desc().NullsFirst()},
	} {
		got, err := r.Find(t.Context(), c.by, id.Asc())
		if errors.Is(err, repo.ErrUnsupported) {
			t.Logf("not supported: %v", err)
			continue
		}
		noErr(t, err)
		inOrder(t, got, c.want...)
	}
}
