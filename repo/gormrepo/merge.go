package gormrepo

import (
	"context"
	"slices"

	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo"
)

// SmartSave decodes the documents and saves or merges them, all or none; see
// repo.Repository.
func (r *Repository[T]) SmartSave(ctx context.Context, dto repo.SmartSaveDTO, opts ...repo.SmartSaveOption) ([]*T, error) {
	if err := done(ctx); err != nil {
		return nil, r.failed(ctx, "smart save", err)
	}
	docs, err := repo.Decode[T](dto, opts...)
	if err != nil {
		return nil, r.failed(ctx, "smart save", err)
	}
	return r.SaveDocuments(ctx, docs)
}

// SaveDocuments saves or merges decoded documents, all or none; see
// repo.DocumentSaver. It leaves docs as it was, so that it can be called again.
func (r *Repository[T]) SaveDocuments(ctx context.Context, docs *repo.Documents[T]) ([]*T, error) {
	if err := done(ctx); err != nil {
		return nil, r.failed(ctx, "smart save", err)
	}
	if docs == nil || len(docs.Entities) == 0 {
		return nil, r.failed(ctx, "smart save", repo.ErrEmptySave)
	}
	merges := r.merges(docs)
	items := make([]*item[T], len(merges))
	for i, m := range merges {
		items[i] = m.item
	}
	var err error
	if docs.Mode == repo.ModeReplace {
		err = r.saveItems(ctx, items)
	} else {
		err = r.mergeAll(ctx, docs, merges, items)
	}
	if err != nil {
		return nil, r.failed(ctx, "smart save", err)
	}
	out := make([]*T, len(docs.Entities))
	for _, m := range merges {
		for _, i := range m.docs {
			e := *m.e
			out[i] = &e
		}
	}
	return out, nil
}

// merge is the documents of one entity, which make one write.
type merge[T any] struct {
	*item[T]
	docs []int
	// old is the stored row before the merge, changed the columns to write.
	old     map[*schema.Field]any
	changed []*schema.Field
	// revived tells that the stored row is marked as deleted.
	revived bool
}

// merges puts documents with the same key together, in the order of their last
// one, as SaveAll does.
func (r *Repository[T]) merges(docs *repo.Documents[T]) []*merge[T] {
	byKey := map[any]*merge[T]{}
	var list []*merge[T]
	for i, decoded := range slices.Backward(docs.Entities) {
		e := *decoded
		it := &item[T]{e: &e, val: valueOf(&e), index: i, before: e}
		key := r.foldKey(it)
		if m := byKey[key]; m != nil {
			m.docs = append(m.docs, i)
			continue
		}
		byKey[key] = &merge[T]{item: it, docs: []int{i}}
		list = append(list, byKey[key])
	}
	slices.Reverse(list)
	for _, m := range list {
		slices.Reverse(m.docs)
	}
	return list
}

func (r *Repository[T]) mergeAll(ctx context.Context, docs *repo.Documents[T], merges []*merge[T], items []*item[T]) error {
	if err := r.giveKeys(ctx, items); err != nil {
		return err
	}
	return r.write(ctx, func(c *call) error {
		for _, m := range merges {
			m.begin()
			m.old, m.changed, m.revived = nil, nil, false
		}
		if err := r.load(c, docs, merges, items); err != nil {
			return err
		}
		if err := r.beforeSave(c, items); err != nil {
			return err
		}
		if err := r.checkKeys(items); err != nil {
			return err
		}
		changed := r.changes(ctx, merges)
		written := make([]*item[T], len(changed))
		for i, m := range changed {
			written[i] = m.item
		}
		r.stamp(written, r.now())
		err := r.withAssociations(c, items, func() error { return r.writeMerges(c, changed) })
		if err != nil {
			return err
		}
		return r.afterSave(c, written)
	})
}
