package fenced_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// BenchmarkFence saves one existing entity, or ten, with and without a fence,
// by one caller and by 64 who each have a key of their own. It is what the
// promise costs, without the lock.
func BenchmarkFence(b *testing.B) {
	for _, backend := range sqldb.Backends()[:3] {
		for _, callers := range []int{1, 64} {
			for _, size := range []int{1, 10} {
				b.Run(fmt.Sprintf("%s/%d/rows=%d", backend.Name, callers, size), func(b *testing.B) {
					db := backend.Open(b)
					check.Must(b, gormrepo.MigrateFence(b.Context(), db))
					r := sqldb.Repository[sqldb.GormCounter](b, db, nil)
					for _, way := range []string{"plain", "fenced"} {
						b.Run(way, func(b *testing.B) { benchFence(b, r, callers, size, way == "fenced") })
					}
				})
			}
		}
	}
}

// benchToken grows over the rounds of a benchmark, which share a database.
var benchToken atomic.Int64

func benchFence(b *testing.B, r *gormrepo.Repository[sqldb.GormCounter], callers, size int, withFence bool) {
	b.Helper()
	type caller struct {
		ctx context.Context
		es  []*sqldb.GormCounter
	}
	list := make([]caller, callers)
	for i := range list {
		list[i].ctx = b.Context()
		if withFence {
			list[i].ctx = driver.WithFence(b.Context(), fences.Turn(benchToken.Add(1), servers.UniqueName(""), 1, fmt.Sprint("bench-", i)))
		}
		for n := range size {
			list[i].es = append(list[i].es, &sqldb.GormCounter{ID: int64(i*size + n)})
		}
		check.Must(b, r.SaveAll(b.Context(), list[i].es))
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for i := range list {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				for _, e := range list[i].es {
					e.N++
				}
				if err := r.SaveAll(list[i].ctx, list[i].es); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
