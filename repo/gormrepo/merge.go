package gormrepo

import (
	"context"
	"slices"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
)

// SmartSave decodes the documents and saves or merges them, all or none; see
// repo.Repository.
func (r *Repository[T]) SmartSave(ctx context.Context, dto repo.SmartSaveDTO, opts ...repo.SmartSaveOption) ([]*T, error) {
	if err := dberr.Ended(ctx); err != nil {
		return nil, r.failed(ctx, "smart save", err)
	}
	docs, err := driver.Decode[T](dto, opts...)
	if err != nil {
		return nil, r.failed(ctx, "smart save", err)
	}
	return r.SaveDocuments(ctx, docs)
}

// SaveDocuments saves or merges decoded documents, all or none; see
// driver.DocumentSaver. It leaves docs as it was, so that it can be called again.
func (r *Repository[T]) SaveDocuments(ctx context.Context, docs *driver.Documents[T]) ([]*T, error) {
	if err := dberr.Ended(ctx); err != nil {
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
	if docs.Mode == driver.ModeReplace {
		err = r.replaceAll(ctx, docs, items)
	} else {
		merges, err = r.mergeAll(ctx, docs, merges, items)
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

// replaceAll saves the entities of documents.
func (r *Repository[T]) replaceAll(ctx context.Context, docs *driver.Documents[T], items []*item[T]) (err error) {
	for _, it := range items {
		if it.explicit, err = r.explicit(docs, []int{it.index}, it.val); err != nil {
			return r.itemError(it, err)
		}
		it.unnamed = r.entity.VersionOf(it.val) == 0
	}
	return r.saveItems(ctx, items)
}

// merges puts documents with the same key together, in the order of their last
// one, as SaveAll does.
func (r *Repository[T]) merges(docs *driver.Documents[T]) []*merge[T] {
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
		m.given = m.docs
	}
	return list
}

// mergeAll returns the merges that were made: hooks may have given two one key.
func (r *Repository[T]) mergeAll(ctx context.Context, docs *driver.Documents[T], given []*merge[T], items []*item[T]) (merges []*merge[T], err error) {
	if err := r.giveKeys(ctx, items); err != nil {
		return nil, err
	}
	err = r.write(ctx, func(c *call) error {
		merges = slices.Clone(given)
		for _, m := range merges {
			m.begin()
			m.old, m.changed, m.revived, m.docs = nil, nil, false, m.given
		}
		if err := r.load(c, docs, merges); err != nil {
			return err
		}
		if err := r.beforeSave(c, itemsOf(merges)); err != nil {
			return err
		}
		if merges, err = r.reload(c, docs, merges); err != nil {
			return err
		}
		items := itemsOf(merges)
		if err := r.checkKeys(items); err != nil {
			return err
		}
		changed := r.changes(ctx, merges)
		written := itemsOf(changed)
		if err := r.toUTC(c, written); err != nil {
			return err
		}
		r.stamp(written, r.now())
		err := r.withAssociations(c, items, func() error { return r.writeMerges(c, changed) })
		if err != nil {
			return err
		}
		return r.afterSave(c, written)
	})
	return merges, err
}

// reload merges again what a hook has given another key: a row may be stored under
// that one, and another document may be for it.
func (r *Repository[T]) reload(c *call, docs *driver.Documents[T], merges []*merge[T]) ([]*merge[T], error) {
	moved := func(m *merge[T]) bool { return !r.wantsKey(m.val) && m.key != nil && r.identity(m.item) != m.key }
	if !r.hasHooks() || !lo.SomeBy(merges, moved) {
		return merges, nil
	}
	byKey := map[any]*merge[T]{}
	var again []*merge[T]
	for _, m := range merges {
		if !moved(m) {
			byKey[r.foldKey(m.item)] = m
		} else if !m.isNew {
			return nil, r.itemError(m.item, errKeyChanged())
		}
	}
	for _, m := range lo.Filter(merges, func(m *merge[T], _ int) bool { return moved(m) }) {
		key := r.identity(m.item)
		same := byKey[key]
		if same == nil {
			byKey[key], same = m, m
		} else {
			same.docs = slices.Sorted(slices.Values(slices.Concat(same.docs, m.docs)))
			merges = lo.Without(merges, m)
		}
		again = append(again, same)
	}
	again = lo.Uniq(again)
	if err := r.load(c, docs, again); err != nil {
		return nil, err
	}
	return merges, r.beforeSave(c, itemsOf(again))
}
