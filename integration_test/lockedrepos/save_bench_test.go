package lockedrepos_test

import (
	"context"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/lockedrepo"
)

// benchBatch is how many entities one SaveAll saves.
const benchBatch = 10

// BenchmarkSave saves one existing entity. The baseline is GORM's own upsert of
// the same row, by hand.
func BenchmarkSave(b *testing.B) {
	onSQLBench(b, []benchWay{
		{"gorm", func(ctx context.Context, k *bank, es []*account) error {
			return upsert(k.db.WithContext(ctx)).Create(es[0]).Error
		}},
		{"gormrepo", func(ctx context.Context, k *bank, es []*account) error { return k.plain.Save(ctx, es[0]) }},
		{"lockedrepo", func(ctx context.Context, k *bank, es []*account) error { return k.accounts.Save(ctx, es[0]) }},
	})
}

// BenchmarkSaveAll saves ten existing entities at once, as BenchmarkSave does
// one.
func BenchmarkSaveAll(b *testing.B) {
	onSQLBench(b, []benchWay{
		{"gorm", func(ctx context.Context, k *bank, es []*account) error {
			return upsert(k.db.WithContext(ctx)).Create(es).Error
		}},
		{"gormrepo", func(ctx context.Context, k *bank, es []*account) error { return k.plain.SaveAll(ctx, es) }},
		{"lockedrepo", func(ctx context.Context, k *bank, es []*account) error { return k.accounts.SaveAll(ctx, es) }},
	})
}

// upsert makes GORM's Create save rows that may exist.
func upsert(db *gorm.DB) *gorm.DB { return db.Clauses(clause.OnConflict{UpdateAll: true}) }

// benchWay is one way to save.
type benchWay struct {
	name string
	save func(ctx context.Context, k *bank, es []*account) error
}

func onSQLBench(b *testing.B, ways []benchWay) {
	b.Helper()
	for _, backend := range sqldb.Backends()[:2] { // SQLite and PostgreSQL; MySQL has the same shape
		b.Run(backend.Name, func(b *testing.B) {
			k := newBank(b, backend.Open(b), locks.BenchLocker(b), lockedrepo.Options{})
			es := make([]*account, benchBatch)
			for i := range es {
				es[i] = &account{ID: servers.UniqueName("bench-")}
			}
			check.Must(b, k.plain.SaveAll(b.Context(), es))
			for _, w := range ways {
				b.Run(w.name, func(b *testing.B) {
					b.ReportAllocs()
					check.Must(b, w.save(b.Context(), k, es)) // what is prepared once is no part of it
					for b.Loop() {
						for _, e := range es {
							e.Balance++
						}
						check.Must(b, w.save(b.Context(), k, es))
					}
				})
			}
		})
	}
}
