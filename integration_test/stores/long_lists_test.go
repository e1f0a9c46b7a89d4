package stores_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

type listed struct {
	ID   string `gorm:"primaryKey;size:50"`
	N    int64
	On   bool
	Rate float64
	At   time.Time
	Raw  []byte
}

const manyValues = 70_000

func TestLimits_LongListsOfValues(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		longLists(t, sqldb.Repository[listed](t, b.Open(t), nil))
	})
	t.Run("Memory", func(t *testing.T) {
		t.Parallel()
		r, err := memrepo.New[listed](nil)
		check.Must(t, err)
		longLists(t, r)
	})
	t.Run("MongoDB", func(t *testing.T) {
		t.Parallel()
		r, _ := mongodb.Repository[listed](t, nil)
		longLists(t, r)
	})
}

// longLists wants the answer, or an error that says what is wrong.
func longLists(t *testing.T, r repo.Repository[listed]) {
	t.Helper()
	ctx, at := t.Context(), time.Date(2026, 1, 2, 3, 4, 5, 123000000, time.UTC)
	odd := `k"{,}'\%`
	check.Must(t, r.SaveAll(ctx, []*listed{
		{ID: odd, N: 69_999, On: true, Rate: 0.1, At: at, Raw: []byte{0, 255}},
		{ID: "é", N: -1, On: true, Rate: 69_000.5, At: at.Add(manyValues * time.Hour), Raw: []byte("69000")},
		{ID: "other", N: -2, Rate: -1, At: at.Add(-time.Hour), Raw: []byte("x")},
	}))
	many := lo.Times(manyValues, func(i int) int64 { return int64(i) })
	texts := append(lo.Times(manyValues, func(i int) string { return fmt.Sprint("k", i) }), odd)
	times := func(i int) time.Time { return at.In(time.FixedZone("east", 8*3600)).Add(time.Duration(i) * time.Hour) }
	for name, c := range map[string]struct {
		cond repo.Option
		want int
	}{
		"Text":    {repo.F[listed, string]("ID").In(append(texts, "é")...), 2},
		"Numbers": {repo.F[listed, int64]("N").In(many...), 1},
		"Bools":   {repo.F[listed, bool]("On").In(lo.Times(manyValues, func(int) bool { return true })...), 2},
		"Rates":   {repo.F[listed, float64]("Rate").In(append(lo.Times(manyValues, func(i int) float64 { return float64(i) + 0.5 }), 0.1)...), 2},
		"Times":   {repo.F[listed, time.Time]("At").In(lo.Times(manyValues+1, times)...), 2},
		"Or":      {repo.Or(repo.F[listed, bool]("On").Eq(false), repo.F[listed, int64]("N").In(many...)), 2},
		"Not":     {repo.Not(repo.F[listed, int64]("N").In(many...)), 2},
		"NotIn":   {repo.F[listed, int64]("N").NotIn(many...), 2},
		"NotInOr": {repo.Or(repo.F[listed, int64]("N").NotIn(many...), repo.F[listed, bool]("On").Eq(true)), 3},
		"NotText": {repo.Not(repo.Or(repo.F[listed, string]("ID").In(texts...), repo.F[listed, int64]("N").Eq(-2))), 1},
		"Bytes":   {repo.F[listed, []byte]("Raw").In(append(lo.Times(manyValues, func(i int) []byte { return []byte(fmt.Sprint(i)) }), []byte{0, 255})...), 2},
	} {
		got, err := r.Find(ctx, c.cond)
		if errors.Is(err, repo.ErrTooMany) {
			t.Log(name, err)
			continue
		}
		if err != nil || len(got) != c.want {
			t.Errorf("%s: found %d, %v", name, len(got), err)
		}
	}
	ids := append(lo.Times(manyValues, func(i int) any { return fmt.Sprint("k", i) }), odd)
	if got, err := r.FindAllByID(ctx, ids); err != nil || len(got) != 1 {
		t.Errorf("found %d by id, %v", len(got), err)
	}
	if n, err := r.DeleteAllByID(ctx, ids); err != nil || n != 1 {
		t.Errorf("deleted %d, %v", n, err)
	}
}
