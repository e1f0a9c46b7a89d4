package mongostore_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// BenchmarkMongoFence saves and changes entities without a fence and with it,
// each caller its own. The stand-in finds the document of a fenced write by a
// command of its own, so MongoDB's ratio is another.
func BenchmarkMongoFence(b *testing.B) {
	db := mongodb.Database(b)
	fences := map[string]func(ctx context.Context) context.Context{
		"Plain":  func(ctx context.Context) context.Context { return ctx },
		"Fenced": func(ctx context.Context) context.Context { return mongoHeld(ctx, 1) },
	}
	ways := map[string]func(ctx context.Context, r *mongorepo.Repository[tally], id string, n int64) error{
		"Save": func(ctx context.Context, r *mongorepo.Repository[tally], id string, n int64) error {
			return r.Save(ctx, &tally{ID: id, N: n})
		},
		"Update": func(ctx context.Context, r *mongorepo.Repository[tally], id string, n int64) error {
			_, err := r.Update(ctx, id, func(e *tally) error { e.N = n; return nil })
			return err
		},
	}
	for _, callers := range []int{1, 64} {
		for _, way := range []string{"Save", "Update"} {
			for _, fence := range []string{"Plain", "Fenced"} {
				b.Run(fmt.Sprintf("%s/%s/%d", way, fence, callers), func(b *testing.B) {
					r, err := mongorepo.New[tally](db.Collection(servers.UniqueName("c_")), nil)
					if err != nil {
						b.Fatal(err)
					}
					benchCallers(b, callers, func(id string) func(n int64) error {
						if err := r.Save(b.Context(), &tally{ID: id}); err != nil {
							b.Fatal(err)
						}
						ctx := fences[fence](b.Context())
						return func(n int64) error { return ways[way](ctx, r, id, n) }
					})
				})
			}
		}
	}
}

// benchCallers shares the work among so many callers, which are made first.
func benchCallers(b *testing.B, callers int, make1 func(id string) func(n int64) error) {
	b.Helper()
	calls := make([]func(int64) error, callers)
	for i := range calls {
		calls[i] = make1(servers.UniqueName("bench_"))
	}
	var n atomic.Int64
	failed := make(chan error, callers)
	b.ResetTimer()
	for _, call := range calls {
		go func() {
			for {
				i := n.Add(1)
				if i > int64(b.N) {
					failed <- nil
					return
				}
				if err := call(i); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	for range calls {
		if err := <-failed; err != nil {
			b.Error(err)
		}
	}
}
