package repotest_test

import (
	"context"
	"errors"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

func writesVariants() []variant {
	return []variant{
		{"InsertOverwrites", "Insert/RefusesStored", onItems(func(r items) repo.Repository[repotest.Item] { return insertSaves{r} })},
		{"ReturnsPresentOnes", "Insert/OfAKeyTwice", onItems(func(r items) repo.Repository[repotest.Item] { return returnsAll{r} })},
		{"InsertsOverDeletedOnes", "Insert/RefusesDeleted", onMarked(func(r marks) repo.Repository[repotest.Marked] { return insertRestores{r} })},
		{"UpsertKeepsItsKey", "UpsertBy/InsertsAndUpdates", onItems(func(r items) repo.Repository[repotest.Item] { return keepsKey{r} })},
		{"UpsertCountsAllAsInserted", "UpsertBy/CrossesBatches", onItems(func(r items) repo.Repository[repotest.Item] { return countsInserted{r} })},
		{"UpsertTakesTheFirstOfTwo", "UpsertBy/OfTwoStored", onItems(func(r items) repo.Repository[repotest.Item] { return firstOfTwo{r} })},
		{"UpdatesDeletedOnes", "UpdateWhere/OfMarked", onMarked(func(r marks) repo.Repository[repotest.Marked] { return updatesDeleted{r} })},
		{"UpdatesEverything", "UpdateWhere/RefusesWhatIsWrong", onItems(func(r items) repo.Repository[repotest.Item] { return updatesAll{r} })},
		{"DeletesEverything", "DeleteWhere/Removes", onItems(func(r items) repo.Repository[repotest.Item] { return deletesAll{r} })},
		{"WritesPastTheTransaction", "Writes/InTx", onItems(func(r items) repo.Repository[repotest.Item] { return updatesOutside{r} })},
		{"UpdatesWithoutAClaim", "Writes/AreFenced", onItems(func(r items) repo.Repository[repotest.Item] { return unfencedWhere{r} })},
		{"RestoresWithoutCounting", "Restore/BringsBack", onMarked(func(r marks) repo.Repository[repotest.Marked] { return restoresAll{r} })},
	}
}

type insertSaves struct{ items }

func (r insertSaves) Insert(ctx context.Context, es ...*repotest.Item) error {
	return r.SaveAll(ctx, es)
}

type returnsAll struct{ items }

func (r returnsAll) InsertIfAbsent(ctx context.Context, es ...*repotest.Item) ([]*repotest.Item, error) {
	_, err := r.items.InsertIfAbsent(ctx, es...)
	return es, err
}

type insertRestores struct{ marks }

func (r insertRestores) Insert(ctx context.Context, es ...*repotest.Marked) error {
	for _, e := range es {
		if n, err := r.Restore(ctx, e.ID); n > 0 || err != nil {
			return err
		}
	}
	return r.marks.Insert(ctx, es...)
}

type keepsKey struct{ items }

func (r keepsKey) UpsertBy(ctx context.Context, es []*repotest.Item, by ...repo.Handle) (repo.Upserted, error) {
	ids := make([]string, len(es))
	for i, e := range es {
		if e != nil {
			ids[i] = e.ID
		}
	}
	done, err := r.items.UpsertBy(ctx, es, by...)
	for i, e := range es {
		if e != nil {
			e.ID = ids[i]
		}
	}
	return done, err
}

type countsInserted struct{ items }

func (r countsInserted) UpsertBy(ctx context.Context, es []*repotest.Item, by ...repo.Handle) (repo.Upserted, error) {
	done, err := r.items.UpsertBy(ctx, es, by...)
	return repo.Upserted{Inserted: done.Inserted + done.Updated}, err
}

type firstOfTwo struct{ items }

func (r firstOfTwo) UpsertBy(ctx context.Context, es []*repotest.Item, by ...repo.Handle) (repo.Upserted, error) {
	done, err := r.items.UpsertBy(ctx, es, by...)
	if errors.Is(err, repo.ErrDuplicateKey) && len(es) == 2 {
		return repo.Upserted{}, nil
	}
	return done, err
}

type updatesDeleted struct{ marks }

func (r updatesDeleted) UpdateWhere(ctx context.Context, where repo.Condition, set ...repo.Assignment) (int64, error) {
	if _, err := r.Restore(ctx, "gone"); err != nil {
		return 0, err
	}
	return r.marks.UpdateWhere(ctx, where, set...)
}

type updatesAll struct{ items }

func (r updatesAll) UpdateWhere(ctx context.Context, where repo.Condition, set ...repo.Assignment) (int64, error) {
	return r.items.UpdateWhere(ctx, some(where), set...)
}

type deletesAll struct{ items }

func (r deletesAll) DeleteWhere(ctx context.Context, where repo.Condition) (int64, error) {
	return r.items.DeleteWhere(ctx, some(where))
}

// some makes a condition of one that always holds.
func some(where repo.Condition) repo.Condition {
	return repo.And(where, repo.F[repotest.Item, string]("ID").NotNull())
}

type updatesOutside struct{ items }

func (r updatesOutside) UpdateWhere(ctx context.Context, where repo.Condition, set ...repo.Assignment) (int64, error) {
	if r.TxState(ctx) == driver.TxJoined {
		return 1, nil
	}
	return r.items.UpdateWhere(ctx, where, set...)
}

type unfencedWhere struct{ items }

func (r unfencedWhere) UpdateWhere(ctx context.Context, where repo.Condition, set ...repo.Assignment) (int64, error) {
	return r.items.UpdateWhere(driver.WithFence(ctx, nil), where, set...)
}

type restoresAll struct{ marks }

func (r restoresAll) Restore(ctx context.Context, ids ...any) (int64, error) {
	_, err := r.marks.Restore(ctx, ids...)
	if err != nil {
		return 0, err
	}
	return int64(len(ids)), nil
}
