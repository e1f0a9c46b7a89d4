package lockedrepo_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

// database stands for one that has transactions: it keeps the contract of
// repo.Transactor, but for the rows, which a rollback does not take back.
type database struct {
	mu               sync.Mutex
	begun, committed int
	savepoints       bool
}

func (d *database) count(n *int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	*n++
}

// txHandle is one open transaction.
type txHandle struct{ spoiled error }

// txStore is a repository in memory that looks as if it had transactions.
type txStore[T any] struct {
	*memrepo.Repository[T]
	store *database
	// note is told of every call.
	note func(ctx context.Context, method string)
}

func (s txStore[T]) Save(ctx context.Context, e *T) error {
	s.note(ctx, "Save")
	return s.Repository.Save(outside(ctx), e)
}

func (s txStore[T]) SaveAll(ctx context.Context, es []*T) error {
	s.note(ctx, "SaveAll")
	return s.Repository.SaveAll(outside(ctx), es)
}

func (s txStore[T]) Update(ctx context.Context, id any, fn func(*T) error) (*T, error) {
	s.note(ctx, "Update")
	return s.Repository.Update(outside(ctx), id, fn)
}

func (s txStore[T]) FindByID(ctx context.Context, id any) (*T, error) {
	s.note(ctx, "FindByID")
	return s.Repository.FindByID(outside(ctx), id)
}

func (s txStore[T]) FindAllByID(ctx context.Context, ids []any) ([]*T, error) {
	s.note(ctx, "FindAllByID")
	return s.Repository.FindAllByID(outside(ctx), ids)
}

func (s txStore[T]) ExistsByID(ctx context.Context, id any) (bool, error) {
	s.note(ctx, "ExistsByID")
	return s.Repository.ExistsByID(outside(ctx), id)
}

func (s txStore[T]) Find(ctx context.Context, q ...repo.Option) ([]*T, error) {
	s.note(ctx, "Find")
	return s.Repository.Find(outside(ctx), q...)
}

func (s txStore[T]) Count(ctx context.Context, q ...repo.Option) (int64, error) {
	s.note(ctx, "Count")
	return s.Repository.Count(outside(ctx), q...)
}

func (s txStore[T]) Insert(ctx context.Context, es ...*T) error {
	s.note(ctx, "Insert")
	return s.Repository.Insert(outside(ctx), es...)
}

func (s txStore[T]) InsertIfAbsent(ctx context.Context, es ...*T) ([]*T, error) {
	s.note(ctx, "InsertIfAbsent")
	return s.Repository.InsertIfAbsent(outside(ctx), es...)
}

func (s txStore[T]) UpsertBy(ctx context.Context, es []*T, by ...repo.Handle) (repo.Upserted, error) {
	s.note(ctx, "UpsertBy")
	return s.Repository.UpsertBy(outside(ctx), es, by...)
}

func (s txStore[T]) UpdateWhere(ctx context.Context, where repo.Condition, set ...repo.Assignment) (int64, error) {
	s.note(ctx, "UpdateWhere")
	return s.Repository.UpdateWhere(outside(ctx), where, set...)
}

func (s txStore[T]) DeleteWhere(ctx context.Context, where repo.Condition) (int64, error) {
	s.note(ctx, "DeleteWhere")
	return s.Repository.DeleteWhere(outside(ctx), where)
}

func (s txStore[T]) Restore(ctx context.Context, _ ...any) (int64, error) {
	s.note(ctx, "Restore")
	return 0, nil // its entities have no deletion mark
}

// outside hides the transaction from the rows, which know nothing of it.
func outside(ctx context.Context) context.Context { return driver.WithTx(ctx, driver.Tx{}) }

func (s txStore[T]) InTx(ctx context.Context, fn func(context.Context) error) error {
	s.note(ctx, "InTx")
	if s.TxState(ctx) == driver.TxJoined {
		ctx, savepoint := driver.TakeSavepoint(ctx)
		tx, _ := driver.TxFrom(ctx)
		h, _ := tx.Handle.(*txHandle)
		if savepoint && !s.store.savepoints {
			return repo.ErrUnsupported
		}
		err := fn(ctx)
		if err != nil && !savepoint && h.spoiled == nil {
			h.spoiled = err
		}
		return err
	}
	s.store.count(&s.store.begun)
	h := &txHandle{}
	if err := fn(driver.WithTx(ctx, driver.Tx{Store: s.store, Handle: h})); err != nil {
		return err
	}
	if h.spoiled != nil {
		return fmt.Errorf("%w: %w", repo.ErrRolledBack, h.spoiled)
	}
	s.store.count(&s.store.committed)
	return nil
}

// TxStore says that there are no transactions where there is no database.
func (s txStore[T]) TxStore(context.Context) (any, error) {
	if s.store == nil {
		return nil, repo.ErrUnsupported
	}
	return s.store, nil
}

func (s txStore[T]) TxState(ctx context.Context) driver.TxState {
	tx, ok := driver.TxFrom(ctx)
	switch {
	case !ok:
		return driver.TxNone
	case tx.Store == any(s.store):
		return driver.TxJoined
	default:
		return driver.TxForeign
	}
}

// txBundle is repositories of one store with transactions, by their keys.
type txBundle struct {
	cluster *locktest.Cluster
	locker  *etcdlock.Locker
	other   *etcdlock.Locker // another process's
	store   *database
	repos   map[string]*lockedrepo.Repository[order]

	mu    sync.Mutex
	calls []txCall
	// waits counts the calls of Lock by the repositories.
	waits int
}

// txCall is a call of the store: what it was shown.
type txCall struct {
	key, method string
	claims      []string
	guards      []string
	fenced      bool
	wait        time.Duration // for a connection
}

func setupTx(t *testing.T, limit time.Duration, keys ...string) *txBundle {
	t.Helper()
	b := &txBundle{cluster: newCluster(t), store: &database{savepoints: true}, repos: map[string]*lockedrepo.Repository[order]{}}
	b.locker = newLocker(t, b.cluster, &etcdlock.Options{Hooks: &etcdlock.Hooks{Waited: func([]string, time.Duration, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.waits++
	}}})
	b.other = newLocker(t, b.cluster, nil)
	for _, key := range keys {
		b.repos[key] = b.add(t, b.store, lockedrepo.Options{Key: key, LockTimeout: limit})
	}
	return b
}

// inner makes a store without transactions.
func (*txBundle) inner(t *testing.T) *memrepo.Repository[order] {
	t.Helper()
	mem, err := memrepo.New[order](nil)
	if err != nil {
		t.Fatal(err)
	}
	return mem
}

// add makes a repository with one order, "1".
func (b *txBundle) add(t *testing.T, store *database, o lockedrepo.Options) *lockedrepo.Repository[order] {
	t.Helper()
	mem := b.inner(t)
	if err := mem.Save(t.Context(), &order{ID: "1"}); err != nil {
		t.Fatal(err)
	}
	r, err := lockedrepo.New[order](txStore[order]{mem, store, func(ctx context.Context, method string) { b.note(ctx, o.Key, method) }}, b.locker, &o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (b *txBundle) note(ctx context.Context, key, method string) {
	c := txCall{key: key, method: method}
	if f, ok := driver.FenceFrom(ctx); ok {
		c.fenced = true
		for _, claim := range f.Claims() {
			c.claims = append(c.claims, claim.Key)
		}
		if g, ok := f.(driver.Guard); ok {
			c.guards = append([]string{}, g.Keys()...)
		}
	}
	c.wait, _ = driver.ConnWait(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, c)
}

// shown is what each call since the last time was shown: "key.Method shows a b
// for a".
func (b *txBundle) shown() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var texts []string
	for _, c := range b.calls {
		text := c.key + "." + c.method
		if c.fenced {
			text += fmt.Sprintf(" shows %v", c.claims)
		}
		if c.guards != nil {
			text += fmt.Sprintf(" for %v", c.guards)
		}
		texts = append(texts, text)
	}
	b.calls = nil
	return texts
}

func (b *txBundle) hold(t *testing.T, keys ...string) *etcdlock.Lock {
	t.Helper()
	hold, err := b.other.Lock(t.Context(), keys...)
	if err != nil {
		t.Fatal(err)
	}
	return hold
}

// taken are those of the keys that another process finds locked.
func (b *txBundle) taken(ctx context.Context, t *testing.T, keys ...string) []string {
	t.Helper()
	var taken []string
	for _, key := range keys {
		hold, err := b.other.TryLock(ctx, key)
		switch {
		case errors.Is(err, etcdlock.ErrHeld):
			taken = append(taken, key)
		case err != nil:
			t.Fatal(err)
		default:
			if err := hold.Unlock(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	return taken
}

// wantFree fails if a key stays locked. A place in the queue that was given up is
// removed in the background.
func (b *txBundle) wantFree(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for key, r := range b.repos {
		hold, err := b.other.Lock(ctx, r.Keys()...)
		if err != nil {
			t.Errorf("%s: after the call: %v", key, err)
			continue
		}
		if err := hold.Unlock(ctx); err != nil {
			t.Error(err)
		}
	}
}
