package mongorepo

import (
	"context"
	"sync"

	"go.mongodb.org/mongo-driver/v2/mongo"
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
	var mu sync.Mutex
	var first error
	next := func() (e E, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if len(list) == 0 || first != nil {
			return e, false
		}
		e, list = list[0], list[1:]
		return e, true
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for e, ok := next(); ok; e, ok = next() {
				if err := fn(e); err != nil {
					mu.Lock()
					if first == nil {
						first = err
					}
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return first
}
