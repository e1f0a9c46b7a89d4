package fenced_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
)

// suspectOwner is what a suspectRow can belong to.
type suspectOwner struct {
	ID int64 `gorm:"primaryKey;autoIncrement:false"`
}

// suspectRow has a first column that is not its key, where a refusal shows a number that may
// be the key of another row.
type suspectRow struct {
	N       int64  `gorm:"check:suspect_rows_n,n >= -1000"`
	ID      int64  `gorm:"primaryKey;autoIncrement:false"`
	Email   string `gorm:"size:60;uniqueIndex"`
	OwnerID *int64
	Owner   *suspectOwner
	Note    string `gorm:"size:5"`
}

// A list that is refused names the element that was refused, whatever the error of the
// database seems to say, and nothing of it is stored.
func TestGormFence_NamesTheRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(rows []*suspectRow)
		want  []int // one of them
	}{
		"Check":           {func(rows []*suspectRow) { rows[7].N = -2000 }, []int{7}},
		"CheckOfTheFirst": {func(rows []*suspectRow) { rows[0].N = -2000 }, []int{0}},
		"CheckOfTheLast":  {func(rows []*suspectRow) { rows[39].N = -2000 }, []int{39}},
		// The first column of the row that is shown is the key of another one.
		"AnothersKey":     {func(rows []*suspectRow) { rows[30].N, rows[4].ID = -2000, -2000 }, []int{30}},
		"Two":             {func(rows []*suspectRow) { rows[30].N, rows[9].N = -2000, -3000 }, []int{9, 30}},
		"Unique":          {func(rows []*suspectRow) { rows[11].Email = "taken, (id)=(3)" }, []int{11}},
		"UniqueInTheList": {func(rows []*suspectRow) { rows[11].Email, rows[22].Email = "both", "both" }, []int{11, 22}},
		"ForeignKey":      {func(rows []*suspectRow) { rows[20].OwnerID = new(int64(7)) }, []int{20}},
		// The number of the owner is that of a row too.
		"ForeignKeyThatIsAKey": {func(rows []*suspectRow) { rows[20].OwnerID = new(int64(105)) }, []int{20}},
		"TooLong":              {func(rows []*suspectRow) { rows[13].Note = "longer than that" }, []int{13}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
				if name == "TooLong" && db.Name() == "sqlite" {
					return // keeps texts of any length
				}
				if db.Name() == "sqlite" {
					check.Must(t, db.Exec("PRAGMA foreign_keys = ON").Error)
				}
				r := sqldb.Repository[suspectRow](t, db, nil)
				check.Must(t, r.Save(ctx, &suspectRow{ID: 1, Email: "taken, (id)=(3)"}))
				fenced := fences.Turn(5, "a", 1, "k").With(ctx)
				for how, save := range map[string]func(rows []*suspectRow) error{
					"Plain":  func(rows []*suspectRow) error { return r.SaveAll(ctx, rows) },
					"Fenced": func(rows []*suspectRow) error { return r.SaveAll(fenced, rows) },
					"InTx": func(rows []*suspectRow) error {
						return r.InTx(fenced, func(ctx context.Context) error { return r.SaveAll(ctx, rows) })
					},
				} {
					rows := lo.Times(40, func(i int) *suspectRow {
						return &suspectRow{ID: int64(100 + i), N: int64(i), Email: fmt.Sprint("e", i)}
					})
					c.spoil(rows)
					err := save(rows)
					batch, ok := errors.AsType[*repo.BatchError](err)
					if !ok || len(batch.Items) != 1 || !slices.Contains(c.want, batch.Items[0].Index) || batch.Items[0].ID != rows[batch.Items[0].Index].ID {
						t.Errorf("%s: got %v, want one of the elements %v named", how, err, c.want)
					}
					if n, err := r.Count(ctx); err != nil || n != 1 {
						t.Errorf("%s: %d rows are stored, %v", how, n, err)
					}
				}
			})
		})
	}
}
