package memrepo

import (
	"context"
	"fmt"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// Insert inserts the entities, all or none; see repo.Writer.
func (r *Repository[T]) Insert(ctx context.Context, es ...*T) error {
	_, err := r.insertAll(ctx, es, false)
	return wrap("insert", err)
}

// InsertIfAbsent inserts the entities that are not stored, all or none; see repo.Writer.
func (r *Repository[T]) InsertIfAbsent(ctx context.Context, es ...*T) ([]*T, error) {
	inserted, err := r.insertAll(ctx, es, true)
	return inserted, wrap("insert if absent", err)
}

// insertAll inserts entities and returns them. With skips it leaves out those whose key is
// stored.
func (r *Repository[T]) insertAll(ctx context.Context, es []*T, skips bool) ([]*T, error) {
	if err := driver.Ended(ctx); err != nil {
		return nil, err
	}
	if err := driver.CheckEntities(es); err != nil {
		return nil, err
	}
	saved := make([]*T, len(es))
	err := r.write(ctx, len(es), func(b *batch[T]) []*repo.ItemError {
		return each(b, es, func(i int) error {
			if _, there := b.t.rows[r.keyOf(es[i])]; there && skips && !r.unnumbered(es[i]) {
				return nil
			}
			saved[i] = copyOf(es[i])
			return b.insertNew(saved[i])
		})
	})
	if err != nil {
		return nil, err
	}
	r.writeBackAll(es, saved)
	return lo.Filter(es, func(_ *T, i int) bool { return saved[i] != nil }), nil
}

// each calls write for every element and collects what was wrong.
func each[T any](b *batch[T], es []*T, write func(i int) error) []*repo.ItemError {
	var bad []*repo.ItemError
	for i, e := range es {
		if err := write(i); err != nil {
			bad = append(bad, &repo.ItemError{Index: i, ID: b.r.shownID(e), Err: err})
		}
	}
	return bad
}

// insertNew inserts e, which the batch owns from now on, under a key that is free.
func (b *batch[T]) insertNew(e *T) error {
	if err := b.assignKey(e); err != nil {
		return err
	}
	key := b.r.keyOf(e)
	if b.t.rows[key] != nil {
		return fmt.Errorf("%w: the entity exists", repo.ErrDuplicateKey)
	}
	return b.insert(key, e, nil)
}

// UpsertBy saves the entities by a natural key, all or none; see repo.Writer.
func (r *Repository[T]) UpsertBy(ctx context.Context, es []*T, by ...repo.Handle) (repo.Upserted, error) {
	done, err := r.upsertBy(ctx, es, by)
	return done, wrap("upsert by", err)
}

func (r *Repository[T]) upsertBy(ctx context.Context, es []*T, by []repo.Handle) (done repo.Upserted, err error) {
	if err := driver.Ended(ctx); err != nil {
		return done, err
	}
	natural, err := driver.CheckNatural(es, by)
	if err != nil {
		return done, err
	}
	for _, name := range natural.Names {
		if err := r.isWritten(name, true); err != nil {
			return done, err
		}
	}
	saved := make([]*T, len(es))
	err = r.write(ctx, len(es), func(b *batch[T]) []*repo.ItemError {
		stored := map[any][]*row[T]{}
		for _, w := range b.t.rows {
			if key, ok := natural.Of(valueOf(w.val)); ok && !r.ent.IsDeleted(valueOf(w.val)) {
				stored[key] = append(stored[key], w)
			}
		}
		return each(b, es, func(i int) error {
			key, _ := natural.Of(valueOf(es[i]))
			saved[i] = copyOf(es[i])
			switch rows := stored[key]; len(rows) {
			case 0:
				done.Inserted++
				return b.insertNew(saved[i])
			case 1:
				done.Updated++
				for _, f := range r.ent.Key {
					set(f, valueOf(saved[i]), valueOf(copyOf(rows[0].val)))
				}
				return b.overwrite(r.keyOf(rows[0].val), rows[0], saved[i])
			default:
				return fmt.Errorf("%w: %d entities have its values of %q", repo.ErrDuplicateKey, len(rows), natural.Names)
			}
		})
	})
	if err != nil {
		return repo.Upserted{}, err
	}
	r.writeBackAll(es, saved)
	return done, nil
}

// writeBackAll tells the caller's entities what was stored, where something was.
func (r *Repository[T]) writeBackAll(es, saved []*T) {
	for i, e := range saved {
		if e != nil {
			r.writeBack(es[i], e)
			r.complete(es[i], lo.Filter(r.defaults, func(d literal, _ int) bool { return d.IsZero(valueOf(e)) }))
		}
	}
}

// isWritten refuses a field that would be no column, and one that is not the caller's: it
// is the repository's own, or the key unless that is allowed.
func (r *Repository[T]) isWritten(name string, keyToo bool) error {
	f, err := r.field(name)
	if err != nil {
		return err
	}
	if duty := r.ent.Duty(f.Index); duty != "" && (!keyToo || duty != "key") {
		return fmt.Errorf("%w: field %s of %s is its %s", repo.ErrInvalid, name, r.ent.Type, duty)
	}
	if r.columns != nil && !r.columns[fmt.Sprint(f.Index)] {
		return fmt.Errorf("%w: field %s of %s is a part of a column", repo.ErrUnsupported, name, r.ent.Type)
	}
	return nil
}
