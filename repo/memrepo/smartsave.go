package memrepo

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/internal/values"
)

// SmartSave decodes the documents and saves or merges them, all or none; see
// repo.Repository.
func (r *Repository[T]) SmartSave(ctx context.Context, dto repo.SmartSaveDTO, opts ...repo.SmartSaveOption) ([]*T, error) {
	if err := driver.Ended(ctx); err != nil {
		return nil, wrap("smart save", err)
	}
	docs, err := driver.Decode[T](dto, opts...)
	if err != nil {
		return nil, wrap("smart save", err)
	}
	return r.SaveDocuments(ctx, docs)
}

// SaveChunks saves n elements at a time; see repo.ChunkSaver.
func (r *Repository[T]) SaveChunks(ctx context.Context, es []*T, n int) error {
	return wrap("save chunks", driver.SaveChunks(ctx, r.TxState(ctx), es, n, r.SaveAll))
}

// SaveDocuments saves or merges decoded documents, all or none of a chunk; see
// driver.DocumentSaver. It leaves docs as it was, so that it can be called again.
func (r *Repository[T]) SaveDocuments(ctx context.Context, docs *driver.Documents[T]) ([]*T, error) {
	if docs != nil && docs.Chunk > 0 {
		saved, err := driver.SaveDocumentChunks(ctx, r.TxState(ctx), docs, r.SaveDocuments)
		return saved, wrap("smart save", err)
	}
	if err := driver.Ended(ctx); err != nil {
		return nil, wrap("smart save", err)
	}
	if docs == nil || len(docs.Entities) == 0 {
		return nil, wrap("smart save", repo.ErrEmptySave)
	}
	groups := r.group(docs)
	err := r.write(ctx, len(groups), func(b *batch[T]) []*repo.ItemError {
		var bad []*repo.ItemError
		for _, g := range groups {
			if it := g.save(b, docs); it != nil {
				bad = append(bad, it)
			}
		}
		return bad
	})
	if err != nil {
		return nil, wrap("smart save", err)
	}
	out := make([]*T, len(docs.Entities))
	for _, g := range groups {
		for _, i := range g.docs {
			out[i] = copyOf(g.saved)
		}
	}
	return out, nil
}

// group is the documents of one entity, which make one write.
type group[T any] struct {
	docs  []int
	saved *T
}

// group puts documents with the same key together, in the order of their last
// one, as SaveAll does.
func (r *Repository[T]) group(docs *driver.Documents[T]) []*group[T] {
	byKey := map[any]*group[T]{}
	for i, e := range docs.Entities {
		id := r.identity(e)
		if byKey[id] == nil {
			byKey[id] = &group[T]{}
		}
		byKey[id].docs = append(byKey[id].docs, i)
	}
	var groups []*group[T]
	for _, i := range entity.LastOfEach(docs.Entities, r.identity) {
		groups = append(groups, byKey[r.identity(docs.Entities[i])])
	}
	return groups
}

func (g *group[T]) save(b *batch[T], docs *driver.Documents[T]) *repo.ItemError {
	last := g.docs[len(g.docs)-1]
	item := func(err error) *repo.ItemError {
		if it, ok := errors.AsType[*repo.ItemError](err); ok {
			return it // it knows its document better
		}
		return &repo.ItemError{Index: last, ID: b.r.shownID(docs.Entities[last]), Err: err}
	}
	if docs.Mode == driver.ModeReplace {
		g.saved = copyOf(docs.Entities[last])
		given, err := b.r.given(docs, []int{last})
		if err == nil {
			err = b.replace(g.saved, given)
		}
		if err != nil {
			return item(err)
		}
		return nil
	}
	if err := g.merge(b, docs); err != nil {
		return item(err)
	}
	return nil
}

// merge applies the documents one after the other to a copy of what is stored,
// and writes it when something changed.
func (g *group[T]) merge(b *batch[T], docs *driver.Documents[T]) error {
	r, first := b.r, docs.Entities[g.docs[0]]
	key := r.identity(first)
	old := b.t.rows[key]
	if old == nil {
		g.saved = copyOf(first)
		r.ent.SetVersion(valueOf(g.saved), 0)
		if err := b.assignKey(g.saved); err != nil {
			return err
		}
		if err := g.apply(b, docs, g.docs[1:]); err != nil {
			return err
		}
		given, err := r.given(docs, g.docs)
		if err != nil {
			return err
		}
		return b.insert(r.keyOf(g.saved), g.saved, given)
	}
	deleted := r.ent.IsDeleted(valueOf(old.val))
	if deleted && !r.revive {
		return fmt.Errorf("%w: the entity is marked as deleted", repo.ErrNotFound)
	}
	stored := r.ent.VersionOf(valueOf(old.val))
	for _, i := range g.docs {
		if named := r.ent.VersionOf(valueOf(docs.Entities[i])); named != 0 && named != stored {
			return &repo.ItemError{Index: i, ID: r.shownID(first), Err: fmt.Errorf("%w: version %d is stored, not %d", repo.ErrStale, stored, named)}
		}
	}
	g.saved = copyOf(old.val)
	if err := g.apply(b, docs, g.docs); err != nil {
		return err
	}
	if !deleted && r.same(old.val, g.saved) {
		return nil
	}
	return b.overwrite(key, old, g.saved)
}

// apply merges the documents into g.saved, but for what no document may
// change.
func (g *group[T]) apply(b *batch[T], docs *driver.Documents[T], list []int) error {
	kept := copyOf(g.saved)
	for _, i := range list {
		if err := docs.MergeInto(i, g.saved); err != nil {
			return err
		}
	}
	b.r.writeBack(g.saved, kept)
	return nil
}

// same compares field by field, times by their instant.
func (r *Repository[T]) same(a, b *T) bool {
	va, vb := valueOf(a), valueOf(b)
	for _, f := range r.ent.Fields {
		fa, aok := values.Plain(f.Value(va))
		fb, bok := values.Plain(f.Value(vb))
		if aok != bok {
			return false
		}
		if !aok {
			continue
		}
		x, y := fa.Interface(), fb.Interface()
		if tx, ok := x.(time.Time); ok {
			if ty, ok := y.(time.Time); !ok || !tx.Equal(ty) {
				return false
			}
		} else if !reflect.DeepEqual(x, y) {
			return false
		}
	}
	return true
}
