package memrepo_test

import (
	"cmp"
	"database/sql"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

// money orders itself, as decimal types do.
type money struct{ Cents int64 }

func (m money) Cmp(o money) int { return cmp.Compare(m.Cents, o.Cents) }

type sample struct {
	ID    int64
	Price money
	Raw   []byte
	Text  sql.NullString
	Count uint64
	Ratio float64
	Big   int64
	Due   *time.Time
	Inner struct{ Depth int }
	Loose map[string]int
	On    bool
}

func samples(t *testing.T) *memrepo.Repository[sample] {
	t.Helper()
	r := open[sample](t, &memrepo.Options{Documents: true})
	due := time.Unix(100, 0)
	list := []*sample{
		{Price: money{300}, Raw: []byte{2}, Text: sql.NullString{String: "b", Valid: true}, Count: math.MaxUint64, Ratio: 0.5, Big: 1 << 53, Due: &due},
		{Price: money{100}, Raw: []byte{1, 9}, Count: 1, Ratio: -1, Big: 1<<53 + 1, On: true},
		{Price: money{200}, Raw: []byte{1}, Text: sql.NullString{String: "a", Valid: true}, Count: 2, Ratio: math.NaN(), Big: 3},
	}
	for i, e := range list {
		e.Inner.Depth = 3 - i
	}
	must(t, r.SaveAll(t.Context(), list))
	return r
}

func idsOf(es []*sample) []int64 {
	ids := make([]int64, len(es))
	for i, e := range es {
		ids[i] = e.ID
	}
	return ids
}

func TestComparisons(t *testing.T) {
	t.Parallel()
	r := samples(t)
	for name, c := range map[string]struct {
		q    repo.Option
		want []int64
	}{
		"OwnOrder":            {repo.F[sample, money]("Price").Gt(money{150}), []int64{1, 3}},
		"OwnEquality":         {repo.F[sample, money]("Price").Eq(money{100}), []int64{2}},
		"Bytes":               {repo.F[sample, []byte]("Raw").Lt([]byte{1, 10}), []int64{2, 3}},
		"BytesEqual":          {repo.F[sample, []byte]("Raw").Eq([]byte{1}), []int64{3}},
		"NullWrapper":         {repo.F[sample, sql.NullString]("Text").Null(), []int64{2}},
		"NullWrapperByText":   {repo.F[sample, string]("Text").Eq("a"), []int64{3}},
		"NullWrapperByItself": {repo.F[sample, sql.NullString]("Text").Eq(sql.NullString{String: "b", Valid: true}), []int64{1}},
		"ComparedWithNull":    {repo.F[sample, sql.NullString]("Text").Eq(sql.NullString{}), nil},
		"LargeUnsigned":       {repo.F[sample, uint64]("Count").Gt(math.MaxInt64), []int64{1}},
		"UnsignedBySigned":    {repo.F[sample, int]("Count").Gt(-1), []int64{1, 2, 3}},
		"ExactBeyondFloats":   {repo.F[sample, float64]("Big").Eq(1 << 53), []int64{1}},
		"NaNIsNothing":        {repo.F[sample, float64]("Ratio").Lt(math.Inf(1)), []int64{1, 2}},
		"Dotted":              {repo.F[sample, int]("Inner.Depth").Le(2), []int64{2, 3}},
		"PointerByValue":      {repo.F[sample, time.Time]("Due").Eq(time.Unix(100, 0).UTC()), []int64{1}},
		"Map":                 {repo.F[sample, map[string]int]("Loose").Null(), []int64{1, 2, 3}},
		"InMixedKinds":        {repo.F[sample, int8]("Count").In(2, 1), []int64{2, 3}},
		"Native":              {repo.Native(func(e *sample) bool { return e.On }), []int64{2}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := r.Find(t.Context(), c.q)
			must(t, err)
			if !slices.Equal(idsOf(got), c.want) {
				t.Fatalf("got %v, want %v", idsOf(got), c.want)
			}
		})
	}
}

func TestSorts(t *testing.T) {
	t.Parallel()
	r := samples(t)
	for name, c := range map[string]struct {
		by   repo.Option
		want []int64
	}{
		"OldestFirst":    {repo.Offset(0), []int64{1, 2, 3}},
		"OwnOrder":       {repo.F[sample, money]("Price").Asc(), []int64{2, 3, 1}},
		"NoValueFirst":   {repo.F[sample, sql.NullString]("Text").Asc(), []int64{2, 3, 1}},
		"NoValueLast":    {repo.F[sample, *time.Time]("Due").Desc(), []int64{1, 2, 3}},
		"StableForEqual": {repo.F[sample, bool]("On").Asc(), []int64{1, 3, 2}},
		"Dotted":         {repo.F[sample, int]("Inner.Depth").Asc(), []int64{3, 2, 1}},
		"Bytes":          {repo.F[sample, []byte]("Raw").Asc(), []int64{3, 2, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := r.Find(t.Context(), c.by)
			must(t, err)
			if !slices.Equal(idsOf(got), c.want) {
				t.Fatalf("got %v, want %v", idsOf(got), c.want)
			}
		})
	}
}

// TestWhatHasNoOrder is refused on an empty repository too.
func TestWhatHasNoOrder(t *testing.T) {
	t.Parallel()
	r := open[sample](t, &memrepo.Options{Documents: true})
	for _, q := range []repo.Option{
		repo.F[sample, map[string]int]("Loose").Asc(),
		repo.F[sample, struct{ Depth int }]("Inner").Lt(struct{ Depth int }{1}),
		repo.Native(func(*small) bool { return true }),
		repo.Native((func(*sample) bool)(nil)),
	} {
		_, err := r.Find(t.Context(), q)
		wantErr(t, err, repo.ErrUnsupported)
	}
}

// TestNativeHoldsNoLock would hang otherwise.
func TestNativeHoldsNoLock(t *testing.T) {
	t.Parallel()
	r := samples(t)
	got, err := r.Find(t.Context(), repo.Native(func(e *sample) bool {
		must(t, r.DeleteByID(t.Context(), e.ID))
		return true
	}))
	must(t, err)
	if len(got) != 3 {
		t.Fatalf("got %d", len(got))
	}
}
