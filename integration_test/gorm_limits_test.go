package integration_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

// gormDozen and gormBroad have 85 columns together: 771 rows have as many parameters
// as a statement may have.
type gormDozen struct{ A, B, C, D, E, F, G, H, I, J, K, L int }

type gormBroad struct {
	ID int64     `gorm:"primaryKey;autoIncrement:false"`
	R  gormDozen `gorm:"embedded;embeddedPrefix:r"`
	S  gormDozen `gorm:"embedded;embeddedPrefix:s"`
	T  gormDozen `gorm:"embedded;embeddedPrefix:t"`
	U  gormDozen `gorm:"embedded;embeddedPrefix:u"`
	V  gormDozen `gorm:"embedded;embeddedPrefix:v"`
	W  gormDozen `gorm:"embedded;embeddedPrefix:w"`
	X  gormDozen `gorm:"embedded;embeddedPrefix:x"`
}

// severalClaims is a fence of so many keys that their parameters matter.
type severalClaims struct{ n int64 }

func (f *severalClaims) Claims() []repo.Claim {
	f.n++
	return lo.Times(30, func(i int) repo.Claim {
		return repo.Claim{Key: fmt.Sprint("key", i), Token: 1, Owner: "0123456789abcdef0123456789abcdef", Sub: f.n}
	})
}

func TestGormLimits_ParametersOfWideRows(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := b.Open(t)
		r := sqldb.Repository[gormBroad](t, db, nil)
		check.Must(t, gormrepo.MigrateFence(t.Context(), db))
		fenced := driver.WithFence(t.Context(), &severalClaims{})
		for n, ctx := range map[int]context.Context{1: t.Context(), 2: fenced} {
			for _, rows := range []int{770, 771} {
				list := lo.Times(rows, func(i int) *gormBroad { return &gormBroad{ID: int64(i), X: gormDozen{L: n*10_000 + rows}} })
				check.Must(t, r.SaveAll(ctx, list))
				found, err := r.Count(ctx, repo.F[gormBroad, int]("X.L").Eq(n*10_000+rows))
				check.Must(t, err)
				if found != int64(rows) {
					t.Errorf("%d rows", found)
				}
			}
		}
	})
}

type gormListed struct {
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
		longLists(t, sqldb.Repository[gormListed](t, b.Open(t), nil))
	})
	t.Run("Memory", func(t *testing.T) {
		t.Parallel()
		r, err := memrepo.New[gormListed](nil)
		check.Must(t, err)
		longLists(t, r)
	})
	t.Run("MongoDB", func(t *testing.T) {
		t.Parallel()
		r, _ := mongodb.Repository[gormListed](t, nil)
		longLists(t, r)
	})
}

// longLists wants the answer, or an error that says what is wrong.
func longLists(t *testing.T, r repo.Repository[gormListed]) {
	t.Helper()
	ctx, at := t.Context(), time.Date(2026, 1, 2, 3, 4, 5, 123000000, time.UTC)
	odd := `k"{,}'\%`
	check.Must(t, r.SaveAll(ctx, []*gormListed{
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
		"Text":    {repo.F[gormListed, string]("ID").In(append(texts, "é")...), 2},
		"Numbers": {repo.F[gormListed, int64]("N").In(many...), 1},
		"Bools":   {repo.F[gormListed, bool]("On").In(lo.Times(manyValues, func(int) bool { return true })...), 2},
		"Rates":   {repo.F[gormListed, float64]("Rate").In(append(lo.Times(manyValues, func(i int) float64 { return float64(i) + 0.5 }), 0.1)...), 2},
		"Times":   {repo.F[gormListed, time.Time]("At").In(lo.Times(manyValues+1, times)...), 2},
		"Or":      {repo.Or(repo.F[gormListed, bool]("On").Eq(false), repo.F[gormListed, int64]("N").In(many...)), 2},
		"Not":     {repo.Not(repo.F[gormListed, int64]("N").In(many...)), 2},
		"NotIn":   {repo.F[gormListed, int64]("N").NotIn(many...), 2},
		"NotInOr": {repo.Or(repo.F[gormListed, int64]("N").NotIn(many...), repo.F[gormListed, bool]("On").Eq(true)), 3},
		"NotText": {repo.Not(repo.Or(repo.F[gormListed, string]("ID").In(texts...), repo.F[gormListed, int64]("N").Eq(-2))), 1},
		"Bytes":   {repo.F[gormListed, []byte]("Raw").In(append(lo.Times(manyValues, func(i int) []byte { return []byte(fmt.Sprint(i)) }), []byte{0, 255})...), 2},
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

// Without interpolation MySQL counts parameters too, and takes no list apart.
func TestGormLimits_PreparedStatementsOfMySQL(t *testing.T) {
	t.Parallel()
	c, err := mysql.ParseDSN(sqldb.MySQLDatabase(t))
	check.Must(t, err)
	c.Params = map[string]string{"interpolateParams": "false"}
	db := sqldb.Open(t, drivers.SQLConfig{Dialect: drivers.MySQL, DSN: c.FormatDSN()})
	r := sqldb.Repository[gormListed](t, db, nil)
	_, err = r.Find(t.Context(), repo.F[gormListed, int64]("N").In(lo.Times(manyValues, func(i int) int64 { return int64(i) })...))
	if !errors.Is(err, repo.ErrTooMany) {
		t.Errorf("got %.200v", err)
	}
	wide := sqldb.Repository[gormBroad](t, db, nil)
	check.Must(t, wide.SaveAll(t.Context(), lo.Times(771, func(i int) *gormBroad { return &gormBroad{ID: int64(i)} })))
}

// A list that is as long works together with other conditions and orders.
func TestGormLimits_LongListsWithOtherConditions(t *testing.T) {
	t.Parallel()
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		r := sqldb.Repository[gormItem](t, b.Open(t), nil)
		check.Must(t, r.SaveAll(t.Context(), gormItems(30, 0)))
		ids := lo.Times(manyValues, func(i int) int64 { return int64(i + 5) })
		id := repo.F[gormItem, int64]("ID")
		q := []repo.Option{
			repo.Or(id.In(ids...), id.Eq(1)), id.Lt(20), id.Desc(), repo.Limit(3), repo.Offset(14),
			repo.Native(func(db *gorm.DB) *gorm.DB { return db.Where("name = ?", "n") }),
		}
		got, err := r.Find(t.Context(), q...)
		check.Must(t, err)
		if ids := lo.Map(got, func(e *gormItem, _ int) int64 { return e.ID }); fmt.Sprint(ids) != "[5 1]" {
			t.Errorf("got %v", ids)
		}
	})
}
