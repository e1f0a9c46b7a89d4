package gormrepo

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
)

// load reads and locks what is stored and applies the documents to it. It has no more
// rows in memory than one statement reads, but for those that become the entities.
func (r *store) load(c *call, docs *documents, merges []*merge) error {
	if err := r.lockDatabase(c); err != nil {
		return err
	}
	var bad failures
	keyed := make([]*merge, 0, len(merges))
	for _, m := range merges {
		m.key = nil
		if r.wantsKey(m.val) {
			bad.of(r, m.item, m.first(r, docs))
			continue
		}
		m.key = r.identity(m.item)
		keyed = append(keyed, m)
	}
	sortByKey(r, keyed, func(m *merge) *item { return m.item }) // the order in which they are locked
	others := r.othersOf(func() []*item { return itemsOf(keyed) })
	for part := range slices.Chunk(keyed, idsPerStatement) {
		items := itemsOf(part)
		stored, err := r.lockedRows(c, r.keysOf(items), others)
		if err != nil {
			return err
		}
		marked, err := r.marked(c, items)
		if err != nil {
			return err
		}
		for _, m := range part {
			bad.of(r, m.item, m.load(c.tx.Statement.Context, r, docs, stored[r.keptIdentity(m.item)], marked[m.item]))
		}
		if !r.hasHooks() && !r.opts.Associations { // which change entities until they are written
			r.noteChanges(c.tx.Statement.Context, part)
		}
	}
	return bad.err()
}

// load applies the documents to the row, which is not valid where there is none.
func (m *merge) load(ctx context.Context, r *store, docs *documents, row reflect.Value, marked bool) error {
	switch {
	case !row.IsValid():
		return m.first(r, docs)
	case marked && !r.opts.Revive:
		return errMarked()
	default:
		return m.apply(ctx, r, docs, row, marked)
	}
}

// lockedRows reads whole rows, marked ones too.
func (r *store) lockedRows(c *call, keys [][]any, others func(id any) bool) (map[any]reflect.Value, error) {
	rows, err := r.chunks(c.tx, keys, func(tx *gorm.DB) *gorm.DB { return r.forUpdate(tx.Unscoped()) })
	return r.byKeyBut(keys, rows, others), err
}

// first makes a new entity of the documents: what the first one says, with the
// others merged into it.
func (m *merge) first(r *store, docs *documents) error {
	m.isNew = true
	if len(m.docs) > 1 {
		m.val.SetZero()
		if err := docs.mergeInto(m.docs[0], m.val); err != nil {
			return err
		}
		if err := m.mergeInto(r, docs, m.docs[1:]); err != nil {
			return err
		}
	}
	return r.noteExplicit(docs, m.docs, m.item)
}

// apply merges the documents into the stored entity, and notes how that was
// before.
func (m *merge) apply(ctx context.Context, r *store, docs *documents, row reflect.Value, revived bool) error {
	m.was = r.entity.VersionOf(row)
	for _, i := range m.docs {
		if named := r.entity.VersionOf(docs.entity(i)); named != 0 && named != m.was {
			return &repo.ItemError{Index: i, ID: r.shownID(row), Err: fmt.Errorf("%w: version %d is stored, not %d", repo.ErrStale, m.was, named)}
		}
	}
	m.isNew, m.exists, m.revived = false, true, revived
	m.val.Set(row)
	m.key = r.identity(m.item) // the stored row's, in its own form
	m.old = r.snapshot(ctx, m.val)
	return m.mergeInto(r, docs, m.docs)
}

// mergeInto applies documents, but for what no document may change.
func (m *merge) mergeInto(r *store, docs *documents, list []int) error {
	restore := r.keep(m.val)
	for _, i := range list {
		if err := docs.mergeInto(i, m.val); err != nil {
			return err
		}
	}
	restore()
	return nil
}
