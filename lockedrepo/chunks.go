package lockedrepo

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// SaveChunks does what repo.ChunkSaver says: it takes the lock for each chunk and gives it
// back. See repo.Chunks for how many to take.
func (r *Repository[T]) SaveChunks(ctx context.Context, es []*T, n int) error {
	const doing = "save chunks"
	if err := driver.CheckEntities(es); err != nil {
		return fmt.Errorf("lockedrepo: %s: %w", doing, err)
	}
	return r.eachChunk(ctx, doing, len(es), n, func(begin, end int) error { return r.SaveAll(ctx, es[begin:end]) })
}

// inChunks calls save for all documents, or for each chunk of them and where it begins.
func (r *Repository[T]) inChunks(ctx context.Context, docs *driver.Documents[T], save func(docs *driver.Documents[T], begin int) ([]*T, error)) ([]*T, error) {
	if docs.Chunk == 0 {
		return save(docs, 0)
	}
	var saved []*T
	err := r.eachChunk(ctx, "smart save", len(docs.Entities), docs.Chunk, func(begin, end int) error {
		part, err := save(docs.Part(begin, end), begin)
		saved = append(saved, part...) // none with an error, unless that is ErrRelease
		return err
	})
	return saved, err
}

func (r *Repository[T]) eachChunk(ctx context.Context, doing string, elements, n int, save func(begin, end int) error) error {
	if r.whole.holding(ctx) {
		return fmt.Errorf("lockedrepo: %s: %w: chunks under a hold of %q, which lets nobody in between them", doing, repo.ErrInvalid, r.key)
	}
	var released error // it says that the write was done, so it is for the end of all
	err := driver.InChunks(ctx, r.whole.txState(ctx), elements, n, func(begin, end int) error {
		err := save(begin, end)
		if errors.Is(err, ErrRelease) {
			released, err = err, nil
		}
		return err
	})
	if err == nil {
		return released
	}
	if _, ok := errors.AsType[*repo.ChunkError](err); ok {
		return err // the cause tells who says so
	}
	return fmt.Errorf("lockedrepo: %s: %w", doing, err)
}
