package main

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// TestBulkWaysStoreTheSame takes every way, on every store that there is.
func TestBulkWaysStoreTheSame(t *testing.T) {
	t.Parallel()
	for _, k := range groupStores() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			if k.missing() {
				t.Skip(k.variable + " is not set")
			}
			s, err := k.open(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := closeStore(context.Background(), s); err != nil {
					t.Error(err)
				}
			}()
			if err := s.db.AutoMigrate(&bulkRow{}); err != nil {
				t.Fatal(err)
			}
			r, err := gormrepo.New[bulkRow](s.db, nil)
			if err != nil {
				t.Fatal(err)
			}
			tryBulkWays(t, r, s)
		})
	}
}

func tryBulkWays(t *testing.T, r *gormrepo.Repository[bulkRow], s *store) {
	t.Helper()
	rows := bulkRows(50)
	stored := func(what string) {
		t.Helper()
		var got []*bulkRow
		if err := s.db.Order("id").Find(&got).Error; err != nil || len(got) != len(rows) {
			t.Fatalf("%s: %d rows, %v", what, len(got), err)
		}
		for i, e := range got {
			if !e.is(*rows[i]) {
				t.Fatalf("%s: %+v is stored, want %+v", what, *e, *rows[i])
			}
		}
	}
	for i, save := range bulkWays(r, s) {
		if save == nil {
			continue
		}
		if err := s.db.Exec("DELETE FROM bulk_rows").Error; err != nil {
			t.Fatal(err)
		}
		for _, what := range []string{"new rows, ", "existing rows, "} {
			for _, e := range rows {
				e.N++
			}
			if err := save(t.Context(), rows); err != nil {
				t.Fatalf("%s%s: %v", what, bulkWayName(i), err)
			}
			stored(what + bulkWayName(i))
		}
	}
	docs, err := newBulkDocuments(rows)
	if err != nil {
		t.Fatal(err)
	}
	for i, merge := range mergeWays(r, s.db) {
		if err := docs.change(mergeOne); err != nil {
			t.Fatal(err)
		}
		if err := merge(t.Context(), docs.texts); err != nil {
			t.Fatalf("%s: %v", mergeWayName(i), err)
		}
		stored(mergeWayName(i))
	}
}

func TestBulkIsReported(t *testing.T) {
	t.Parallel()
	kinds := groupStores()
	times := func(ms ...float64) []bulkCosts {
		return lo.Map(ms, func(x float64, _ int) bulkCosts { return bulkCosts{[]float64{x}, []float64{x * (1 << 20)}} })
	}
	b := &bench{report: &report{}, members: 1}
	sqlite := times(10, 20, 300)
	b.reportBulk([]bulkFigures{
		{storeKind: kinds[0], about: "made up", existing: append(sqlite, bulkCosts{}), fresh: append(sqlite, bulkCosts{}), merge: times(10, 200, 30)},
		{storeKind: kinds[1], about: "made up", existing: times(10, 20, 300, 8), fresh: times(10, 11, 90, 9.5), merge: times(10, 200, 30), memory: []float64{1.5, 3}},
		{storeKind: kinds[2]},
	})
	text := b.report.text(false)
	for _, want := range []string{
		"| `SaveAll` of 10000 existing rows, PostgreSQL | `CreateInBatches(1000)` | at least 1.5x | 2x | met |",
		"| `SaveAll` of 10000 existing rows, PostgreSQL | the best hand-written statement | at least 0.9x | 0.8x | **missed** |",
		"| `SaveAll` of 10000 existing rows, PostgreSQL | the bytes that `CreateInBatches(1000)` allocates | at most 0.5x | 0.5x | met |",
		"| `SaveAll` of 10000 new rows, PostgreSQL | a `db.Save` loop in one transaction | at least 10x | 9x | **missed** |",
		"| `SmartSave`, Merge of 10000 documents, 1 of 20 changed, PostgreSQL | load, merge and a `db.Save` loop | at least 10x | 20x | met |",
		"| live heap of `SmartSave` of 100000 documents, one transaction | bytes of the documents | at most 2x | 3x | **missed** |",
		"- MySQL or MariaDB: not measured, MYSQL_DSN was not set\n",
		"| existing rows, a `db.Save` loop in one transaction | 300 | 300 | 30x | 0.0333x |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if strings.Count(text, "the best hand-written statement | 8") != 1 {
		t.Error("a way without figures has a line")
	}
}

func TestPeakOfTheHeap(t *testing.T) {
	t.Parallel()
	const size = 64 << 20
	var held []byte
	peak, err := peakOf(func() error { held = make([]byte, size); return nil })
	runtime.KeepAlive(held)
	if err != nil || peak < size/2 { // other tests let go of something
		t.Errorf("a peak of %v, %v", peak, err)
	}
}
