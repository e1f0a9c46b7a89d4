package repotest_test

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"slices"
	"strings"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

type countsFound struct{ items }

func (r countsFound) Count(ctx context.Context, q ...repo.Option) (int64, error) {
	found, err := r.Find(ctx, q...)
	return int64(len(found)), err
}

// rewrite passes the conditions through fn and keeps the rest of the query.
func rewrite(opts []repo.Option, fn func(driver.Cond) (driver.Cond, bool)) []repo.Option {
	q, err := driver.Compile[repotest.Item](opts...)
	if err != nil {
		return opts
	}
	var out []repo.Option
	for _, c := range q.Where {
		if c, keep := fn(c); keep {
			out = append(out, c)
		}
	}
	for _, o := range q.Orders {
		out = append(out, o)
	}
	for _, n := range q.Native {
		out = append(out, repo.Native(n))
	}
	if q.Limit > 0 {
		out = append(out, repo.Limit(q.Limit))
	}
	return append(out, repo.Offset(q.Offset))
}

// patterns is what LIKE does with an unescaped prefix.
type patterns struct{ items }

func (r patterns) Find(ctx context.Context, opts ...repo.Option) ([]*repotest.Item, error) {
	return r.items.Find(ctx, rewrite(opts, func(c driver.Cond) (driver.Cond, bool) {
		if text, ok := c.Value.(string); ok && c.Op == driver.OpPrefix {
			c.Value, _, _ = strings.Cut(text, "%")
		}
		return c, true
	})...)
}

type inOfNone struct{ items }

func (r inOfNone) Find(ctx context.Context, opts ...repo.Option) ([]*repotest.Item, error) {
	return r.items.Find(ctx, rewrite(opts, func(c driver.Cond) (driver.Cond, bool) {
		list, _ := c.Value.([]any)
		return c, c.Op != driver.OpIn || len(list) > 0
	})...)
}

type noNative struct{ items }

func (r noNative) Find(ctx context.Context, opts ...repo.Option) ([]*repotest.Item, error) {
	found, err := r.items.Find(ctx, opts...)
	if errors.Is(err, repo.ErrUnsupported) {
		return r.items.Find(ctx)
	}
	return found, err
}

type mergeReplaces struct{ items }

func (r mergeReplaces) SmartSave(ctx context.Context, dto repo.SmartSaveDTO, opts ...repo.SmartSaveOption) ([]*repotest.Item, error) {
	return r.items.SmartSave(ctx, dto, append(opts, repo.Replace())...)
}

type savesGood struct{ items }

func (r savesGood) SmartSave(ctx context.Context, dto repo.SmartSaveDTO, opts ...repo.SmartSaveOption) ([]*repotest.Item, error) {
	out, err := r.items.SmartSave(ctx, dto, opts...)
	var batch *repo.BatchError
	if errors.As(err, &batch) && errors.Is(err, repo.ErrInvalid) {
		for _, text := range dto.EntityList {
			var e repotest.Item
			if json.Unmarshal([]byte(text), &e) == nil && e.ID != "" {
				if serr := r.Save(ctx, &e); serr != nil {
					return nil, serr
				}
			}
		}
	}
	return out, err
}

type sortsSaved struct{ items }

func (r sortsSaved) SmartSave(ctx context.Context, dto repo.SmartSaveDTO, opts ...repo.SmartSaveOption) ([]*repotest.Item, error) {
	out, err := r.items.SmartSave(ctx, dto, opts...)
	slices.SortFunc(out, func(a, b *repotest.Item) int { return strings.Compare(a.ID, b.ID) })
	return out, err
}

type updatesAnyway struct{ items }

func (r updatesAnyway) Update(ctx context.Context, id any, fn func(*repotest.Item) error) (*repotest.Item, error) {
	if fn == nil {
		return r.items.Update(ctx, id, fn)
	}
	var failed error
	e, err := r.items.Update(ctx, id, func(e *repotest.Item) error {
		failed = fn(e)
		return nil
	})
	if failed != nil {
		return nil, failed
	}
	return e, err
}

// updatesBlindly reads, changes and saves with nothing around it.
type updatesBlindly struct{ items }

func (r updatesBlindly) Update(ctx context.Context, id any, fn func(*repotest.Item) error) (*repotest.Item, error) {
	e, err := r.FindByID(ctx, id)
	if err != nil || fn == nil {
		return r.items.Update(ctx, id, fn)
	}
	key := e.ID
	if err := fn(e); err != nil {
		return nil, err
	}
	if e.ID != key {
		return nil, repo.ErrInvalid
	}
	for range 50 {
		runtime.Gosched()
	}
	return e, r.Save(ctx, e)
}
