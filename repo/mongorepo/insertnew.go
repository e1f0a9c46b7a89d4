package mongorepo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// Insert inserts the entities in one unordered bulk write; see repo.Writer. Those that are
// not named in a *repo.BatchError are written.
func (r *Repository[T]) Insert(ctx context.Context, es ...*T) error {
	_, err := r.insertAll(ctx, es, nil)
	return wrap(ctx, "insert", err)
}

// InsertIfAbsent looks which keys are stored and inserts the other entities; see
// repo.Writer. One that another writer inserts in between counts as stored. With an error
// it returns the entities that are inserted.
func (r *Repository[T]) InsertIfAbsent(ctx context.Context, es ...*T) ([]*T, error) {
	list, err := r.insertAbsent(ctx, es)
	return list, wrap(ctx, "insert if absent", err)
}

func (r *Repository[T]) insertAbsent(ctx context.Context, es []*T) ([]*T, error) {
	present, err := r.presentOf(ctx, es)
	if err != nil {
		return nil, err
	}
	list, err := r.insertAll(ctx, es, present)
	batch, ok := errors.AsType[*repo.BatchError](err)
	if !ok || mongo.SessionFromContext(ctx) != nil {
		return list, err
	}
	// Another writer may have inserted some of them since.
	again, err := r.presentOf(ctx, lo.Map(batch.Items, func(it *repo.ItemError, _ int) *T { return es[it.Index] }))
	if err != nil {
		return list, errors.Join(batch, err)
	}
	bad := lo.Reject(batch.Items, func(it *repo.ItemError, _ int) bool {
		return errors.Is(it.Err, repo.ErrDuplicateKey) && again[r.identity(es[it.Index])]
	})
	if len(bad) == 0 {
		return list, nil
	}
	return list, &repo.BatchError{Items: bad}
}

// presentOf tells which entities have a key that is stored. Under a fence it raises their
// documents, so that a holder that is late is refused.
func (r *Repository[T]) presentOf(ctx context.Context, es []*T) (map[any]bool, error) {
	if err := driver.Ended(ctx); err != nil {
		return nil, err
	}
	if err := driver.CheckEntities(es); err != nil {
		return nil, err
	}
	var keys []keyed
	for _, e := range es {
		if text, ok := r.identity(e).(string); ok {
			id, err := r.idOf(r.ent.KeyOf(valueOf(e)))
			if err != nil {
				return nil, err
			}
			keys = append(keys, keyed{id: id, cmp: text})
		}
	}
	cs, err := r.fence.Claims(ctx)
	if err != nil {
		return nil, err
	}
	found, err := r.loadStored(ctx, cs, lo.UniqBy(keys, func(k keyed) string { return k.cmp }), r.fresh)
	if err != nil {
		return nil, err
	}
	present := map[any]bool{}
	for key, s := range found {
		present[key] = s.e != nil
	}
	return present, nil
}

// insertAll inserts the entities whose keys are not among those given, and returns them.
// Where keys are given a key that comes again is left out, else it is an error.
func (r *Repository[T]) insertAll(ctx context.Context, es []*T, present map[any]bool) ([]*T, error) {
	if err := driver.Ended(ctx); err != nil {
		return nil, err
	}
	if err := driver.CheckEntities(es); err != nil {
		return nil, err
	}
	now := r.now()
	p := prepared[T]{}
	seen := map[any]bool{}
	for i, e := range es {
		id := r.identity(e)
		switch {
		case present[id] || seen[id] && present != nil:
			continue
		case seen[id]:
			p.refuse(i, r.shownID(e), fmt.Errorf("%w: an earlier element has the key", repo.ErrDuplicateKey))
			continue
		}
		seen[id] = true
		w, err := r.prepareInsert(ctx, i, e, now)
		p.add(w, &repo.ItemError{Index: i, ID: r.shownID(e), Err: err})
	}
	err := r.performPrepared(ctx, &p)
	return lo.FilterMap(p.writes, func(w *write[T], _ int) (*T, bool) { return w.e, w.done }), err
}

// prepareInsert prepares e to be inserted, whatever it says of itself.
func (r *Repository[T]) prepareInsert(ctx context.Context, index int, e *T, now time.Time) (*write[T], error) {
	w, err := r.prepare(ctx, index, e, now)
	if err != nil {
		return nil, err
	}
	w.insert, w.unsure, w.keepGone = true, false, false
	r.ent.SetVersion(valueOf(e), r.firstVersion())
	if err := r.compose(w); err != nil {
		w.undo()
		return nil, err
	}
	return w, nil
}

// prepared are writes, and what was found to be wrong before they are sent.
type prepared[T any] struct {
	writes []*write[T]
	// refused elements are not written, and unusable ones stop all.
	refused, unusable []*repo.ItemError
}

func (p *prepared[T]) refuse(index int, id any, err error) {
	p.refused = append(p.refused, &repo.ItemError{Index: index, ID: id, Err: err})
}

func (p *prepared[T]) add(w *write[T], otherwise *repo.ItemError) {
	if w == nil {
		p.unusable = append(p.unusable, otherwise)
		return
	}
	p.writes = append(p.writes, w)
}

// performPrepared sends the writes and names all elements that are not written. In a
// transaction it sends none where one is refused.
func (r *Repository[T]) performPrepared(ctx context.Context, p *prepared[T]) error {
	bad := slices.Concat(p.unusable, p.refused)
	if len(p.unusable) > 0 || len(bad) > 0 && mongo.SessionFromContext(ctx) != nil {
		undoAll(p.writes)
	} else {
		err := r.perform(ctx, p.writes)
		batch, ok := errors.AsType[*repo.BatchError](err)
		if err != nil && !ok {
			return err
		}
		for _, w := range p.writes {
			w.done = w.err == nil
		}
		if ok {
			bad = append(bad, batch.Items...)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	slices.SortFunc(bad, func(a, b *repo.ItemError) int { return cmp.Compare(a.Index, b.Index) })
	return &repo.BatchError{Items: bad}
}
