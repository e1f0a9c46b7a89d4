package repotest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
)

func cursors(t *testing.T, key byte) *repo.Cursors {
	t.Helper()
	c, err := repo.NewCursors(slices.Repeat([]byte{key}, repo.MinCursorKey))
	noErr(t, err)
	return c
}

// walked are the entities of all windows. ok is false when the store refuses the query.
func walked[T any](ctx context.Context, t *testing.T, r repo.Repository[T], size int, between func(), q ...repo.Option) (all []*T, ok bool) {
	t.Helper()
	c, after := cursors(t, 1), ""
	for n := 0; ; n++ {
		w, err := repo.FindWindow(ctx, r, c, repo.WindowRequest{Size: size, After: after}, q...)
		if errors.Is(err, repo.ErrUnsupported) {
			return nil, false
		}
		noErr(t, err)
		if len(w.Items) > size || w.Next != "" && len(w.Items) < size {
			t.Fatalf("a window of size %d has %d entities, and one behind it: %t", size, len(w.Items), w.Next != "")
		}
		all = append(all, w.Items...)
		if after = w.Next; after == "" {
			return all, true
		}
		if n > 1000 {
			t.Fatal("the windows do not end")
		}
		between()
	}
}

func windowsAreWhatFindFinds(t *testing.T, h Harness) {
	r := shop(t, h) // with ties in Stock and without values in Note and Due
	id := repo.F[Item, string]("ID")
	for i, by := range [][]repo.Option{
		nil,
		{id.Desc()},
		{repo.F[Item, int64]("Stock").Asc()},
		{repo.F[Item, int64]("Stock").Desc(), repo.F[Item, float64]("Price").Asc()},
		{repo.F[Item, string]("Note").Asc()},
		{repo.F[Item, string]("Note").Desc()},
		{repo.F[Item, string]("Note").Asc().NullsLast()},
		{repo.F[Item, string]("Note").Desc().NullsFirst()},
		{repo.F[Item, time.Time]("Due").Desc(), repo.F[Item, bool]("Active").Desc()},
		{repo.F[Item, bool]("Active").Asc(), repo.F[Item, string]("Note").Desc(), repo.F[Item, time.Time]("At").Desc()},
		{repo.F[Item, int]("Box.Width").Desc(), repo.F[Item, string]("Box.Colour").Asc(), id.Desc()},
	} {
		for size := 1; size < 8; size++ {
			got, ok := walked(t.Context(), t, r, size, func() {}, by...)
			if !ok {
				t.Logf("order %d is not supported", i)
				break
			}
			want, err := r.Find(t.Context(), append(by, id.Asc())...)
			noErr(t, err)
			inOrder(t, got, idsOf(want)...)
		}
	}
	got, _ := walked(t.Context(), t, r, 2, func() {}, repo.F[Item, bool]("Active").Eq(true), repo.F[Item, float64]("Price").Desc())
	inOrder(t, got, "a", "c", "e")
}

func windowsOfSeveralKeyFields(t *testing.T, h Harness) {
	r := h.pairs(t)
	var want []Pair
	for _, shelf := range []int64{0, 1, 2} {
		for _, place := range []string{"", "a", "b"} {
			want = append(want, Pair{Shelf: shelf, Place: place, Text: place})
			noErr(t, r.Save(t.Context(), &Pair{Shelf: shelf, Place: place, Text: place}))
		}
	}
	got, _ := walked(t.Context(), t, r, 2, func() {})
	if len(got) != len(want) {
		t.Fatalf("%d of %d", len(got), len(want))
	}
	for i, e := range got {
		if *e != want[i] {
			t.Fatalf("got %s, want %+v", shown(e), want[i])
		}
	}
	got, _ = walked(t.Context(), t, r, 4, func() {}, repo.F[Pair, string]("Text").Desc())
	if len(got) != len(want) || *got[0] != (Pair{Shelf: 0, Place: "b", Text: "b"}) || *got[8] != (Pair{Shelf: 2}) {
		t.Fatalf("got %s", shown(got))
	}
}

// windowsDuringWrites: what others save and delete in between neither hides nor repeats
// anything.
func windowsDuringWrites(t *testing.T, h Harness) {
	r := h.items(t)
	all := numbered(30)
	for i, e := range all {
		e.Stock = int64(i / 4) // ties
	}
	saveItems(t, r, all...)
	n := 0
	got, _ := walked(t.Context(), t, r, 3, func() {
		before, behind := item(fmt.Sprintf("h%06d", n)), item(fmt.Sprintf("j%06d", n))
		before.Stock, behind.Stock = -1, 100
		saveItems(t, r, before, behind)
		noErr(t, r.DeleteByID(t.Context(), all[n].ID)) // the walk has passed it
		n++
	}, repo.F[Item, int64]("Stock").Asc())
	ids := idsOf(got)
	if len(ids) < 30 || !slices.Equal(ids[:30], idsOf(all)) {
		t.Fatalf("got %v", ids)
	}
	for i, id := range ids[30:] {
		if id != fmt.Sprintf("j%06d", i) {
			t.Fatalf("behind them: %v", ids[30:])
		}
	}
}

func windowRefusesCursors(t *testing.T, h Harness) {
	r := shop(t, h)
	stock, active := repo.F[Item, int64]("Stock"), repo.F[Item, bool]("Active")
	query := []repo.Option{stock.Desc(), active.Eq(true), stock.Lt(9)}
	find := func(c *repo.Cursors, after string, q ...repo.Option) error {
		_, err := repo.FindWindow(t.Context(), r, c, repo.WindowRequest{Size: 1, After: after}, q...)
		return err
	}
	mine := cursors(t, 1)
	w, err := repo.FindWindow(t.Context(), r, mine, repo.WindowRequest{Size: 1}, query...)
	noErr(t, err)
	noErr(t, find(mine, w.Next, query...))
	noErr(t, find(mine, w.Next, stock.Lt(9), stock.Desc(), active.Eq(true))) // in another order
	for name, q := range map[string][]repo.Option{
		"other direction":  {stock.Asc(), active.Eq(true), stock.Lt(9)},
		"other nulls":      {stock.Desc().NullsFirst(), active.Eq(true), stock.Lt(9)},
		"other sort":       {repo.F[Item, int32]("Grade").Desc(), active.Eq(true), stock.Lt(9)},
		"one sort more":    {stock.Desc(), active.Asc(), active.Eq(true), stock.Lt(9)},
		"no sort":          {active.Eq(true), stock.Lt(9)},
		"other value":      {stock.Desc(), active.Eq(false), stock.Lt(9)},
		"other comparison": {stock.Desc(), active.Eq(true), stock.Le(9)},
		"one less":         {stock.Desc(), active.Eq(true)},
		"one more":         {stock.Desc(), active.Eq(true), stock.Lt(9), stock.Gt(1)},
		"or":               {stock.Desc(), repo.Or(active.Eq(true), stock.Lt(9))},
	} {
		if err := find(mine, w.Next, q...); !errors.Is(err, repo.ErrCursor) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(w.Next)
	noErr(t, err)
	for i := range raw {
		changed := slices.Clone(raw)
		changed[i] ^= 1
		wantErr(t, find(mine, base64.RawURLEncoding.EncodeToString(changed), query...), repo.ErrCursor)
		wantErr(t, find(mine, base64.RawURLEncoding.EncodeToString(raw[:i+1])[:max(1, i)], query...), repo.ErrCursor)
	}
	for _, cursor := range []string{"x", " ", w.Next + "A", w.Next + "=", "%", w.Next[1:], string(make([]byte, 1<<17))} {
		wantErr(t, find(mine, cursor, query...), repo.ErrCursor)
	}
	wantErr(t, find(cursors(t, 2), w.Next, query...), repo.ErrCursor)
	both, err := repo.NewCursors(slices.Repeat([]byte{2}, repo.MinCursorKey), slices.Repeat([]byte{1}, repo.MinCursorKey))
	noErr(t, err)
	noErr(t, find(both, w.Next, query...))
}

func windowRefusesForeignTypes(t *testing.T, h Harness) {
	r, marks := shop(t, h), h.marked(t)
	c := cursors(t, 1)
	w, err := repo.FindWindow(t.Context(), r, c, repo.WindowRequest{Size: 1})
	noErr(t, err)
	_, err = repo.FindWindow(t.Context(), marks, c, repo.WindowRequest{Size: 1, After: w.Next})
	wantErr(t, err, repo.ErrCursor)
}

func windowRefusesWhatIsWrong(t *testing.T, h Harness) {
	r := shop(t, h)
	for _, size := range []int{0, -1, repo.MaxPageSize + 1} {
		_, err := repo.FindWindow(t.Context(), r, cursors(t, 1), repo.WindowRequest{Size: size})
		wantErr(t, err, repo.ErrInvalid)
	}
	_, err := repo.FindWindow(t.Context(), r, nil, repo.WindowRequest{Size: 1})
	wantErr(t, err, repo.ErrInvalid)
	_, err = repo.FindWindow(t.Context(), r, cursors(t, 1), repo.WindowRequest{Size: 1}, repo.Native(1))
	wantErr(t, err, repo.ErrUnsupported)
	for name, q := range badOptions() {
		if _, err := repo.FindWindow(t.Context(), r, cursors(t, 1), repo.WindowRequest{Size: 1}, q); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err = repo.NewCursors([]byte("short"))
	wantErr(t, err, repo.ErrInvalid)
	_, err = repo.NewCursors(make([]byte, repo.MinCursorKey), nil)
	wantErr(t, err, repo.ErrInvalid)
}
