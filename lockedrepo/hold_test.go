package lockedrepo_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

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
	if err := r.Save(t.Context(), &order{ID: "1"}); !errors.Is(err, etcdlock.ErrLost) || !errors.Is(err, lockedrepo.ErrRelease) {
		t.Fatalf("got %v", err)
	}
	if ok, err := b.inner.ExistsByID(t.Context(), "1"); !ok || err != nil {
		t.Fatalf("the save that the error is about was done: got %v, %v", ok, err)
	}
}

func TestUnknownReleaseIsReported(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	locker := newLocker(t, b.cluster, &etcdlock.Options{TTL: 2 * time.Second})
	inner := afterwards{b.inner.Repository, func(context.Context) error {
		b.cluster.Cut()
		return nil
	}}
	r, err := lockedrepo.New[order](inner, locker, &lockedrepo.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	err = r.Save(t.Context(), &order{ID: "1"})
	b.cluster.Reconnect()
	if !errors.Is(err, etcdlock.ErrUnavailable) || !errors.Is(err, lockedrepo.ErrRelease) {
		t.Fatalf("got %v", err)
	}
	if ok, err := b.inner.ExistsByID(t.Context(), "1"); !ok || err != nil {
		t.Fatalf("the save that the error is about was done: got %v, %v", ok, err)
	}
}

// closing closes the locker once it has read.
type closing struct {
	watched
	locker *etcdlock.Locker
}

func (c closing) FindByID(ctx context.Context, id any) (*order, error) {
	e, err := c.watched.FindByID(ctx, id)
	over, cancel := context.WithCancel(context.Background())
	cancel() // it must wait for nobody
	_ = c.locker.Close(over)
	return e, err
}

// A read whose hold ends meanwhile fails, and says nothing of a write.
func TestRead_HoldEndsMeanwhile(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	if err := b.repo.Save(t.Context(), &order{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	r, err := lockedrepo.New[order](closing{b.inner, b.locker}, b.locker, &lockedrepo.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	var e *order
	_ = b.locker.Do(t.Context(), key, func(ctx context.Context) error {
		e, err = r.FindByID(ctx, "a")
		return nil
	})
	if e != nil || !errors.Is(err, etcdlock.ErrClosed) || errors.Is(err, lockedrepo.ErrRelease) {
		t.Fatalf("got %v, %v, want ErrClosed and no ErrRelease", e, err)
	}
}
