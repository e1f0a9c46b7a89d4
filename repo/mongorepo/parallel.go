package mongorepo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"golang.org/x/sync/errgroup"
)

// parallelWrites is how many single writes are under way at once.
const parallelWrites = 8

// workers is how many of n commands may be under way at once. A session takes one
// command at a time.
func workers(ctx context.Context, n int) int {
	if mongo.SessionFromContext(ctx) != nil {
		return 1
	}
	return min(parallelWrites, n)
}

// inParallel calls fn for each element from several goroutines, waits for all,
// and returns the first error. After an error no further element is begun.
func inParallel[E any](workers int, list []E, fn func(E) error) error {
	if workers <= 1 {
		for _, e := range list {
			if err := fn(e); err != nil {
				return err
			}
		}
		return nil
	}
	group, ctx := errgroup.WithContext(context.Background())
	group.SetLimit(workers)
	for _, e := range list {
		group.Go(func() error {
			select {
			case <-ctx.Done(): // one has failed
				return nil
			default:
				return fn(e)
			}
		})
	}
	return group.Wait()
}
