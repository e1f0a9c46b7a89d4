package memrepo_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

func open[T any](t *testing.T, opts *memrepo.Options) *memrepo.Repository[T] {
	t.Helper()
	r, err := memrepo.New[T](opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type leaf struct {
	List []int
	Next *leaf
}

type deep struct {
	ID     int64
	At     time.Time
	AtP    *time.Time
	Map    map[string]*leaf
	Nested [][]string
	Array  [2]*int
	Any    any
	Big    *big.Int
	hidden map[string][]int
	Parent *deep
	Kids   []*deep
}

func newDeep() *deep {
	n, at := 7, time.Now()
	e := &deep{
		At: at, AtP: &at, Map: map[string]*leaf{"a": {List: []int{1}, Next: &leaf{List: []int{2}}}},
		Nested: [][]string{{"x"}}, Array: [2]*int{&n, &n}, Any: map[string]any{"k": []int{3}}, Big: big.NewInt(4),
		hidden: map[string][]int{"h": {5}},
	}
	e.Kids = []*deep{{ID: 9, Parent: e}}
	return e
}

func spoil(e *deep) {
	*e.AtP = e.AtP.AddDate(1, 0, 0)
	e.Map["a"].List[0], e.Map["a"].Next.List[0] = -1, -1
	e.Map["b"] = nil
	e.Nested[0][0] = "spoilt"
	*e.Array[1] = -1
	e.Any.(map[string]any)["k"].([]int)[0] = -1
	e.Big.SetInt64(-1)
	e.hidden["h"][0] = -1
	e.Kids[0].ID = -1
}

func intact(t *testing.T, e *deep, at time.Time) {
	t.Helper()
	switch {
	case !e.At.Equal(at), !e.AtP.Equal(at), e.At.Location() != at.Location(), e.AtP.Location() != at.Location():
		t.Fatalf("times are %v and %v", e.At, e.AtP)
	case e.Map["a"].List[0] != 1, e.Map["a"].Next.List[0] != 2, len(e.Map) != 1:
		t.Fatal("the map changed")
	case e.Nested[0][0] != "x", *e.Array[0] != 7, *e.Array[1] != 7, e.Big.Int64() != 4:
		t.Fatal("a list, an array or a number changed")
	case e.Any.(map[string]any)["k"].([]int)[0] != 3:
		t.Fatal("what the interface holds changed")
	case e.hidden["h"][0] != 5:
		t.Fatal("the unexported field changed")
	case e.Kids[0].ID != 9, e.Kids[0].Parent != e:
		t.Fatal("the cycle is broken")
	}
}

// TestNothingIsShared spoils everything that goes in and comes out.
func TestNothingIsShared(t *testing.T) {
	t.Parallel()
	ctx, r := t.Context(), open[deep](t, nil)
	mine := newDeep()
	at := mine.At
	must(t, r.Save(ctx, mine))
	spoil(mine)
	for name, read := range map[string]func() (*deep, error){
		"FindByID": func() (*deep, error) { return r.FindByID(ctx, 1) },
		"FindAllByID": func() (*deep, error) {
			es, err := r.FindAllByID(ctx, []any{1})
			return es[0], err
		},
		"Find": func() (*deep, error) {
			es, err := r.Find(ctx)
			return es[0], err
		},
		"Native": func() (*deep, error) {
			es, err := r.Find(ctx, repo.Native(func(e *deep) bool { spoil(e); return true }))
			return es[0], err
		},
		"Update": func() (*deep, error) { return r.Update(ctx, 1, func(*deep) error { return nil }) },
		"UpdateKeepsTheFunctionsCopy": func() (*deep, error) {
			var kept *deep
			_, err := r.Update(ctx, 1, func(e *deep) error { kept = e; return nil })
			spoil(kept)
			if err != nil {
				return nil, err
			}
			return r.FindByID(ctx, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := read()
			must(t, err)
			intact(t, e, at)
			spoil(e)
			e, err = r.FindByID(ctx, 1)
			must(t, err)
			intact(t, e, at)
		})
	}
}
