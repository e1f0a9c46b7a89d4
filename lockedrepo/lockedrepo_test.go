package lockedrepo_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

type order struct {
	ID    string `json:"id"`
	Total int    `json:"total"`
}

var (
	_ repo.Repository[order]    = (*lockedrepo.Repository[order])(nil)
	_ repo.Updater[order]       = (*lockedrepo.Repository[order])(nil)
	_ repo.DocumentSaver[order] = (*lockedrepo.Repository[order])(nil)
	_ repo.Transactor           = (*lockedrepo.Repository[order])(nil)
	_ repo.TxReporter           = (*lockedrepo.Repository[order])(nil)
)

// watched is an inner repository that runs a probe inside every call.
type watched struct {
	*memrepo.Repository[order]
	probe func(ctx context.Context, method string) error
}

func (w watched) Save(ctx context.Context, e *order) error {
	if err := w.probe(ctx, "Save"); err != nil {
		return err
	}
	return w.Repository.Save(ctx, e)
}

func (w watched) SaveAll(ctx context.Context, es []*order) error {
	if err := w.probe(ctx, "SaveAll"); err != nil {
		return err
	}
	return w.Repository.SaveAll(ctx, es)
}

func (w watched) SaveDocuments(ctx context.Context, docs *repo.Documents[order]) ([]*order, error) {
	if err := w.probe(ctx, "SaveDocuments"); err != nil {
		return nil, err
	}
	return w.Repository.SaveDocuments(ctx, docs)
}

func (w watched) Update(ctx context.Context, id any, fn func(*order) error) (*order, error) {
	if err := w.probe(ctx, "Update"); err != nil {
		return nil, err
	}
	return w.Repository.Update(ctx, id, fn)
}

func (w watched) Delete(ctx context.Context, es ...*order) error {
	if err := w.probe(ctx, "Delete"); err != nil {
		return err
	}
	return w.Repository.Delete(ctx, es...)
}

func (w watched) DeleteByID(ctx context.Context, id any) error {
	if err := w.probe(ctx, "DeleteByID"); err != nil {
		return err
	}
	return w.Repository.DeleteByID(ctx, id)
}

func (w watched) DeleteAllByID(ctx context.Context, ids []any) (int64, error) {
	if err := w.probe(ctx, "DeleteAllByID"); err != nil {
		return 0, err
	}
	return w.Repository.DeleteAllByID(ctx, ids)
}

func (w watched) FindByID(ctx context.Context, id any) (*order, error) {
	if err := w.probe(ctx, "FindByID"); err != nil {
		return nil, err
	}
	return w.Repository.FindByID(ctx, id)
}

// InTx makes the store look as if it had transactions.
func (w watched) InTx(ctx context.Context, fn func(context.Context) error) error {
	if err := w.probe(ctx, "InTx"); err != nil {
		return err
	}
	return fn(ctx)
}

type bundle struct {
	cluster *locktest.Cluster
	locker  *etcdlock.Locker // the repository's
	other   *etcdlock.Locker // another process's
	inner   watched
	repo    *lockedrepo.Repository[order]
}

const key = "shop.Order"

// newCluster returns an etcd in memory. It is closed after the Lockers, which
// are made later.
func newCluster(t *testing.T) *locktest.Cluster {
	t.Helper()
	c := locktest.NewCluster()
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func newLocker(t *testing.T, c *locktest.Cluster, opts *etcdlock.Options) *etcdlock.Locker {
	t.Helper()
	l, err := c.NewLocker(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close(context.Background()) })
	return l
}

func setup(t *testing.T, probe func(b *bundle, ctx context.Context, method string) error) *bundle {
	t.Helper()
	b := &bundle{cluster: newCluster(t)}
	b.locker, b.other = newLocker(t, b.cluster, nil), newLocker(t, b.cluster, nil)
	mem, err := memrepo.New[order](nil)
	if err != nil {
		t.Fatal(err)
	}
	b.inner = watched{mem, func(ctx context.Context, method string) error {
		if probe == nil {
			return nil
		}
		return probe(b, ctx, method)
	}}
	b.repo, err = lockedrepo.New[order](b.inner, b.locker, &lockedrepo.Options{Key: key, LockTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// isHeld tells whether another process finds the lock taken.
func (b *bundle) isHeld(ctx context.Context, t *testing.T) bool {
	t.Helper()
	hold, err := b.other.TryLock(ctx, key)
	if errors.Is(err, etcdlock.ErrHeld) {
		return true
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := hold.Unlock(ctx); err != nil {
		t.Fatal(err)
	}
	return false
}

// calls is every method of the repository, and whether it holds the lock. A
// method that is added and not listed here fails the test below.
var calls = map[string]struct {
	locked bool
	call   func(ctx context.Context, r *lockedrepo.Repository[order]) error
}{
	"Save": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error { return r.Save(ctx, &order{ID: "2"}) }},
	"SaveAll": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		return r.SaveAll(ctx, []*order{{ID: "2"}})
	}},
	"SmartSave": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id":"2"}`}})
		return err
	}},
	"SaveDocuments": {true, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		docs, err := repo.Decode[order](repo.SmartSaveDTO{EntityList: []string{`{"id":"2"}`}})
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
	"FindByID": {false, func(ctx context.Context, r *lockedrepo.Repository[order]) error {
		_, err := r.FindByID(ctx, "1")
		return err
	}},
	"FindAllByID": {}, "ExistsByID": {}, "Find": {}, "Count": {}, "TxState": {}, "Key": {},
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
	// Whoever tried to lock now would wait and fail with another error.
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
	for name, c := range map[string]struct{ got, want error }{
		"NilEntity":         {b.repo.Save(ctx, nil), repo.ErrInvalid},
		"NilElement":        {b.repo.SaveAll(ctx, []*order{{ID: "1"}, nil}), repo.ErrInvalid},
		"NilDeleted":        {b.repo.Delete(ctx, nil), repo.ErrInvalid},
		"NilFunction":       {nilUpdate, repo.ErrInvalid},
		"NilTx":             {b.repo.InTx(ctx, nil), repo.ErrInvalid},
		"NilDocuments":      {nilDocs, repo.ErrInvalid},
		"EmptyList":         {smartSave(), repo.ErrEmptySave},
		"BadDocument":       {smartSave(`{"total":"x"}`), repo.ErrInvalid},
		"NoElementsNoLock":  {b.repo.SaveAll(ctx, nil), nil},
		"NoIDsNoLock":       {noIDs, nil},
		"NothingToDelete":   {b.repo.Delete(ctx), nil},
		"ForeignTxIsNoWait": {b.repo.Save(repo.WithTx(ctx, repo.Tx{Store: "another"}), &order{ID: "1"}), repo.ErrInTx},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
}

func TestWaitingIsBoundedAndNamesTheHolder(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	mine, other := newLocker(t, cluster, nil), newLocker(t, cluster, &etcdlock.Options{Service: "billing"})
	mem, err := memrepo.New[order](nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := lockedrepo.New[order](mem, mine, &lockedrepo.Options{Key: key, LockTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	hold, err := other.Lock(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	err = r.Save(t.Context(), &order{ID: "1"})
	if !errors.Is(err, etcdlock.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "billing") {
		t.Fatalf("got %v", err)
	}
	if n, _ := mem.Count(t.Context()); n != 0 {
		t.Fatalf("%d entities were saved without the lock", n)
	}
	if err := hold.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Save(t.Context(), &order{ID: "1"}); err != nil {
		t.Fatalf("after the holder has gone: %v", err)
	}
}

func TestCancelledCaller(t *testing.T) {
	t.Parallel()
	cause := errors.New("the client hung up")
	t.Run("Before", func(t *testing.T) {
		b := setup(t, nil)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		if err := b.repo.Save(ctx, &order{ID: "1"}); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("WhileWaiting", func(t *testing.T) {
		b := setup(t, nil)
		hold, err := b.other.Lock(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error)
		go func() { done <- b.repo.Save(ctx, &order{ID: "1"}) }()
		awaitQueue(t, b.other, 2)
		cancel(cause)
		if err := <-done; !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
			t.Fatalf("got %v", err)
		}
		awaitQueue(t, b.other, 1)
		if err := hold.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("WhileWorking", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		b := setup(t, func(_ *bundle, ctx context.Context, _ string) error {
			cancel(cause)
			<-ctx.Done()
			return ctx.Err()
		})
		if err := b.repo.Save(ctx, &order{ID: "1"}); !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
			t.Fatalf("got %v", err)
		}
		if b.isHeld(t.Context(), t) {
			t.Fatal("the lock was not given back")
		}
	})
	t.Run("DeadlineWhileWorking", func(t *testing.T) {
		b := setup(t, func(_ *bundle, ctx context.Context, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := b.repo.Save(ctx, &order{ID: "1"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
	})
}

// awaitQueue waits until n contenders stand in the queue.
func awaitQueue(t *testing.T, l *etcdlock.Locker, n int) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		holders, err := l.Holders(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if len(holders) == n {
			return
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("the queue never had the length waited for")
		}
	}
}

func TestPanicGivesTheLockBack(t *testing.T) {
	t.Parallel()
	b := setup(t, func(*bundle, context.Context, string) error { panic("boom") })
	for name, call := range map[string]func() error{
		"Save": func() error { return b.repo.Save(t.Context(), &order{ID: "1"}) },
		"InTx": func() error { return b.repo.InTx(t.Context(), func(context.Context) error { return nil }) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: the panic was swallowed", name)
				}
			}()
			_ = call()
		}()
		if b.isHeld(t.Context(), t) {
			t.Errorf("%s: the lock was not given back", name)
		}
	}
}

func TestHeldContextIsNotLockedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	err := b.locker.Do(t.Context(), b.repo.Key(), func(ctx context.Context) error {
		if err := b.repo.Save(ctx, &order{ID: "1", Total: 1}); err != nil {
			return err
		}
		if !b.isHeld(ctx, t) {
			return errors.New("the inner save gave the outer lock back")
		}
		_, err := b.repo.Update(ctx, "1", func(o *order) error { o.Total++; return nil })
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if o, err := b.repo.FindByID(t.Context(), "1"); err != nil || o.Total != 2 {
		t.Fatalf("got %+v, %v", o, err)
	}
}

func TestLostLockCancelsTheWork(t *testing.T) {
	t.Parallel()
	b := setup(t, func(b *bundle, ctx context.Context, _ string) error {
		if err := b.cluster.Expire(context.WithoutCancel(ctx), b.locker, key); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if err := b.repo.Save(t.Context(), &order{ID: "1"}); !errors.Is(err, etcdlock.ErrLost) {
		t.Fatalf("got %v", err)
	}
}

// afterwards is an inner repository that does something after each save.
type afterwards struct {
	*memrepo.Repository[order]
	hook func(ctx context.Context) error
}

func (a afterwards) Save(ctx context.Context, e *order) error {
	if err := a.Repository.Save(ctx, e); err != nil {
		return err
	}
	return a.hook(ctx)
}

func TestLossNoticedAfterTheWorkIsReported(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	inner := afterwards{b.inner.Repository, func(ctx context.Context) error {
		err := b.cluster.Expire(context.WithoutCancel(ctx), b.locker, key)
		<-ctx.Done()
		return err
	}}
	r, err := lockedrepo.New[order](inner, b.locker, &lockedrepo.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Save(t.Context(), &order{ID: "1"}); !errors.Is(err, etcdlock.ErrLost) {
		t.Fatalf("got %v", err)
	}
	if ok, err := b.inner.ExistsByID(t.Context(), "1"); !ok || err != nil {
		t.Fatalf("the save that the error is about was done: got %v, %v", ok, err)
	}
}

func TestUnreachableEtcd(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.cluster.Cut()
	r, err := lockedrepo.New[order](b.inner, b.locker, &lockedrepo.Options{Key: key, LockTimeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Save(t.Context(), &order{ID: "1"}); !errors.Is(err, etcdlock.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	if n, _ := b.inner.Count(t.Context()); n != 0 {
		t.Fatal("a save without the lock got through")
	}
	b.cluster.Mend()
	if err := b.repo.Save(t.Context(), &order{ID: "1"}); err != nil {
		t.Fatalf("with etcd back: %v", err)
	}
}

func TestClosedLocker(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	if err := b.locker.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.repo.Save(t.Context(), &order{ID: "1"}); !errors.Is(err, etcdlock.ErrClosed) {
		t.Fatalf("got %v", err)
	}
}

func TestStoreWithoutTransactions(t *testing.T) {
	t.Parallel()
	mem, err := memrepo.New[order](nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := lockedrepo.New[order](mem, locktest.NewLocal(t, nil), &lockedrepo.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.InTx(t.Context(), func(context.Context) error { return nil }); !errors.Is(err, repo.ErrUnsupported) {
		t.Fatalf("got %v", err)
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
