package gormstore_test

import (
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
)

type feedRow struct {
	ID      int64
	SKU     string `gorm:"size:40;uniqueIndex"`
	Name    string `gorm:"size:100"`
	Stock   int64
	Price   float64
	Made    time.Time `holdfast:"created"`
	Seen    time.Time `holdfast:"updated"`
	Version int64     `holdfast:"version"`
}

func feed(rows, from int) []*feedRow {
	list := make([]*feedRow, rows)
	for i := range list {
		list[i] = &feedRow{SKU: fmt.Sprintf("sku-%08d", from+i), Name: fmt.Sprint("name ", from+i), Stock: int64(i), Price: 1.5}
	}
	return list
}

// BenchmarkUpsertBy saves 10,000 rows by their natural key, a tenth of that without
// HOLDFAST_SOAK: all new, all stored, and half of each. Next to it stands INSERT ... ON
// CONFLICT by hand.
func BenchmarkUpsertBy(b *testing.B) {
	rows := scale.Full(10_000)
	sku := repo.MustField[feedRow, string]("SKU")
	for _, mode := range []struct {
		name string
		step int // how far the first row of a round is behind that of the one before
	}{{"new", rows}, {"half", rows / 2}, {"stored", 0}} {
		b.Run(mode.name+"/UpsertBy", func(b *testing.B) {
			r := sqldb.Repository[feedRow](b, sqldb.Postgres(b), nil)
			upsertRounds(b, rows, mode.step, func(list []*feedRow) error {
				_, err := r.UpsertBy(b.Context(), list, sku)
				return err
			})
		})
		b.Run(mode.name+"/by hand", func(b *testing.B) {
			db := sqldb.Postgres(b)
			check.Must(b, db.AutoMigrate(new(feedRow)))
			upsertRounds(b, rows, mode.step, func(list []*feedRow) error { return upsertByHand(db, list) })
		})
	}
}

func upsertRounds(b *testing.B, rows, step int, upsert func(list []*feedRow) error) {
	b.Helper()
	check.Must(b, upsert(feed(rows, 0)))
	for from := step; b.Loop(); from += step {
		b.StopTimer()
		list := feed(rows, from)
		b.StartTimer()
		check.Must(b, upsert(list))
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func upsertByHand(db *gorm.DB, list []*feedRow) error {
	now := time.Now()
	for _, e := range list {
		e.Made, e.Seen, e.Version = now, now, 1
	}
	next := clause.Assignment{Column: clause.Column{Name: "version"}, Value: clause.Expr{SQL: "?.version + 1", Vars: []any{clause.Table{Name: clause.CurrentTable}}}}
	return db.Transaction(func(tx *gorm.DB) error {
		return tx.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "sku"}},
			DoUpdates: append(clause.AssignmentColumns([]string{"name", "stock", "price", "seen"}), next),
		}).CreateInBatches(list, 1000).Error
	})
}
