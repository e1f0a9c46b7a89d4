package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/samber/lo"
)

// bulkRow is what is saved in great numbers. It has eight columns.
type bulkRow struct {
	ID    int64     `gorm:"primaryKey;autoIncrement:false" json:"id"`
	N     int64     `json:"n"`
	Name  string    `json:"name"`
	City  string    `json:"city"`
	Email string    `json:"email"`
	Text  string    `json:"text"`
	Price float64   `json:"price"`
	Seen  time.Time `json:"seen"`
}

// bulkRows have the ids from 1.
func bulkRows(n int) []*bulkRow {
	seen := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	return lo.Times(n, func(i int) *bulkRow {
		return &bulkRow{
			ID: int64(i + 1), Name: fmt.Sprint("name of ", i), City: "Somewhere", Email: fmt.Sprintf("name%d@example.com", i),
			Text: groupText(), Price: float64(i) / 4, Seen: seen.Add(time.Duration(i) * time.Second),
		}
	})
}

// is tells that two rows are the same, their times too.
func (r bulkRow) is(than bulkRow) bool {
	same := r.Seen.Equal(than.Seen)
	r.Seen = than.Seen
	return same && r == than
}

// bulkDocuments are rows as JSON, one document each.
type bulkDocuments struct {
	rows  []*bulkRow
	texts []string
}

func newBulkDocuments(rows []*bulkRow) (*bulkDocuments, error) {
	d := &bulkDocuments{rows, make([]string, len(rows))}
	return d, d.change(1)
}

// change has one row of so many changed, and its document with it.
func (d *bulkDocuments) change(one int) error {
	for i := 0; i < len(d.rows); i += one {
		d.rows[i].N++
		text, err := json.Marshal(d.rows[i])
		if err != nil {
			return err
		}
		d.texts[i] = string(text)
	}
	return nil
}

// size is in bytes.
func (d *bulkDocuments) size() float64 {
	return float64(lo.SumBy(d.texts, func(text string) int { return len(text) }))
}
