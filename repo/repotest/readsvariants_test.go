package repotest_test

import (
	"context"
	"iter"
	"slices"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

func readsVariants() []variant {
	return []variant{
		{"StreamsInAnotherOrder", "Stream/IsWhatFindFinds", onItems(func(r items) repo.Repository[repotest.Item] { return streamsBackwards{r} })},
		{"StreamsAfterTheContextEnded", "Stream/EndsWithTheContext", onItems(func(r items) repo.Repository[repotest.Item] { return deafStream{r} })},
		{"StreamsPastTheTransaction", "Stream/InTx", onItems(func(r items) repo.Repository[repotest.Item] { return streamsOutside{r} })},
		{"NamesAKeyThatIsNone", "Windows/AreWhatFindFinds", onItems(func(r items) repo.Repository[repotest.Item] { return wrongKey{r} })},
		{"TakesAMissingValueForZero", "Project/OfNone", onItems(func(r items) repo.Repository[repotest.Item] { return zeroForNull{r} })},
		{"CutsBeforeItSortsGroups", "Project/SortsAndCutsGroups", onItems(func(r items) repo.Repository[repotest.Item] { return cutsFirst{r} })},
		{"SkipsOneTooMany", "Reads/PageByPage", onItems(func(r items) repo.Repository[repotest.Item] { return skipsOneMore{r} })},
	}
}

type streamsBackwards struct{ items }

func (r streamsBackwards) Stream(ctx context.Context, q ...repo.Option) iter.Seq2[*repotest.Item, error] {
	return driver.Yield(func() ([]*repotest.Item, error) {
		found, err := r.Find(ctx, q...)
		slices.Reverse(found)
		return found, err
	})
}

type deafStream struct{ items }

func (r deafStream) Stream(ctx context.Context, q ...repo.Option) iter.Seq2[*repotest.Item, error] {
	return r.items.Stream(context.WithoutCancel(ctx), q...)
}

type streamsOutside struct{ items }

func (r streamsOutside) Stream(ctx context.Context, q ...repo.Option) iter.Seq2[*repotest.Item, error] {
	return r.items.Stream(driver.WithTx(ctx, driver.Tx{}), q...)
}

type wrongKey struct{ items }

func (wrongKey) KeyFields() []string { return []string{"Active"} }

type zeroForNull struct{ items }

func (r zeroForNull) Aggregate(ctx context.Context, a driver.Aggregation) ([][]any, error) {
	rows, err := r.items.Aggregate(ctx, a)
	for _, row := range rows {
		for i, v := range row {
			if v == nil && a.Columns[i].Field == "Price" {
				row[i] = 0.0
			}
		}
	}
	return rows, err
}

type cutsFirst struct{ items }

func (r cutsFirst) Aggregate(ctx context.Context, a driver.Aggregation) ([][]any, error) {
	if a.Limit == 0 {
		return r.items.Aggregate(ctx, a)
	}
	orders := a.Orders
	a.Orders = nil
	for _, o := range orders {
		o.Desc = !o.Desc
		a.Orders = append(a.Orders, o)
	}
	return r.items.Aggregate(ctx, a)
}

type skipsOneMore struct{ items }

func (r skipsOneMore) Find(ctx context.Context, opts ...repo.Option) ([]*repotest.Item, error) {
	found, err := r.items.Find(ctx, opts...)
	if q, cerr := driver.Compile[repotest.Item](opts...); cerr == nil && q.Offset > 0 && len(found) > 1 {
		return found[1:], err
	}
	return found, err
}
