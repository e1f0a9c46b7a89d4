package gormrepo

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
)

// load reads and locks what is stored and applies the documents to it.
func (r *store) load(c *call, docs *documents, merges []*merge) error {
	if err := r.lockDatabase(c); err != nil {
		return err
	}
	var keyed []*item
	for _, m := range merges {
		m.key = nil
		if !r.wantsKey(m.val) {
			m.key = r.identity(m.item)
			keyed = append(keyed, m.item)
		}
	}
	r.sortByKey(keyed) // the order in which they are locked
	stored, err := r.lockedRows(c, r.keysOf(keyed))
	if err != nil {
		return err
	}
	marked, err := r.marked(c, keyed)
	if err != nil {
		return err
	}
	var bad failures
	for _, m := range merges {
		row := stored[r.keptIdentity(m.item)]
		switch {
		case !row.IsValid() || r.wantsKey(m.val):
			err = m.first(r, docs)
		case marked[m.item] && !r.opts.Revive:
			err = errMarked()
		default:
			err = m.apply(c.tx.Statement.Context, r, docs, row, marked[m.item])
		}
		if it, ok := errors.AsType[*repo.ItemError](err); ok {
			bad = append(bad, it)
		} else if err != nil {
			bad.add(m.index, r.shownID(m.val), err)
		}
	}
	return bad.err()
}

// lockedRows reads whole rows, marked ones too.
func (r *store) lockedRows(c *call, keys [][]any) (map[any]reflect.Value, error) {
	rows, err := r.chunks(c.tx, keys, func(tx *gorm.DB) *gorm.DB { return r.forUpdate(tx.Unscoped()) })
	return r.byKey(keys, rows), err
}

// first makes a new entity of the documents: what the first one says, with the
// others merged into it.
func (m *merge) first(r *store, docs *documents) error {
	m.isNew = true
	if len(m.docs) > 1 {
		if err := docs.mergeInto(m.docs[0], m.replace(r.newValue())); err != nil {
			return err
		}
		if err := m.mergeInto(r, docs, m.docs[1:]); err != nil {
			return err
		}
	}
	explicit, err := r.explicit(docs, m.docs, m.val)
	m.explicit = explicit
	return err
}

// apply merges the documents into the stored entity, and notes how that was
// before.
func (m *merge) apply(ctx context.Context, r *store, docs *documents, row reflect.Value, revived bool) error {
	m.was = r.entity.VersionOf(row)
	for _, i := range m.docs {
		if named := r.entity.VersionOf(docs.entities[i]); named != 0 && named != m.was {
			return &repo.ItemError{Index: i, ID: r.shownID(row), Err: fmt.Errorf("%w: version %d is stored, not %d", repo.ErrStale, m.was, named)}
		}
	}
	m.isNew, m.exists, m.revived = false, true, revived
	m.replace(row)
	m.key = r.identity(m.item) // the stored row's, in its own form
	m.old = r.snapshot(ctx, m.val)
	return m.mergeInto(r, docs, m.docs)
}

// replace makes e the entity of m.
func (m *merge) replace(e reflect.Value) reflect.Value {
	m.val = e
	return e
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
