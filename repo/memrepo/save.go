package memrepo

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// Save inserts or overwrites e; see repo.Repository.
func (r *Repository[T]) Save(ctx context.Context, e *T) error {
	err := r.saveAll(ctx, []*T{e})
	if batch, ok := errors.AsType[*repo.BatchError](err); ok {
		err = batch.Items[0].Err
	}
	return wrap("save", err)
}

// SaveAll inserts or overwrites every element, all or none; see
// repo.Repository.
func (r *Repository[T]) SaveAll(ctx context.Context, es []*T) error {
	return wrap("save all", r.saveAll(ctx, es))
}

func (r *Repository[T]) saveAll(ctx context.Context, es []*T) error {
	if err := done(ctx); err != nil {
		return err
	}
	if err := driver.CheckEntities(es); err != nil {
		return err
	}
	saved := make([]*T, len(es))
	err := r.write(ctx, len(es), func(b *batch[T]) []*repo.ItemError {
		var bad []*repo.ItemError
		for _, i := range r.lastOfEach(es) {
			saved[i] = copyOf(es[i])
			if err := b.save(saved[i]); err != nil {
				bad = append(bad, &repo.ItemError{Index: i, ID: r.shownID(es[i]), Err: err})
			}
		}
		return bad
	})
	if err != nil {
		return err
	}
	for i, e := range saved {
		if e != nil {
			r.writeBack(es[i], e)
		}
	}
	return nil
}

// write runs fn under the lock and takes everything back when it reports a bad
// element of n or when the context is done by then.
func (r *Repository[T]) write(ctx context.Context, n int, fn func(*batch[T]) []*repo.ItemError) error {
	err := r.writeLocked(ctx, fn)
	r.spoil(ctx, err, n)
	return err
}

// spoil has the transaction of ctx roll back after an error that would have
// ended it on one of the databases, or that came after a part was written.
func (r *Repository[T]) spoil(ctx context.Context, err error, elements int) {
	tx := r.transaction(ctx)
	if tx == nil || err == nil || tx.isOver() {
		return
	}
	if elements > 1 || errors.Is(err, repo.ErrDuplicateKey) || ctx.Err() != nil {
		tx.spoil(err)
	}
}

func (r *Repository[T]) writeLocked(ctx context.Context, fn func(*batch[T]) []*repo.ItemError) error {
	t, unlock, err := r.toWrite(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	b := r.batch(ctx, t)
	finished := false
	defer func() {
		if !finished { // fn called code of the user, which may panic
			b.rollback()
		}
	}()
	if bad := fn(b); len(bad) > 0 {
		slices.SortStableFunc(bad, func(x, y *repo.ItemError) int { return cmp.Compare(x.Index, y.Index) })
		return &repo.BatchError{Items: bad}
	}
	if err := done(ctx); err != nil {
		return err
	}
	finished = true
	return nil
}

// lastOfEach lists the indexes of the elements to write: of those with the
// same key only the last.
func (r *Repository[T]) lastOfEach(es []*T) []int {
	last := make(map[any]int, len(es))
	for i, e := range es {
		last[r.identity(e)] = i
	}
	list := make([]int, 0, len(last))
	for i, e := range es {
		if last[r.identity(e)] == i {
			list = append(list, i)
		}
	}
	return list
}

// identity is the key of e or, while it has none, e itself.
func (r *Repository[T]) identity(e *T) any {
	if r.unnumbered(e) {
		return e
	}
	return r.keyOf(e)
}

// writeBack tells the caller's entity what the store decided.
func (r *Repository[T]) writeBack(e, saved *T) {
	from, to := valueOf(copyOf(saved)), valueOf(e)
	for _, f := range r.ent.Key {
		set(f, to, from)
	}
	for _, f := range r.duties() {
		set(f, to, from)
	}
}

// duties are the fields that only the repository writes.
func (r *Repository[T]) duties() []*entity.Field {
	return slices.Concat(lo.Compact([]*entity.Field{r.ent.Version, r.ent.Deleted}), r.ent.Created, r.ent.Updated)
}

func set(f *entity.Field, to, from reflect.Value) {
	v := f.Value(from)
	if !v.IsValid() {
		return
	}
	if t := f.Reach(to); t.IsValid() {
		t.Set(v)
	}
}

func setKey[T any](f *entity.Field, e *T, id any) {
	f.Reach(valueOf(e)).Set(reflect.ValueOf(id))
}
