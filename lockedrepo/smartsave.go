package lockedrepo

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// SmartSave does what repo.Repository says. It decodes and checks the documents
// first and takes the lock only for a list that is good; with repo.Chunks once for each chunk.
func (r *Repository[T]) SmartSave(ctx context.Context, dto repo.SmartSaveDTO, opts ...repo.SmartSaveOption) ([]*T, error) {
	docs, err := driver.Decode[T](dto, opts...)
	if err != nil {
		return nil, fmt.Errorf("lockedrepo: smart save: %w", err)
	}
	saver, ok := repo.As[driver.DocumentSaver[T]](r.inner)
	return r.inChunks(ctx, docs, func(docs *driver.Documents[T], begin int) ([]*T, error) {
		return lockedValue(ctx, r.locksetOf(ctx, docs.Entities).member, "smart save", func(ctx context.Context) ([]*T, error) {
			if !ok {
				return r.inner.SmartSave(ctx, repo.SmartSaveDTO{EntityList: dto.EntityList[begin : begin+len(docs.Entities)]}, opts...)
			}
			return saver.SaveDocuments(ctx, docs)
		})
	})
}

// SaveDocuments saves decoded documents while it holds the lock. It returns
// ErrUnsupported when the wrapped repository cannot take decoded documents.
func (r *Repository[T]) SaveDocuments(ctx context.Context, docs *driver.Documents[T]) ([]*T, error) {
	if docs == nil {
		return nil, fmt.Errorf("lockedrepo: save documents: %w: nil documents", repo.ErrInvalid)
	}
	if len(docs.Entities) == 0 {
		return nil, fmt.Errorf("lockedrepo: save documents: %w", repo.ErrEmptySave)
	}
	saver, ok := repo.As[driver.DocumentSaver[T]](r.inner)
	if !ok {
		return nil, fmt.Errorf("lockedrepo: save documents: %w: decoded documents", repo.ErrUnsupported)
	}
	return r.inChunks(ctx, docs, func(docs *driver.Documents[T], _ int) ([]*T, error) {
		return lockedValue(ctx, r.locksetOf(ctx, docs.Entities).member, "save documents", func(ctx context.Context) ([]*T, error) {
			return saver.SaveDocuments(ctx, docs)
		})
	})
}
