package gormstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
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

const manyValues = 70_000

// Without interpolation MySQL counts parameters too, and takes no list apart.
func TestGormLimits_PreparedStatementsOfMySQL(t *testing.T) {
	t.Parallel()
	c, err := mysql.ParseDSN(sqldb.MySQLDatabase(t))
	check.Must(t, err)
	c.Params = map[string]string{"interpolateParams": "false"}
	db := sqldb.Open(t, drivers.SQLConfig{Dialect: drivers.MySQL, DSN: c.FormatDSN()})
	r := sqldb.Repository[gormItem](t, db, nil)
	_, err = r.Find(t.Context(), repo.F[gormItem, int64]("ID").In(lo.Times(manyValues, func(i int) int64 { return int64(i) })...))
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
