package mongorepo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// SmartSave decodes the documents and saves or merges them; see
// repo.Repository. Documents that a *repo.BatchError does not name are saved,
// unless it reports documents that do not decode.
func (r *Repository[T]) SmartSave(ctx context.Context, dto repo.SmartSaveDTO, opts ...repo.SmartSaveOption) ([]*T, error) {
	if err := driver.Ended(ctx); err != nil {
		return nil, wrap(ctx, "smart save", err)
	}
	docs, err := driver.Decode[T](dto, opts...)
	if err != nil {
		return nil, wrap(ctx, "smart save", err)
	}
	return r.SaveDocuments(ctx, docs)
}

// SaveChunks saves n elements at a time; see repo.ChunkSaver.
func (r *Repository[T]) SaveChunks(ctx context.Context, es []*T, n int) error {
	return wrap(ctx, "save chunks", driver.SaveChunks(ctx, r.TxState(ctx), es, n, r.SaveAll))
}

// SaveDocuments saves or merges decoded documents; see driver.DocumentSaver. It
// leaves docs as it was, so that it can be called again.
func (r *Repository[T]) SaveDocuments(ctx context.Context, docs *driver.Documents[T]) ([]*T, error) {
	if docs != nil && docs.Chunk > 0 {
		saved, err := driver.SaveDocumentChunks(ctx, r.TxState(ctx), docs, r.SaveDocuments)
		return saved, wrap(ctx, "smart save", err)
	}
	list, err := r.saveDocuments(ctx, docs)
	return list, wrap(ctx, "smart save", err)
}

func (r *Repository[T]) saveDocuments(ctx context.Context, docs *driver.Documents[T]) ([]*T, error) {
	if err := driver.Ended(ctx); err != nil {
		return nil, err
	}
	if docs == nil || len(docs.Entities) == 0 {
		return nil, repo.ErrEmptySave
	}
	groups := r.group(docs)
	var err error
	if docs.Mode == driver.ModeReplace {
		err = r.replaceAll(ctx, docs, groups)
	} else {
		err = r.mergeAll(ctx, docs, groups)
	}
	if err != nil {
		return nil, err
	}
	out := make([]*T, len(docs.Entities))
	for _, g := range groups {
		for _, i := range g.docs {
			e := *g.saved
			out[i] = &e
		}
	}
	return out, nil
}

// group is the documents of one entity, which make one write.
type group[T any] struct {
	docs  []int
	saved *T
}

func (g *group[T]) last() int { return g.docs[len(g.docs)-1] }

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

func (r *Repository[T]) replaceAll(ctx context.Context, docs *driver.Documents[T], groups []*group[T]) error {
	es := make([]*T, len(groups))
	for i, g := range groups {
		// A fresh decoding is a deep copy: the write changes its entity.
		g.saved = new(T)
		if err := docs.MergeInto(g.last(), g.saved); err != nil {
			return err
		}
		es[i] = g.saved
	}
	err := r.saveAll(ctx, es, true)
	if batch, ok := errors.AsType[*repo.BatchError](err); ok {
		for _, it := range batch.Items {
			it.Index = groups[it.Index].last()
		}
	}
	return err
}

func (r *Repository[T]) mergeAll(ctx context.Context, docs *driver.Documents[T], groups []*group[T]) error {
	found, err := r.storedFor(ctx, docs, groups)
	if err != nil {
		return err
	}
	var writes []*write[T]
	var bad []*repo.ItemError
	for _, g := range groups {
		w, err := r.merge(ctx, docs, g, found)
		if err != nil {
			it, ok := errors.AsType[*repo.ItemError](err)
			if !ok { // otherwise it knows its document better
				it = &repo.ItemError{Index: g.last(), ID: r.shownID(docs.Entities[g.last()]), Err: err}
			}
			bad = append(bad, it)
		} else if w != nil {
			writes = append(writes, w)
		}
	}
	if len(bad) > 0 { // nothing was sent yet: nothing is written
		slices.SortFunc(bad, func(a, b *repo.ItemError) int { return cmp.Compare(a.Index, b.Index) })
		return &repo.BatchError{Items: bad}
	}
	return r.perform(ctx, writes)
}

// storedFor reads what is stored under the keys of the groups, deleted ones
// too. Under a fence it raises all of it, so a refusal comes before the first
// write.
func (r *Repository[T]) storedFor(ctx context.Context, docs *driver.Documents[T], groups []*group[T]) (map[string]*loaded[T], error) {
	var keys []keyed
	for _, g := range groups {
		e := docs.Entities[g.docs[0]]
		if r.identity(e) == any(e) { // it has no key yet
			continue
		}
		id, err := r.idOf(r.ent.KeyOf(valueOf(e)))
		if err != nil {
			return nil, err
		}
		keys = append(keys, keyedBy(id))
	}
	cs, err := r.fence.Claims(ctx)
	if err != nil {
		return nil, err
	}
	return r.loadStored(ctx, cs, keys, r.fresh)
}

// merge applies the documents one after the other to what is stored and
// returns the write for what changed; nil when nothing did.
func (r *Repository[T]) merge(ctx context.Context, docs *driver.Documents[T], g *group[T], found map[string]*loaded[T]) (*write[T], error) {
	first := docs.Entities[g.docs[0]]
	text, _ := r.identity(first).(string)
	s := found[text]
	if s == nil || s.e == nil {
		return r.mergeNew(ctx, docs, g)
	}
	old := s.e
	if r.ent.IsDeleted(valueOf(old)) {
		return nil, fmt.Errorf("%w: the entity is marked as deleted", repo.ErrNotFound)
	}
	have := r.ent.VersionOf(valueOf(old))
	for _, i := range g.docs {
		if named := r.ent.VersionOf(valueOf(docs.Entities[i])); named != 0 && named != have {
			return nil, &repo.ItemError{Index: i, ID: r.shownID(first), Err: fmt.Errorf("%w: version %d is stored, not %d", repo.ErrStale, have, named)}
		}
	}
	was, err := r.encode(old)
	if err != nil {
		return nil, err
	}
	restore := r.keepDuties(old)
	for _, i := range g.docs {
		if err := docs.MergeInto(i, old); err != nil {
			return nil, err
		}
	}
	restore(old)
	g.saved = old
	w, err := r.changeOf(ctx, old, was, s.raw, g.last(), false)
	if w != nil {
		w.old, w.raised = s.fence, s.raised
	}
	return w, err
}

// mergeNew inserts what the documents give.
func (r *Repository[T]) mergeNew(ctx context.Context, docs *driver.Documents[T], g *group[T]) (*write[T], error) {
	g.saved = new(T)
	if err := docs.MergeInto(g.docs[0], g.saved); err != nil {
		return nil, err
	}
	restore := r.keepDuties(g.saved)
	for _, i := range g.docs[1:] {
		if err := docs.MergeInto(i, g.saved); err != nil {
			return nil, err
		}
	}
	restore(g.saved)
	r.ent.SetVersion(valueOf(g.saved), 0)
	w, err := r.prepare(ctx, g.last(), g.saved, r.now())
	if err != nil {
		return nil, err
	}
	w.unsure = false
	if w.insert {
		return w, nil
	}
	// Nothing is stored, whatever IsNew says. An upsert would overwrite what
	// somebody else inserted meanwhile.
	w.insert = true
	return w, r.compose(w)
}
