package lockedrepo_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

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
	r, err = lockedrepo.New[order](mem, mine, &lockedrepo.Options{Key: key}) // a slow machine takes longer than 50 ms
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Save(t.Context(), &order{ID: "1"}); err != nil {
		t.Fatalf("after the holder has gone: %v", err)
	}
}

// A caller whose deadline had passed before has not waited for anybody.
func TestExpiredCallerIsNotToldOfAHolder(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	hold, err := b.other.Lock(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hold.Unlock(t.Context()) }()
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	for range 20 { // a transaction chose by chance between its turn and its context
		for doing, err := range map[string]error{
			"save":        b.repo.Save(ctx, &order{ID: "1"}),
			"transaction": b.repo.InTx(ctx, func(context.Context) error { return nil }),
		} {
			if !errors.Is(err, etcdlock.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("%s: got %v", doing, err)
			}
			if text := err.Error(); strings.Contains(text, "held by") || strings.Contains(text, "another call") {
				t.Fatalf("%s: got %v", doing, err)
			}
		}
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
		awaitQueueOf(t, b.other, key, 2)
		cancel(cause)
		if err := <-done; !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
			t.Fatalf("got %v", err)
		}
		awaitQueueOf(t, b.other, key, 1)
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

// awaitQueueOf waits until n contenders stand in the queue of the key.
func awaitQueueOf(t *testing.T, l *etcdlock.Locker, key string, n int) {
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
	b.cluster.Reconnect()
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
