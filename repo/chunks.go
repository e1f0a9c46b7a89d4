package repo

import (
	"context"
	"fmt"
)

// ChunkSaver is a repository that saves a long list in chunks, as all of Holdfast do. See
// [As].
type ChunkSaver[T any] interface {
	// SaveChunks does what SaveAll does, with n elements at a time: it commits after
	// each chunk, and other writers get their turn between two of them. It is SmartSave
	// with [Chunks], for entities. An error of a chunk is a *[ChunkError]. ErrInvalid
	// for an n below 1 or a nil element, in a transaction, and under a hold of the
	// repository's lock; then nothing was written.
	SaveChunks(ctx context.Context, es []*T, n int) error
}

// ChunkError says how far a save in chunks got. It matches what its cause matches.
type ChunkError struct {
	// Done is how many elements are saved for good: the first ones of the list. To go
	// on, save the elements from Done on.
	Done int
	// Err is why the next chunk was not saved, or why the context ended. The indexes of
	// a *BatchError in it count from Done. On stores without transactions, elements
	// of that chunk which it does not name are saved. With ErrUnknown the chunk may be
	// saved as a whole.
	Err error
}

// Error tells both.
func (e *ChunkError) Error() string {
	return fmt.Sprintf("repo: %d elements are saved, the next chunk is not: %v", e.Done, e.Err)
}

// Unwrap returns the cause.
func (e *ChunkError) Unwrap() error { return e.Err }
