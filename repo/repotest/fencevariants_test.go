package repotest_test

import (
	"context"
	"errors"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

// fenceVariants are repositories whose fence has a gap.
func fenceVariants() []variant {
	return []variant{
		{"SaveIgnoresTheFence", "Fence/RefusesWhatIsNot/OlderToken", onItems(func(r items) repo.Repository[repotest.Item] { return savesUnfenced{r} })},
		{"AcceptsAnAttemptTwice", "Fence/RefusesWhatIsNot/TheSameAttempt", onItems(func(r items) repo.Repository[repotest.Item] {
			attempt := int64(0)
			return shows{r, func(c repo.Claim) repo.Claim {
				attempt++
				c.Sub = c.Sub>>32<<32 + attempt
				return c
			}}
		})},
		{"TurnsDoNotMatter", "Fence/RefusesWhatIsNot/EarlierTurn", onItems(func(r items) repo.Repository[repotest.Item] {
			attempt := int64(0)
			return shows{r, func(c repo.Claim) repo.Claim {
				attempt++
				c.Sub = attempt
				return c
			}}
		})},
		{"OwnersDoNotMatter", "Fence/RefusesWhatIsNot/AnotherOwnersTurn", onItems(func(r items) repo.Repository[repotest.Item] {
			return shows{r, func(c repo.Claim) repo.Claim { c.Owner = ""; return c }}
		})},
		{"OneKeyForAll", "Fence/KeysAreApart", onItems(func(r items) repo.Repository[repotest.Item] {
			return shows{r, func(c repo.Claim) repo.Claim { c.Key = "all"; return c }}
		})},
		{"RefusesTheNextTurn", "Fence/AcceptsWhatIsNewer", onItems(func(r items) repo.Repository[repotest.Item] {
			return shows{r, func(c repo.Claim) repo.Claim { c.Sub = 1; return c }}
		})},
		{"RefusalSaysNothing", "Fence/RefusalNamesBoth", onItems(func(r items) repo.Repository[repotest.Item] { return refusesBriefly{r} })},
		{"WritesBeforeItRefuses", "Fence/RefusesEveryWrite/Save", onItems(func(r items) repo.Repository[repotest.Item] { return writesFirst{r} })},
		{"DeletesUnfenced", "Fence/RefusesEveryWrite/DeleteByID", onItems(func(r items) repo.Repository[repotest.Item] { return deletesUnfenced{r} })},
		{"UpdatesUnfenced", "Fence/HoldsInUpdate", onItems(func(r items) repo.Repository[repotest.Item] { return updatesUnfenced{r} })},
		{"RefusesDeletes", "Fence/LetsEveryWrite/Delete", onItems(func(r items) repo.Repository[repotest.Item] { return deletesAsOld{r} })},
		{"ReadingRaisesNothing", "Fence/ReadRaises/FindByID", onItems(func(r items) repo.Repository[repotest.Item] { return readsUnfenced{r} })},
		{"OnlyTheFirstClaimCounts", "Fence/TakesSeveralClaims", onItems(func(r items) repo.Repository[repotest.Item] { return firstClaim{r} })},
		{"TheFenceIsSeen", "Fence/IsNoPartOfEntities", onItems(func(r items) repo.Repository[repotest.Item] { return marksFenced{r} })},
		{"AnUnfencedSaveOpensTheFence", "Fence/OutlivesOthers", onItems(func(r items) repo.Repository[repotest.Item] { return &forgets{items: r} })},
		{"AbsentIsFenced", "Fence/OfAbsent", onItems(func(r items) repo.Repository[repotest.Item] { return absentIsFenced{r} })},
		{"SavesOneByOne", "Fence/OfAList", onItems(func(r items) repo.Repository[repotest.Item] { return listsUnfenced{r} })},
		{"MergesUnfenced", "Fence/OfAMergedList", onItems(func(r items) repo.Repository[repotest.Item] { return mergesUnfenced{r} })},
		{"QueriesRaiseNothing", "Fence/OfQueries/Find", onItems(func(r items) repo.Repository[repotest.Item] { return queriesUnfenced{r} })},
		{"ARefusedSaveCountsUp", "Fence/OfVersions", onMarked(func(r marks) repo.Repository[repotest.Marked] { return countsUp{r} })},
		{"TheMarkIsNotFenced", "Fence/OfDeleted", onMarked(func(r marks) repo.Repository[repotest.Marked] { return marksUnfenced{r} })},
	}
}

func unfenced(ctx context.Context) context.Context { return driver.WithFence(ctx, nil) }

// shown is a fence whose claims are changed on their way.
type shown struct {
	driver.Fence
	change func(repo.Claim) repo.Claim
}

func (f shown) Claims() []repo.Claim {
	list := f.Fence.Claims()
	for i := range list {
		list[i] = f.change(list[i])
	}
	return list
}

func changed(ctx context.Context, change func(repo.Claim) repo.Claim) context.Context {
	if f, ok := driver.FenceFrom(ctx); ok {
		return driver.WithFence(ctx, shown{f, change})
	}
	return ctx
}

// shows saves under other claims than those it was given.
type shows struct {
	items
	change func(repo.Claim) repo.Claim
}

func (r shows) Save(ctx context.Context, e *repotest.Item) error {
	return r.items.Save(changed(ctx, r.change), e)
}

type savesUnfenced struct{ items }

func (r savesUnfenced) Save(ctx context.Context, e *repotest.Item) error {
	return r.items.Save(unfenced(ctx), e)
}

type refusesBriefly struct{ items }

func (r refusesBriefly) Save(ctx context.Context, e *repotest.Item) error {
	err := r.items.Save(ctx, e)
	if errors.Is(err, repo.ErrFenced) {
		return repo.ErrFenced
	}
	return err
}

// writesFirst checks the claims after the write.
type writesFirst struct{ items }

func (r writesFirst) Save(ctx context.Context, e *repotest.Item) error {
	if err := r.items.Save(unfenced(ctx), e); err != nil {
		return err
	}
	return r.items.Save(ctx, e)
}

type deletesUnfenced struct{ items }

func (r deletesUnfenced) DeleteByID(ctx context.Context, id any) error {
	return r.items.DeleteByID(unfenced(ctx), id)
}

type updatesUnfenced struct{ items }

func (r updatesUnfenced) Update(ctx context.Context, id any, fn func(*repotest.Item) error) (*repotest.Item, error) {
	return r.items.Update(unfenced(ctx), id, fn)
}

type deletesAsOld struct{ items }

func (r deletesAsOld) Delete(ctx context.Context, es ...*repotest.Item) error {
	return r.items.Delete(changed(ctx, func(c repo.Claim) repo.Claim { c.Token = 0; return c }), es...)
}

// readsUnfenced checks the fence where it writes, and only there.
type readsUnfenced struct{ items }

func (r readsUnfenced) FindByID(ctx context.Context, id any) (*repotest.Item, error) {
	return r.items.FindByID(unfenced(ctx), id)
}

type firstClaim struct{ items }

func (r firstClaim) Save(ctx context.Context, e *repotest.Item) error {
	if f, ok := driver.FenceFrom(ctx); ok {
		ctx = driver.WithFence(ctx, first{f})
	}
	return r.items.Save(ctx, e)
}

type first struct{ driver.Fence }

func (f first) Claims() []repo.Claim { return f.Fence.Claims()[:1] }

type marksFenced struct{ items }

func (r marksFenced) SaveAll(ctx context.Context, es []*repotest.Item) error {
	if _, ok := driver.FenceFrom(ctx); ok {
		for _, e := range es {
			fenced := *e
			fenced.Labels = map[string]string{"_f": "1"}
			if err := r.Save(ctx, &fenced); err != nil {
				return err
			}
		}
		return nil
	}
	return r.items.SaveAll(ctx, es)
}

// forgets loses the claims with a save that has none.
type forgets struct {
	items
	open bool
}

func (r *forgets) Save(ctx context.Context, e *repotest.Item) error {
	if _, ok := driver.FenceFrom(ctx); !ok {
		r.open = true
	} else if r.open {
		ctx = unfenced(ctx)
	}
	return r.items.Save(ctx, e)
}

type absentIsFenced struct{ items }

func (r absentIsFenced) FindByID(ctx context.Context, id any) (*repotest.Item, error) {
	e, err := r.items.FindByID(ctx, id)
	if _, ok := driver.FenceFrom(ctx); ok && errors.Is(err, repo.ErrNotFound) {
		return nil, &repo.FencedError{}
	}
	return e, err
}

type listsUnfenced struct{ items }

func (r listsUnfenced) SaveAll(ctx context.Context, es []*repotest.Item) error {
	return r.items.SaveAll(unfenced(ctx), es)
}

type mergesUnfenced struct{ items }

func (r mergesUnfenced) SmartSave(ctx context.Context, dto repo.SmartSaveDTO, opts ...repo.SmartSaveOption) ([]*repotest.Item, error) {
	return r.items.SmartSave(unfenced(ctx), dto, opts...)
}

type queriesUnfenced struct{ items }

func (r queriesUnfenced) Find(ctx context.Context, q ...repo.Option) ([]*repotest.Item, error) {
	return r.items.Find(unfenced(ctx), q...)
}

type countsUp struct{ marks }

func (r countsUp) Save(ctx context.Context, e *repotest.Marked) error {
	err := r.marks.Save(ctx, e)
	if errors.Is(err, repo.ErrFenced) {
		e.Rev++
	}
	return err
}

type marksUnfenced struct{ marks }

func (r marksUnfenced) DeleteByID(ctx context.Context, id any) error {
	return r.marks.DeleteByID(unfenced(ctx), id)
}
