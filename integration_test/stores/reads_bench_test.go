package stores_test

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

// BenchmarkPage reads a page of 50 rows behind a million others, a tenth of that without
// HOLDFAST_SOAK: by an offset, and by the cursor of the window before. The first page stands
// next to them.
func BenchmarkPage(b *testing.B) {
	depth := scale.Full(1_000_000)
	r := linesOn(b, sqldb.Postgres(b))
	saveLines(b.Context(), b, r, depth+depth/10, 200)
	tx := lo.Must(r.Native(b.Context()))
	check.Must(b, tx.Exec(`CREATE INDEX ON lines ("group", id)`).Error)
	check.Must(b, tx.Exec("ANALYZE lines").Error)
	cursors := lo.Must(repo.NewCursors(bytes.Repeat([]byte{1}, repo.MinCursorKey)))
	for _, by := range []struct {
		name string
		sort []repo.Option
	}{
		{"id", nil},
		{"group", []repo.Option{repo.F[line, int64]("Group").Asc()}},
	} {
		const size = 50
		last, err := r.Find(b.Context(), append(by.sort, repo.F[line, int64]("ID").Asc(), repo.Offset(depth-1), repo.Limit(1))...)
		check.Must(b, err)
		deep := cursorBehind(b, cursors, last[0], by.sort)
		for _, w := range []struct {
			name string
			read func() error
		}{
			{"first/offset", func() error {
				_, err := repo.FindPage(b.Context(), r, repo.PageRequest{Size: size}, by.sort...)
				return err
			}},
			{"first/keyset", func() error {
				_, err := repo.FindWindow(b.Context(), r, cursors, repo.WindowRequest{Size: size}, by.sort...)
				return err
			}},
			{strconv.Itoa(depth) + "/offset", func() error {
				_, err := repo.FindPage(b.Context(), r, repo.PageRequest{Number: depth / size, Size: size}, by.sort...)
				return err
			}},
			{strconv.Itoa(depth) + "/keyset", func() error {
				_, err := repo.FindWindow(b.Context(), r, cursors, repo.WindowRequest{Size: size, After: deep}, by.sort...)
				return err
			}},
		} {
			b.Run(by.name+"/"+w.name, func(b *testing.B) {
				check.Must(b, w.read())
				for b.Loop() {
					check.Must(b, w.read())
				}
			})
		}
	}
}

// cursorBehind is the cursor behind e. That of a store in memory is the same.
func cursorBehind(b *testing.B, c *repo.Cursors, e *line, by []repo.Option) string {
	b.Helper()
	few := lo.Must(memrepo.New[line](nil))
	check.Must(b, few.SaveAll(b.Context(), []*line{e, {ID: e.ID + 1, Group: e.Group + 1}}))
	w, err := repo.FindWindow(b.Context(), few, c, repo.WindowRequest{Size: 1}, by...)
	check.Must(b, err)
	return w.Next
}

// BenchmarkStream reads all rows of a table, one by one: as a stream, and in batches by the
// primary key as GORM offers it.
func BenchmarkStream(b *testing.B) {
	n := scale.Full(1_000_000)
	for _, backend := range sqldb.Backends()[:3] {
		b.Run(backend.Name, func(b *testing.B) {
			r := linesOn(b, backend.Open(b))
			saveLines(b.Context(), b, r, n, 200)
			for _, w := range []struct {
				name string
				read func() (int, error)
			}{
				{"gorm/FindInBatches", func() (seen int, err error) {
					var list []*line
					err = lo.Must(r.Native(b.Context())).FindInBatches(&list, 1000, func(*gorm.DB, int) error {
						seen += len(list)
						return nil
					}).Error
					return seen, err
				}},
				{"repo/Stream", func() (seen int, err error) {
					for _, err := range repo.Stream(b.Context(), r) {
						if err != nil {
							return seen, err
						}
						seen++
					}
					return seen, nil
				}},
			} {
				b.Run(w.name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						_, err := w.read()
						check.Must(b, err)
					}
					b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
				})
			}
		})
	}
}
