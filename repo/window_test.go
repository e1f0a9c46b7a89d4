package repo_test

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

// weight is a type that knows its own text.
type weight struct{ Grams int64 }

func (w weight) Cmp(o weight) int { return cmp.Compare(w.Grams, o.Grams) }

func (w weight) MarshalText() ([]byte, error) {
	return []byte(strings.Repeat("g", int(w.Grams))), nil
}

func (w *weight) UnmarshalText(text []byte) error {
	w.Grams = int64(len(text))
	return nil
}

type grade string

// kept has a field of each kind that a cursor holds.
type kept struct {
	ID     [4]byte
	Text   string
	Grade  grade
	Maybe  *string
	Num    int8
	Count  uint64
	Ratio  float64
	Small  float32
	On     bool
	At     time.Time
	Due    *time.Time
	Raw    []byte
	Null   sql.NullString
	Until  sql.NullTime
	Weight weight
	Extra  map[string]string
}

func keepers(t testing.TB, es ...*kept) repo.Repository[kept] {
	t.Helper()
	r, err := memrepo.New[kept](nil)
	if err == nil {
		err = r.SaveAll(context.Background(), es)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func signer(t testing.TB) *repo.Cursors {
	t.Helper()
	c, err := repo.NewCursors(bytes.Repeat([]byte("k"), repo.MinCursorKey))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// walk wants the windows of size 1 to be what Find finds.
func walk(t *testing.T, r repo.Repository[kept], q ...repo.Option) {
	t.Helper()
	want, err := r.Find(t.Context(), append(q, repo.F[kept, [4]byte]("ID").Asc())...)
	if err != nil {
		t.Fatal(err)
	}
	var got [][4]byte
	after := ""
	for {
		w, err := repo.FindWindow(t.Context(), r, signer(t), repo.WindowRequest{Size: 1, After: after}, q...)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range w.Items {
			got = append(got, e.ID)
		}
		if after = w.Next; after == "" || len(got) > len(want) {
			break
		}
	}
	if len(got) != len(want) || !slices.EqualFunc(got, want, func(id [4]byte, e *kept) bool { return id == e.ID }) {
		t.Errorf("got %v, want %d entities", got, len(want))
	}
}

func sortKeys() map[string]repo.Sort {
	all := map[string]repo.Sort{}
	for _, name := range []string{
		"ID", "Text", "Grade", "Maybe", "Num", "Count", "Ratio", "Small", "On", "At", "Due", "Raw", "Null", "Until", "Weight",
	} {
		by := repo.F[kept, string](name)
		all[name], all["-"+name] = by.Asc(), by.Desc()
		all[name+" nulls last"], all["-"+name+" nulls first"] = by.Asc().NullsLast(), by.Desc().NullsFirst()
	}
	return all
}

func TestWindowsByFieldsOfEveryKind(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 1, 2, 3, 4, 5, 6, time.FixedZone("x", 3600))
	full := &kept{
		[4]byte{1},
		"a\x00\xff", "b", new(""), -128, math.MaxUint64, math.Inf(-1), 0.1, true, at, &at,
		[]byte{0},
		sql.NullString{Valid: true},
		sql.NullTime{Valid: true, Time: at},
		weight{3},
		nil,
	}
	twin, more := *full, *full
	twin.ID, more.ID = [4]byte{2}, [4]byte{3}
	more.Text, more.Num, more.Ratio, more.Null.String, more.Weight, more.Raw = "日本", 7, 1e300, "x", weight{5}, []byte{0, 1}
	r := keepers(t, full, &twin, &more, &kept{ID: [4]byte{4}}, &kept{ID: [4]byte{5}, Due: &at})
	for name, by := range sortKeys() {
		t.Run(name, func(t *testing.T) { walk(t, r, by) })
	}
}

func TestWindowByWhatACursorCannotHold(t *testing.T) {
	t.Parallel()
	r := keepers(t, &kept{ID: [4]byte{1}, Text: strings.Repeat("x", 1<<16)}, &kept{ID: [4]byte{2}, Text: "y"})
	_, err := repo.FindWindow(t.Context(), r, signer(t), repo.WindowRequest{Size: 1}, repo.F[kept, string]("Text").Asc())
	if !errors.Is(err, repo.ErrUnsupported) {
		t.Errorf("a long text: %v", err)
	}
	_, err = repo.FindWindow(t.Context(), r, signer(t), repo.WindowRequest{Size: 1}, repo.F[kept, map[string]string]("Extra").Eq(map[string]string{}))
	if !errors.Is(err, repo.ErrUnsupported) {
		t.Errorf("a condition on a map: %v", err)
	}
}

// Values are equal for a cursor when they are so for a query: a time in another zone, a
// pointer to the same.
func TestCursorFitsEqualConditions(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	r := keepers(t, &kept{ID: [4]byte{1}}, &kept{ID: [4]byte{2}})
	find := func(after string, at time.Time, texts ...string) (repo.Window[kept], error) {
		return repo.FindWindow(t.Context(), r, signer(t), repo.WindowRequest{Size: 1, After: after},
			repo.F[kept, time.Time]("At").Lt(at), repo.F[kept, string]("Text").In(texts...))
	}
	w, err := find("", at, "", "a")
	if err != nil || w.Next == "" {
		t.Fatal(w, err)
	}
	if _, err := find(w.Next, at.In(time.FixedZone("x", 7200)), "a", ""); err != nil {
		t.Errorf("equal conditions: %v", err)
	}
	if _, err := find(w.Next, at.Add(1), "a", ""); !errors.Is(err, repo.ErrCursor) {
		t.Errorf("another time: %v", err)
	}
	if _, err := find(w.Next, at, "a", "", "b"); !errors.Is(err, repo.ErrCursor) {
		t.Errorf("another list: %v", err)
	}
}

// FuzzCursor: whatever a client sends is the cursor or ErrCursor.
func FuzzCursor(f *testing.F) {
	r := keepers(f, &kept{ID: [4]byte{1}, Text: "a"}, &kept{ID: [4]byte{2}, Text: "b"})
	q := []repo.Option{repo.F[kept, string]("Text").Desc(), repo.F[kept, time.Time]("At").Asc(), repo.F[kept, sql.NullString]("Null").Asc()}
	w, err := repo.FindWindow(context.Background(), r, signer(f), repo.WindowRequest{Size: 1}, q...)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(w.Next)
	f.Add("")
	f.Add(base64.RawURLEncoding.EncodeToString(make([]byte, 64)))
	f.Fuzz(func(t *testing.T, cursor string) {
		_, err := repo.FindWindow(t.Context(), r, signer(t), repo.WindowRequest{Size: 1, After: cursor}, q...)
		if cursor == "" || cursor == w.Next {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		if !errors.Is(err, repo.ErrCursor) || !errors.Is(err, repo.ErrInvalid) {
			t.Fatalf("%q: %v", cursor, err)
		}
	})
}

// FuzzCursorValues: windows find their way over any values.
func FuzzCursorValues(f *testing.F) {
	f.Add("a", "", int8(1), uint64(2), 0.5, true, int64(3), []byte("x"), false, uint8(1))
	f.Add("\xff\x00", "b", int8(-128), uint64(math.MaxUint64), math.Inf(1), false, int64(-1), []byte{}, true, uint8(2))
	keys := sortKeys()
	names := slices.Sorted(maps.Keys(keys))
	f.Fuzz(func(t *testing.T, a, b string, n int8, u uint64, x float64, on bool, at int64, raw []byte, null bool, by uint8) {
		if x != x {
			x = 0 // it has no place in an order
		}
		e := &kept{
			ID: [4]byte{1}, Text: a, Grade: grade(b), Num: n, Count: u, Ratio: x, Small: float32(x), On: on, At: time.Unix(at%1e11, at%1e9), Raw: raw,
			Null: sql.NullString{Valid: null, String: b}, Weight: weight{int64(n&15) + 1},
		}
		if null {
			e.Maybe, e.Due = &b, new(e.At.Add(1))
		}
		twin := *e
		twin.ID = [4]byte{2}
		r := keepers(t, e, &twin, &kept{ID: [4]byte{3}, Text: b, Ratio: -x}, &kept{ID: [4]byte{4}, Raw: []byte{}})
		walk(t, r, keys[names[int(by)%len(names)]])
	})
}
