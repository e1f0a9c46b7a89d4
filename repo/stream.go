package repo

import (
	"context"
	"fmt"
	"iter"

	"github.com/holdfast-go/holdfast/repo/internal/query"
)

// Stream yields the entities that Find would return, one by one, so that the memory does
// not grow with their number. What it reads from is closed when the loop ends: at its end,
// on break, on a panic and when ctx is done. An error comes last and without an entity.
//
//	for o, err := range repo.Stream(ctx, orders, status.Eq("open")) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// On SQL and MongoDB a stream has a connection of its own while the loop runs, outside of
// any lock; calls in the loop use others. In memory it yields what was stored when the
// loop began.
//
// In a transaction, and under a hold of a locked repository, it locks and sees what Find
// does, and it reads all entities before it yields the first one, because the calls in the
// loop need the connection. A repository that has no streams yields ErrUnsupported.
func Stream[T any](ctx context.Context, r Repository[T], q ...Option) iter.Seq2[*T, error] {
	reader, ok := As[query.Reader[T]](r)
	if !ok {
		return func(yield func(*T, error) bool) {
			yield(nil, fmt.Errorf("repo: stream: %w: %T has no streams", ErrUnsupported, r))
		}
	}
	return reader.Stream(ctx, q...)
}
