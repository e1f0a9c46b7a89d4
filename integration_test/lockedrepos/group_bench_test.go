package lockedrepos_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// BenchmarkGroup has callers save rows of their own, all of one type: by GORM without
// a lock, by a locked repository that saves each call by itself, and by one that saves
// together what waits for the lock.
func BenchmarkGroup(b *testing.B) {
	for _, backend := range sqldb.Backends()[:3] {
		for _, callers := range []int{1, 64, 256} {
			for _, size := range []int{1, benchBatch} {
				b.Run(fmt.Sprintf("%s/%d/rows=%d", backend.Name, callers, size), func(b *testing.B) {
					db := backend.Open(b)
					check.Must(b, gormrepo.MigrateFence(b.Context(), db))
					locker := locks.BenchLocker(b)
					check.Must(b, db.AutoMigrate(&sqldb.GormCounter{}))
					plain := sqldb.Repository[sqldb.GormCounter](b, db, nil)
					separate, err := lockedrepo.New(plain, locker, &lockedrepo.Options{Key: "bench", Separate: true})
					check.Must(b, err)
					together, err := lockedrepo.New(plain, locker, &lockedrepo.Options{Key: "bench"})
					check.Must(b, err)
					quick := db.Session(&gorm.Session{SkipDefaultTransaction: true})
					for _, way := range []struct {
						name string
						save func(context.Context, []*sqldb.GormCounter) error
					}{
						{"gorm", func(ctx context.Context, es []*sqldb.GormCounter) error {
							return upsert(db.WithContext(ctx)).Create(es).Error
						}},
						{"gormSkipTx", func(ctx context.Context, es []*sqldb.GormCounter) error {
							return upsert(quick.WithContext(ctx)).Create(es).Error
						}},
						{"separate", separate.SaveAll},
						{"together", together.SaveAll},
					} {
						b.Run(way.name, func(b *testing.B) { benchGroup(b, callers, size, way.save) })
					}
				})
			}
		}
	}
}

// BenchmarkGroupUpdate has callers change rows of their own: by GORM in a transaction
// that reads the row for update, and by locked repositories as BenchmarkGroup has them.
func BenchmarkGroupUpdate(b *testing.B) {
	for _, backend := range sqldb.Backends()[1:3] { // SQLite cannot read for update
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d", backend.Name, callers), func(b *testing.B) {
				db := backend.Open(b)
				check.Must(b, gormrepo.MigrateFence(b.Context(), db))
				locker := locks.BenchLocker(b)
				plain := sqldb.Repository[sqldb.GormCounter](b, db, nil)
				separate, err := lockedrepo.New(plain, locker, &lockedrepo.Options{Key: "bench", Separate: true})
				check.Must(b, err)
				together, err := lockedrepo.New(plain, locker, &lockedrepo.Options{Key: "bench"})
				check.Must(b, err)
				for id := range callers + 1 {
					check.Must(b, plain.Save(b.Context(), &sqldb.GormCounter{ID: int64(id)}))
				}
				locked := func(r *lockedrepo.Repository[sqldb.GormCounter]) func(context.Context, []*sqldb.GormCounter) error {
					return func(ctx context.Context, es []*sqldb.GormCounter) error {
						_, err := r.Update(ctx, es[0].ID, func(e *sqldb.GormCounter) error { e.N++; return nil })
						return err
					}
				}
				byHand := func(ctx context.Context, es []*sqldb.GormCounter) error {
					return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
						var e sqldb.GormCounter
						if err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Take(&e, es[0].ID).Error; err != nil {
							return err
						}
						return tx.Model(&e).Update("n", e.N+1).Error
					})
				}
				for name, save := range map[string]func(context.Context, []*sqldb.GormCounter) error{
					"gorm": byHand, "separate": locked(separate), "together": locked(together),
				} {
					b.Run(name, func(b *testing.B) { benchGroup(b, callers, 1, save) })
				}
			})
		}
	}
}

func benchGroup(b *testing.B, callers, size int, save func(context.Context, []*sqldb.GormCounter) error) {
	b.Helper()
	lists := make([][]*sqldb.GormCounter, callers)
	for i := range lists {
		for n := range size {
			lists[i] = append(lists[i], &sqldb.GormCounter{ID: int64(i*size + n + 1)})
		}
		check.Must(b, save(b.Context(), lists[i]))
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for _, es := range lists {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				for _, e := range es {
					e.N++
				}
				if err := save(b.Context(), es); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
