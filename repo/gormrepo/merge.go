package gormrepo

import (
	"context"
	"reflect"
	"slices"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo/driver"
)

// documents are those of a SmartSave, of entities of any type.
type documents struct {
	replace bool
	n       int
	// entity is document i decoded.
	entity func(i int) reflect.Value
	// mergeInto applies document i to e.
	mergeInto func(i int, e reflect.Value) error
}

// of decodes a document again: to keep a copy of every entity takes much more memory than
// the documents do.
func (d *documents) of(it *item) (reflect.Value, error) {
	e := reflect.New(it.val.Type()).Elem()
	return e, d.mergeInto(it.index, e)
}

// saveDocuments saves or merges decoded documents and returns the entity of each.
func (r *store) saveDocuments(ctx context.Context, docs *documents) ([]reflect.Value, error) {
	if err := driver.Ended(ctx); err != nil {
		return nil, err
	}
	merges := r.merges(docs)
	items := itemsOf(merges)
	var err error
	if docs.replace {
		err = r.replaceAll(ctx, docs, items)
	} else {
		merges, err = r.mergeAll(ctx, docs, merges, items)
	}
	if err != nil {
		return nil, err
	}
	out := make([]reflect.Value, docs.n)
	for _, m := range merges {
		for n, i := range m.docs {
			if out[i] = m.val; n > 0 { // each is in memory of its own
				out[i] = r.newValue()
				out[i].Set(m.val)
			}
		}
	}
	return out, nil
}

// replaceAll saves the entities of documents.
func (r *store) replaceAll(ctx context.Context, docs *documents, items []*item) error {
	for _, it := range items {
		if err := r.noteExplicit(docs, []int{it.index}, it); err != nil {
			return r.itemError(it, err)
		}
		it.unnamed = r.entity.VersionOf(it.val) == 0
	}
	return r.saveItems(ctx, items, false)
}

// merges puts documents with the same key together, in the order of their last
// one, as SaveAll does.
func (r *store) merges(docs *documents) []*merge {
	n := docs.n
	byKey, list := make(map[any]*merge, n), make([]*merge, 0, n)
	items, all, places := make([]item, n), make([]merge, n), lo.Range(n)
	for i := range slices.Backward(places) {
		items[i] = item{val: docs.entity(i), index: i, before: docs}
		key := r.foldKey(&items[i])
		if m := byKey[key]; m != nil {
			m.docs = append(m.docs, i)
			continue
		}
		all[i] = merge{item: &items[i], docs: places[i : i+1 : i+1]}
		byKey[key] = &all[i]
		list = append(list, &all[i])
	}
	slices.Reverse(list)
	for _, m := range list {
		slices.Reverse(m.docs)
	}
	return list
}

// mergeAll returns the merges that were made: hooks may have given two one key.
func (r *store) mergeAll(ctx context.Context, docs *documents, given []*merge, items []*item) (merges []*merge, err error) {
	err = restoring(items, func() error {
		if err := r.giveKeys(ctx, items); err != nil {
			return err
		}
		return r.write(ctx, func(c *call) (err error) {
			merges, err = r.merge(c, docs, given, items)
			return err
		})
	})
	return merges, err
}

// merge does so in a transaction, which may be for the second time.
func (r *store) merge(c *call, docs *documents, given []*merge, items []*item) (merges []*merge, err error) {
	if err := r.startItems(items); err != nil {
		return nil, err
	}
	for _, m := range given {
		m.old, m.changed, m.revived = nil, nil, false
		if first := lo.FromPtr(m.rare).docs; first != nil {
			m.docs = first
		}
	}
	if err := r.load(c, docs, given); err != nil {
		return nil, err
	}
	if err := r.beforeSave(c, items); err != nil {
		return nil, err
	}
	if merges, err = r.reload(c, docs, given); err != nil {
		return nil, err
	}
	if err := r.checkKeys(itemsOf(merges)); err != nil {
		return nil, err
	}
	return merges, r.saveMerged(c, merges)
}

// saveMerged writes what has changed in entities whose rows are locked, and new ones.
func (r *store) saveMerged(c *call, merges []*merge) error {
	var written []*item
	err := r.withAssociations(c, itemsOf(merges), func() error {
		ctx := c.tx.Statement.Context
		changed := r.changes(ctx, merges)
		written = itemsOf(changed)
		if err := r.toUTC(c, written); err != nil {
			return err
		}
		if err := r.stamp(ctx, written, r.now()); err != nil {
			return err
		}
		return r.writeMerges(c, changed)
	})
	if err != nil {
		return err
	}
	return r.afterSave(c, written)
}

// reload merges again what a hook has given another key: a row may be stored under
// that one, and another document may be for it.
func (r *store) reload(c *call, docs *documents, merges []*merge) ([]*merge, error) {
	moved := func(m *merge) bool { return !r.wantsKey(m.val) && m.key != nil && r.identity(m.item) != m.key }
	if !r.hasHooks() || !lo.SomeBy(merges, moved) {
		return merges, nil
	}
	byKey := map[any]*merge{}
	var again []*merge
	for _, m := range merges {
		if !moved(m) {
			byKey[r.foldKey(m.item)] = m
		} else if !m.isNew {
			return nil, r.itemError(m.item, errKeyChanged())
		}
	}
	for _, m := range lo.Filter(merges, func(m *merge, _ int) bool { return moved(m) }) {
		key := r.identity(m.item)
		same := byKey[key]
		if same == nil {
			byKey[key], same = m, m
		} else {
			if more := same.more(); more.docs == nil {
				more.docs = same.docs
			}
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
