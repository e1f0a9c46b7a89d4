package driver

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
)

// Part is a list of the documents from begin up to the one before end.
func (d *Documents[T]) Part(begin, end int) *Documents[T] {
	return &Documents[T]{Mode: d.Mode, Entities: d.Entities[begin:end], docs: d.docs[begin:end], decode: d.decode}
}

// InChunks has a list of elements saved n at a time. ErrInvalid where state is not TxNone:
// then it is not save that commits.
func InChunks(ctx context.Context, state TxState, elements, n int, save func(begin, end int) error) error {
	if state != TxNone {
		return fmt.Errorf("%w: chunks in a transaction, which commits all of them at its end", repo.ErrInvalid)
	}
	if n < 1 {
		return badChunk(n)
	}
	for begin := 0; begin < elements; begin += n {
		err := Ended(ctx)
		if err == nil {
			err = save(begin, min(begin+n, elements))
		}
		if err != nil {
			return &repo.ChunkError{Done: begin, Err: err}
		}
	}
	return nil
}

func badChunk(n int) error { return fmt.Errorf("%w: chunks of %d elements", repo.ErrInvalid, n) }

// SaveChunks is what a store without locks does for repo.ChunkSaver.
func SaveChunks[T any](ctx context.Context, state TxState, es []*T, n int, saveAll func(context.Context, []*T) error) error {
	if err := CheckEntities(es); err != nil {
		return err
	}
	return InChunks(ctx, state, len(es), n, func(begin, end int) error { return saveAll(ctx, es[begin:end]) })
}

// SaveDocumentChunks is what a store without locks does for documents with a Chunk. It
// returns the entities of the chunks that are committed, also next to an error.
func SaveDocumentChunks[T any](ctx context.Context, state TxState, docs *Documents[T], save func(context.Context, *Documents[T]) ([]*T, error)) ([]*T, error) {
	var saved []*T
	err := InChunks(ctx, state, len(docs.Entities), docs.Chunk, func(begin, end int) error {
		part, err := save(ctx, docs.Part(begin, end))
		if err == nil {
			saved = append(saved, part...)
		}
		return err
	})
	return saved, err
}
