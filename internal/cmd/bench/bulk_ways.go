package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// Places of the ways to save many rows.
const (
	bulkSaveAll = iota
	bulkBatches
	bulkLoop
	bulkByHand // PostgreSQL only
)

func bulkWayName(i int) string {
	return []string{"`SaveAll`", fmt.Sprintf("`CreateInBatches(%d)`", bulkBatch), "a `db.Save` loop in one transaction", "the best hand-written statement"}[i]
}

// Places of the ways to merge many documents.
const (
	mergeSmart = iota
	mergeLoop
	mergeChanged
)

func mergeWayName(i int) string {
	return []string{"`SmartSave`, Merge", "load, merge and a `db.Save` loop", "load, merge and `db.Save` of what changed"}[i]
}

// bulkWays are in the order of the ways, nil where there is none.
func bulkWays(r *gormrepo.Repository[bulkRow], s *store) []saveFunc[bulkRow] {
	ways := []saveFunc[bulkRow]{
		bulkSaveAll: r.SaveAll,
		bulkBatches: func(ctx context.Context, rows []*bulkRow) error {
			return s.db.WithContext(ctx).Clauses(clause.OnConflict{UpdateAll: true}).CreateInBatches(rows, bulkBatch).Error
		},
		bulkLoop: func(ctx context.Context, rows []*bulkRow) error {
			return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
				for _, e := range rows {
					if err := tx.Save(e).Error; err != nil {
						return err
					}
				}
				return nil
			})
		},
		bulkByHand: nil,
	}
	if s.schema != "" {
		ways[bulkByHand] = func(ctx context.Context, rows []*bulkRow) error { return unnestRows(ctx, s.db, rows) }
	}
	return ways
}

const unnestStatement = `INSERT INTO bulk_rows (id, n, name, city, email, text, price, seen)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::float8[], $8::timestamptz[])
ON CONFLICT (id) DO UPDATE SET n = excluded.n, name = excluded.name, city = excluded.city, email = excluded.email,
text = excluded.text, price = excluded.price, seen = excluded.seen`

// unnestRows sends each column as one list.
func unnestRows(ctx context.Context, db *gorm.DB, rows []*bulkRow) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	_, err = pool.ExecContext(ctx, unnestStatement,
		column(rows, func(r *bulkRow) int64 { return r.ID }),
		column(rows, func(r *bulkRow) int64 { return r.N }),
		column(rows, func(r *bulkRow) string { return r.Name }),
		column(rows, func(r *bulkRow) string { return r.City }),
		column(rows, func(r *bulkRow) string { return r.Email }),
		column(rows, func(r *bulkRow) string { return r.Text }),
		column(rows, func(r *bulkRow) float64 { return r.Price }),
		column(rows, func(r *bulkRow) time.Time { return r.Seen }))
	return err
}

func column[V any](rows []*bulkRow, of func(*bulkRow) V) []V {
	return lo.Map(rows, func(r *bulkRow, _ int) V { return of(r) })
}

// mergeFunc merges documents into the rows that are there.
type mergeFunc func(ctx context.Context, docs []string) error

// mergeWays are in the order of the ways.
func mergeWays(r *gormrepo.Repository[bulkRow], db *gorm.DB) []mergeFunc {
	return []mergeFunc{
		mergeSmart: func(ctx context.Context, docs []string) error {
			_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: docs}, repo.Merge(), repo.MaxDocuments(len(docs)))
			return err
		},
		mergeLoop:    func(ctx context.Context, docs []string) error { return mergeByHand(ctx, db, docs, false) },
		mergeChanged: func(ctx context.Context, docs []string) error { return mergeByHand(ctx, db, docs, true) },
	}
}

// mergeByHand does in one transaction what a service without SmartSave does.
func mergeByHand(ctx context.Context, db *gorm.DB, docs []string, onlyChanged bool) error {
	ids := make([]int64, len(docs))
	for i, doc := range docs {
		var key struct {
			ID int64 `json:"id"`
		}
		if err := json.Unmarshal([]byte(doc), &key); err != nil {
			return err
		}
		ids[i] = key.ID
	}
	return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var rows []*bulkRow
		if err := tx.Find(&rows, ids).Error; err != nil {
			return err
		}
		stored := lo.KeyBy(rows, func(r *bulkRow) int64 { return r.ID })
		for i, doc := range docs {
			e := cmp.Or(stored[ids[i]], &bulkRow{})
			before := *e
			if err := json.Unmarshal([]byte(doc), e); err != nil {
				return err
			}
			if onlyChanged && e.is(before) {
				continue
			}
			if err := tx.Save(e).Error; err != nil {
				return err
			}
		}
		return nil
	})
}
