package repotest_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

// The types below embed the repository that works and get one thing wrong.

type dropsLast struct{ items }

func (r dropsLast) SaveAll(ctx context.Context, es []*repotest.Item) error {
	if len(es) > 1 {
		es = es[:len(es)-1]
	}
	return r.items.SaveAll(ctx, es)
}

type atOnce struct{ items }

func (r atOnce) SmartSave(ctx context.Context, dto repo.SmartSaveDTO, opts ...repo.SmartSaveOption) ([]*repotest.Item, error) {
	return r.items.SmartSave(ctx, dto, append(opts, repo.Chunks(100))...)
}

type firstWins struct{ items }

func (r firstWins) SaveAll(ctx context.Context, es []*repotest.Item) error {
	es = slices.Clone(es)
	slices.Reverse(es)
	return r.items.SaveAll(ctx, es)
}

type halfBatch struct{ items }

func (r halfBatch) SaveAll(ctx context.Context, es []*repotest.Item) error {
	if n := len(es) / 2; n > 0 {
		if err := r.items.SaveAll(ctx, es[:n]); err != nil {
			return err
		}
	}
	return r.items.SaveAll(ctx, es)
}

type losesZeros struct{ items }

func (r losesZeros) Save(ctx context.Context, e *repotest.Item) error {
	if e == nil {
		return r.items.Save(ctx, e)
	}
	merged := *e
	if old, err := r.FindByID(ctx, e.ID); err == nil {
		from, to := reflect.ValueOf(old).Elem(), reflect.ValueOf(&merged).Elem()
		for i := range to.NumField() {
			if to.Field(i).IsZero() {
				to.Field(i).Set(from.Field(i))
			}
		}
	}
	return r.items.Save(ctx, &merged)
}

// anyIndex is what ON DUPLICATE KEY UPDATE does by itself.
type anyIndex struct{ items }

func (r anyIndex) Save(ctx context.Context, e *repotest.Item) error {
	err := r.items.Save(ctx, e)
	if errors.Is(err, repo.ErrDuplicateKey) {
		owners, ferr := r.Find(ctx, repo.F[repotest.Item, string]("SKU").Eq(e.SKU))
		if ferr != nil {
			return ferr
		}
		other := *e
		other.ID = owners[0].ID
		return r.items.Save(ctx, &other)
	}
	return err
}

// aliases keeps the pointers that it was given and gives them out.
type aliases struct {
	items
	mu    sync.Mutex
	cache map[any]*repotest.Item
}

func (r *aliases) Save(ctx context.Context, e *repotest.Item) error {
	err := r.items.Save(ctx, e)
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.cache[e.ID] = e
	}
	return err
}

func (r *aliases) FindByID(ctx context.Context, id any) (*repotest.Item, error) {
	found, err := r.items.FindByID(ctx, id)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.cache[found.ID]; e != nil {
		return e, nil
	}
	return found, nil
}

type ignoresDeletes struct{ items }

func (r ignoresDeletes) Delete(ctx context.Context, es ...*repotest.Item) error {
	if slices.Contains(es, nil) {
		return r.items.Delete(ctx, es...)
	}
	return ctx.Err()
}

// allForNone is what a query without a condition does.
type allForNone struct{ items }

func (r allForNone) FindAllByID(ctx context.Context, ids []any) ([]*repotest.Item, error) {
	if len(ids) == 0 {
		return r.Find(ctx)
	}
	return r.items.FindAllByID(ctx, ids)
}

func (r allForNone) DeleteAllByID(ctx context.Context, ids []any) (int64, error) {
	if len(ids) == 0 {
		all, err := r.Find(ctx)
		if err != nil {
			return 0, err
		}
		return int64(len(all)), r.Delete(ctx, all...)
	}
	return r.items.DeleteAllByID(ctx, ids)
}

type ownOrder struct{ items }

func (r ownOrder) FindAllByID(ctx context.Context, ids []any) ([]*repotest.Item, error) {
	found, err := r.items.FindAllByID(ctx, ids)
	slices.SortFunc(found, func(a, b *repotest.Item) int { return strings.Compare(a.ID, b.ID) })
	return found, err
}

// idsAsCode is what First(&x, "1=1") does.
type idsAsCode struct{ items }

func (r idsAsCode) FindByID(ctx context.Context, id any) (*repotest.Item, error) {
	if text, ok := id.(string); ok && strings.Contains(text, "1=1") {
		all, err := r.Find(ctx)
		if err != nil || len(all) == 0 {
			return nil, repo.ErrNotFound
		}
		return all[0], nil
	}
	return r.items.FindByID(ctx, id)
}

type deaf struct{ items }

func (r deaf) Save(ctx context.Context, e *repotest.Item) error {
	return r.items.Save(context.WithoutCancel(ctx), e)
}

// deafLater looks at the context once, at the start.
type deafLater struct{ items }

func (r deafLater) SmartSave(ctx context.Context, dto repo.SmartSaveDTO, opts ...repo.SmartSaveOption) ([]*repotest.Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return r.items.SmartSave(context.WithoutCancel(ctx), dto, opts...)
}

type insertOverwrites struct{ marks }

func (r insertOverwrites) Save(ctx context.Context, e *repotest.Marked) error {
	err := r.marks.Save(ctx, e)
	if errors.Is(err, repo.ErrDuplicateKey) {
		if old, ferr := r.FindByID(ctx, e.ID); ferr == nil {
			e.Rev = old.Rev
			return r.marks.Save(ctx, e)
		}
	}
	return err
}

type swallowsStale struct{ marks }

func (r swallowsStale) Save(ctx context.Context, e *repotest.Marked) error {
	return withoutStale(r.marks.Save(ctx, e))
}

type swallowsStaleInLists struct{ marks }

func (r swallowsStaleInLists) SaveAll(ctx context.Context, es []*repotest.Marked) error {
	return withoutStale(r.marks.SaveAll(ctx, es))
}

func withoutStale(err error) error {
	if errors.Is(err, repo.ErrStale) {
		return nil
	}
	return err
}

// recreates lets every save set the creation time.
type recreates struct {
	marks
	mu   sync.Mutex
	made map[string]repotest.Marked
}

func (r *recreates) Save(ctx context.Context, e *repotest.Marked) error {
	given := *e
	err := r.marks.Save(ctx, e)
	if err == nil && given.Rev > 0 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.made[e.ID] = given
	}
	return err
}

func (r *recreates) FindByID(ctx context.Context, id any) (*repotest.Marked, error) {
	e, err := r.marks.FindByID(ctx, id)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if given, ok := r.made[e.ID]; ok {
		e.Made = given.Made
	}
	return e, nil
}

type countsDeleted struct {
	marks
	deleted int64
}

func (r *countsDeleted) Delete(ctx context.Context, es ...*repotest.Marked) error {
	r.deleted += int64(len(es))
	return r.marks.Delete(ctx, es...)
}

func (r *countsDeleted) Count(ctx context.Context, q ...repo.Option) (int64, error) {
	n, err := r.marks.Count(ctx, q...)
	return n + r.deleted, err
}

type keepsKeys struct{ autos }

func (r keepsKeys) Save(ctx context.Context, e *repotest.Auto) error {
	if e == nil {
		return r.autos.Save(ctx, e)
	}
	mine := *e
	return r.autos.Save(ctx, &mine)
}

// insertsRead takes every version 0 for a new entity.
type insertsRead struct{ marks }

func (r insertsRead) Save(ctx context.Context, e *repotest.Marked) error {
	if found, err := r.ExistsByID(ctx, e.ID); err == nil && found && e.Rev == 0 {
		return repo.ErrDuplicateKey
	}
	return r.marks.Save(ctx, e)
}

// insertsDocuments takes every document without a version for a new entity.
type insertsDocuments struct{ marks }

func (r insertsDocuments) SmartSave(ctx context.Context, dto repo.SmartSaveDTO, opts ...repo.SmartSaveOption) ([]*repotest.Marked, error) {
	docs, err := driver.Decode[repotest.Marked](dto, opts...)
	if err != nil || docs.Mode != driver.ModeReplace {
		return r.marks.SmartSave(ctx, dto, opts...)
	}
	return docs.Entities, r.SaveAll(ctx, docs.Entities)
}
