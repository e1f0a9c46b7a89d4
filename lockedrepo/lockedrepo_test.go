package lockedrepo_test

import (
	"context"
	"crypto/rand"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

var (
	_ repo.Repository[order]      = (*lockedrepo.Repository[order])(nil)
	_ repo.Updater[order]         = (*lockedrepo.Repository[order])(nil)
	_ repo.Store[order]           = (*lockedrepo.Repository[order])(nil)
	_ driver.DocumentSaver[order] = (*lockedrepo.Repository[order])(nil)
	_ repo.Transactor             = (*lockedrepo.Repository[order])(nil)
	_ lockedrepo.Lockable         = (*lockedrepo.Repository[order])(nil)
	_ driver.TxReporter           = (*lockedrepo.Repository[order])(nil)
)

var total = repo.MustField[order, int]("Total")

// calls is every method of the repository, and whether it holds the lock. A
// method that is added and not listed here fails the test below.
var calls = map[string]struct {
	locked bool
	call   func(ctx context.Context, r *lockedrepo.Repository[order]) error
}{
	"SaveChunks": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		return r.SaveChunks(ctx, []*order{{ID: "2"}}, 1)
	}},
	"Save": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error { return r.Save(ctx, &order{ID: "2"}) }},
	"SaveAll": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		return r.SaveAll(ctx, []*order{{ID: "2"}})
	}},
	"SmartSave": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id":"2"}`}})
		return err
	}},
	"SaveDocuments": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		docs, err := driver.Decode[order](repo.SmartSaveDTO{EntityList: []string{`{"id":"2"}`}})
		if err == nil {
			_, err = r.SaveDocuments(ctx, docs)
		}
		return err
	}},
	"Update": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		_, err := r.Update(ctx, "1", func(*order) error { return nil })
		return err
	}},
	"Delete": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		return r.Delete(ctx, &order{ID: "2"})
	}},
	"DeleteByID": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error { return r.DeleteByID(ctx, "2") }},
	"DeleteAllByID": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		_, err := r.DeleteAllByID(ctx, []any{"2"})
		return err
	}},
	"InTx": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		return r.InTx(ctx, func(context.Context) error { return nil })
	}},
	"Do": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		return r.Do(ctx, func(ctx context.Context) error { return r.Save(ctx, &order{ID: "2"}) })
	}},
	"Insert": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		return r.Insert(ctx, &order{ID: rand.Text()})
	}},
	"InsertIfAbsent": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		_, err := r.InsertIfAbsent(ctx, &order{ID: "2"})
		return err
	}},
	"UpsertBy": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		_, err := r.UpsertBy(ctx, []*order{{ID: "2", Total: 7}}, total)
		return err
	}},
	"UpdateWhere": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		_, err := r.UpdateWhere(ctx, total.Eq(0), total.Set(1))
		return err
	}},
	"DeleteWhere": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		_, err := r.DeleteWhere(ctx, total.Eq(0))
		return err
	}},
	"Restore": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		_, err := r.Restore(ctx, "2")
		return err
	}},
	"FindByID": {false, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		_, err := r.FindByID(ctx, "1")
		return err
	}},
	"FindAllByID": {}, "ExistsByID": {}, "Find": {}, "Count": {}, "Stream": {}, "Aggregate": {}, "KeyFields": {}, "TxState": {}, "Key": {}, "Keys": {}, "KeysOf": {}, "For": {}, "Pending": {}, "Grouping": {},
}

func TestEveryMethodIsLockedOrPassesThrough(t *testing.T) {
	t.Parallel()
	typ := reflect.TypeFor[*lockedrepo.Repository[order]]()
	for method := range typ.Methods() {
		if _, ok := calls[method.Name]; !ok {
			t.Errorf("%s is neither locked nor listed as passing through", method.Name)
		}
	}
	for name, c := range calls {
		if _, ok := typ.MethodByName(name); !ok {
			t.Errorf("%s is listed and does not exist", name)
		}
		if c.call == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var held []bool
			b := setup(t, func(b *bundle, ctx context.Context, _ string) error {
				held = append(held, b.isHeld(ctx, t))
				return nil
			})
			if err := b.inner.Repository.Save(t.Context(), &order{ID: "1"}); err != nil {
				t.Fatal(err)
			}
			if err := c.call(t.Context(), b.repo); err != nil {
				t.Fatal(err)
			}
			if want := []bool{c.locked}; !slices.Equal(held, want) {
				t.Fatalf("while the inner repository worked the lock was held: %v, want %v", held, want)
			}
			if b.isHeld(t.Context(), t) {
				t.Fatal("the lock was not given back")
			}
		})
	}
}

func TestInputIsCheckedBeforeLocking(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	// A caller that tried to lock now would wait and fail with another error.
	hold, err := b.other.Lock(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hold.Unlock(context.Background()) }()
	ctx := t.Context()
	smartSave := func(docs ...string) error {
		_, err := b.repo.SmartSave(ctx, repo.SmartSaveDTO{EntityList: docs})
		return err
	}
	_, nilUpdate := b.repo.Update(ctx, "1", nil)
	_, noIDs := b.repo.DeleteAllByID(ctx, nil)
	_, nilDocs := b.repo.SaveDocuments(ctx, nil)
	_, nilIfAbsent := b.repo.InsertIfAbsent(ctx, nil)
	_, noneIfAbsent := b.repo.InsertIfAbsent(ctx)
	_, noFields := b.repo.UpsertBy(ctx, []*order{{ID: "1"}})
	_, twice := b.repo.UpsertBy(ctx, []*order{{ID: "1"}, {ID: "2"}}, total)
	_, noneByField := b.repo.UpsertBy(ctx, nil, total)
	_, updateAll := b.repo.UpdateWhere(ctx, repo.And(), total.Set(1))
	_, updateNothing := b.repo.UpdateWhere(ctx, total.Eq(1))
	_, deleteAll := b.repo.DeleteWhere(ctx, repo.Not(repo.Or()))
	_, noneRestored := b.repo.Restore(ctx)
	_, noDocs := b.repo.SaveDocuments(ctx, &driver.Documents[order]{})
	for name, c := range map[string]struct{ got, want error }{
		"NilEntity":         {b.repo.Save(ctx, nil), repo.ErrInvalid},
		"NilElement":        {b.repo.SaveAll(ctx, []*order{{ID: "1"}, nil}), repo.ErrInvalid},
		"NilDeleted":        {b.repo.Delete(ctx, nil), repo.ErrInvalid},
		"NilFunction":       {nilUpdate, repo.ErrInvalid},
		"NilDo":             {b.repo.Do(ctx, nil), repo.ErrInvalid},
		"NilTx":             {b.repo.InTx(ctx, nil), repo.ErrInvalid},
		"NilDocuments":      {nilDocs, repo.ErrInvalid},
		"NoDocuments":       {noDocs, repo.ErrEmptySave},
		"EmptyList":         {smartSave(), repo.ErrEmptySave},
		"BadDocument":       {smartSave(`{"total":"x"}`), repo.ErrInvalid},
		"NilInserted":       {b.repo.Insert(ctx, nil), repo.ErrInvalid},
		"NilIfAbsent":       {nilIfAbsent, repo.ErrInvalid},
		"NoNaturalKey":      {noFields, repo.ErrInvalid},
		"NaturalKeyTwice":   {twice, repo.ErrInvalid},
		"UpdateEverything":  {updateAll, repo.ErrInvalid},
		"NoAssignment":      {updateNothing, repo.ErrInvalid},
		"DeleteEverything":  {deleteAll, repo.ErrInvalid},
		"NothingToInsert":   {b.repo.Insert(ctx), nil},
		"NothingIfAbsent":   {noneIfAbsent, nil},
		"NothingToUpsert":   {noneByField, nil},
		"NothingToRestore":  {noneRestored, nil},
		"NoElementsNoLock":  {b.repo.SaveAll(ctx, nil), nil},
		"NoIDsNoLock":       {noIDs, nil},
		"NothingToDelete":   {b.repo.Delete(ctx), nil},
		"ForeignTxIsNoWait": {b.repo.Save(driver.WithTx(ctx, driver.Tx{Store: "another"}), &order{ID: "1"}), repo.ErrInTx},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
}

func TestAsDoesNotReachAnUnlockedWriter(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	var r repo.Repository[order] = b.repo
	if u, ok := repo.As[repo.Updater[order]](r); !ok || u != repo.Updater[order](b.repo) {
		t.Fatalf("got %T", u)
	}
	if _, ok := repo.As[watched](r); ok {
		t.Fatal("the inner repository was reached past the lock")
	}
}

// withoutWriter is a repository of somebody else that has none of the newer methods.
type withoutWriter struct{ repo.Repository[order] }

func (withoutWriter) FenceMode() driver.FenceMode { return driver.FenceTx }

func TestWriterOfARepositoryThatIsNone(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	plain, err := lockedrepo.New[order](withoutWriter{b.inner.Repository}, b.locker, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, ifAbsent := plain.InsertIfAbsent(ctx, &order{ID: "1"})
	_, upsert := plain.UpsertBy(ctx, []*order{{ID: "1"}}, total)
	_, update := plain.UpdateWhere(ctx, total.Eq(1), total.Set(1))
	_, remove := plain.DeleteWhere(ctx, total.Eq(1))
	_, restore := plain.Restore(ctx, "1")
	for i, err := range []error{plain.Insert(ctx, &order{ID: "1"}), ifAbsent, upsert, update, remove, restore} {
		if !errors.Is(err, repo.ErrUnsupported) {
			t.Errorf("%d: got %v", i, err)
		}
	}
}
