package lockedrepo_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type order struct {
	ID    string `json:"id"`
	Total int    `json:"total"`
}

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

func (w watched) SaveDocuments(ctx context.Context, docs *driver.Documents[order]) ([]*order, error) {
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

func (w watched) Insert(ctx context.Context, es ...*order) error {
	if err := w.probe(ctx, "Insert"); err != nil {
		return err
	}
	return w.Repository.Insert(ctx, es...)
}

func (w watched) InsertIfAbsent(ctx context.Context, es ...*order) ([]*order, error) {
	if err := w.probe(ctx, "InsertIfAbsent"); err != nil {
		return nil, err
	}
	return w.Repository.InsertIfAbsent(ctx, es...)
}

func (w watched) UpsertBy(ctx context.Context, es []*order, by ...repo.Handle) (repo.Upserted, error) {
	if err := w.probe(ctx, "UpsertBy"); err != nil {
		return repo.Upserted{}, err
	}
	return w.Repository.UpsertBy(ctx, es, by...)
}

func (w watched) UpdateWhere(ctx context.Context, where repo.Condition, set ...repo.Assignment) (int64, error) {
	if err := w.probe(ctx, "UpdateWhere"); err != nil {
		return 0, err
	}
	return w.Repository.UpdateWhere(ctx, where, set...)
}

func (w watched) DeleteWhere(ctx context.Context, where repo.Condition) (int64, error) {
	if err := w.probe(ctx, "DeleteWhere"); err != nil {
		return 0, err
	}
	return w.Repository.DeleteWhere(ctx, where)
}

func (w watched) Restore(ctx context.Context, _ ...any) (int64, error) {
	if err := w.probe(ctx, "Restore"); err != nil {
		return 0, err
	}
	return 0, nil // order has no deletion mark
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

// newLocker returns a Locker that does not linger: the tests ask another one
// whether a lock was given back.
func newLocker(t *testing.T, c *locktest.Cluster, opts *etcdlock.Options) *etcdlock.Locker {
	t.Helper()
	var o etcdlock.Options
	if opts != nil {
		o = *opts
	}
	o.Linger = etcdlock.NoLinger
	l, err := c.NewLocker(&o)
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
