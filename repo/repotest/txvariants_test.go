package repotest_test

import (
	"context"
	"errors"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

// txVariants are repositories whose transactions say what is not so, and such
// whose guard has a gap.
func txVariants() []variant {
	return []variant{
		{"CommitsWhatANestedOneFailedWith", "InTx/NestedFailureSpoils/Handled", onItems(func(r items) repo.Repository[repotest.Item] { return nestsCarelessly{r} })},
		{"CommitsWhatANestedPanicLeft", "InTx/NestedPanicSpoils", onItems(func(r items) repo.Repository[repotest.Item] { return nestsCarelessly{r} })},
		{"KeepsWhatASavepointTakesBack", "InTx/Savepoint", onItems(func(r items) repo.Repository[repotest.Item] { return nestsCarelessly{r} })},
		{"SavepointSpoilsAll", "InTx/Savepoint", onItems(func(r items) repo.Repository[repotest.Item] { return noSavepoints{r} })},
		{"UnsupportedAfterTheFact", "InTx/Savepoint", onItems(func(r items) repo.Repository[repotest.Item] { return saysUnsupported{r} })},
		{"WritesAfterTheEnd", "InTx/EndedTakesNoCall/RolledBack", onItems(func(r items) repo.Repository[repotest.Item] { return writesLate{r} })},
		{"StragglersWriteOutside", "InTx/StragglerWritesNothing", onItems(func(r items) repo.Repository[repotest.Item] { return writesLate{r} })},
		{"ReadsAfterTheEnd", "InTx/EndedTakesNoCall/Committed", onItems(func(r items) repo.Repository[repotest.Item] { return readsLate{r} })},
		{"SwallowsARollback", "InTx/SwallowedError/DuplicateKey", onItems(func(r items) repo.Repository[repotest.Item] { return swallowsRollback{r} })},
		{"SavesUnderAnyKey", "Fence/WrongKeyIsRefused/Save", onItems(func(r items) repo.Repository[repotest.Item] { return savesKeyless{r} })},
		{"SavesUnderAnyKeyInTx", "Fence/WrongKeyInTx", onItems(func(r items) repo.Repository[repotest.Item] { return savesKeyless{r} })},
		{"TakesAnyOnlyClaim", "Fence/KeyOfAPlainFence", onItems(func(r items) repo.Repository[repotest.Item] { return savesKeyless{r} })},
		{"CountsUnderAnyKey", "Fence/WrongKeyIsRefused/Count", onItems(func(r items) repo.Repository[repotest.Item] { return countsKeyless{r} })},
		{"TakesTheFirstKeyOnly", "Fence/TakesOneOfSeveralKeys", onItems(func(r items) repo.Repository[repotest.Item] { return firstKeyOnly{r} })},
		{"RegistersAnything", "Fence/WithoutKeys/NoKeys", onItems(func(r items) repo.Repository[repotest.Item] { return registersAnything{r} })},
	}
}

// nestsCarelessly takes a nested transaction for a call of its function.
type nestsCarelessly struct{ items }

func (r nestsCarelessly) InTx(ctx context.Context, fn func(context.Context) error) error {
	if r.TxState(ctx) == driver.TxJoined {
		return fn(ctx)
	}
	return r.items.InTx(ctx, fn)
}

type noSavepoints struct{ items }

func (r noSavepoints) InTx(ctx context.Context, fn func(context.Context) error) error {
	ctx, _ = driver.TakeSavepoint(ctx)
	return r.items.InTx(ctx, fn)
}

type saysUnsupported struct{ items }

func (r saysUnsupported) InTx(ctx context.Context, fn func(context.Context) error) error {
	_, asked := driver.TakeSavepoint(ctx)
	err := r.items.InTx(ctx, fn)
	if asked && r.TxState(ctx) == driver.TxJoined {
		return repo.ErrUnsupported
	}
	return err
}

// writesLate writes without the transaction when it is over.
type writesLate struct{ items }

func (r writesLate) Save(ctx context.Context, e *repotest.Item) error {
	err := r.items.Save(ctx, e)
	if errors.Is(err, repo.ErrInTx) {
		return errors.Join(r.items.Save(context.Background(), e), err)
	}
	return err
}

type readsLate struct{ items }

func (r readsLate) Count(ctx context.Context, q ...repo.Option) (int64, error) {
	n, err := r.items.Count(ctx, q...)
	if errors.Is(err, repo.ErrInTx) {
		return r.items.Count(context.Background(), q...)
	}
	return n, err
}

type swallowsRollback struct{ items }

func (r swallowsRollback) InTx(ctx context.Context, fn func(context.Context) error) error {
	err := r.items.InTx(ctx, fn)
	if errors.Is(err, repo.ErrRolledBack) {
		return nil
	}
	return err
}

// keyless hides which keys may guard.
type keyless struct{ driver.Fence }

func (keyless) Keys() []string { return nil }

func withoutKeys(ctx context.Context) context.Context {
	if f, ok := driver.FenceFrom(ctx); ok {
		return driver.WithFence(ctx, keyless{f})
	}
	return ctx
}

type savesKeyless struct{ items }

func (r savesKeyless) Save(ctx context.Context, e *repotest.Item) error {
	return r.items.Save(withoutKeys(ctx), e)
}

type countsKeyless struct{ items }

func (r countsKeyless) Count(ctx context.Context, q ...repo.Option) (int64, error) {
	return r.items.Count(withoutKeys(ctx), q...)
}

type firstKeyOnly struct{ items }

func (r firstKeyOnly) Save(ctx context.Context, e *repotest.Item) error {
	if g, ok := guardFrom(ctx); ok && len(g.Keys()) > 0 {
		ctx = driver.WithFence(ctx, oneKey{g})
	}
	return r.items.Save(ctx, e)
}

func guardFrom(ctx context.Context) (driver.Guard, bool) {
	f, _ := driver.FenceFrom(ctx)
	g, ok := f.(driver.Guard)
	return g, ok
}

type oneKey struct{ driver.Guard }

func (g oneKey) Keys() []string { return g.Guard.Keys()[:1] }

// registersAnything takes the key of any claim for the guard.
type registersAnything struct{ items }

func (r registersAnything) Save(ctx context.Context, e *repotest.Item) error {
	if g, ok := guardFrom(ctx); ok && len(g.Keys()) == 0 {
		ctx = driver.WithFence(ctx, struct{ driver.Fence }{g})
	}
	return r.items.Save(ctx, e)
}
