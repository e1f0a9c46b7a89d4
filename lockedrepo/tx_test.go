package lockedrepo_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

func TestInTx_ConcurrentCallsShareTheLocks(t *testing.T) {
	t.Parallel()
	b := setupTx(t, 30*time.Second, "a", "b", "c")
	err := b.repos["a"].InTx(t.Context(), func(ctx context.Context) error {
		var calls sync.WaitGroup
		errs := make(chan error, 30)
		for range cap(errs) / len(b.repos) {
			for _, r := range b.repos {
				calls.Go(func() { errs <- r.Save(ctx, &order{ID: "1"}) })
			}
		}
		calls.Wait()
		close(errs)
		for err := range errs {
			// Of two keys taken at the same time, the later one may be the first
			// in order; it is free, so trying is enough.
			if err != nil {
				return err
			}
		}
		for key := range b.repos {
			if holders, err := b.other.Holders(ctx, key); err != nil || len(holders) != 1 {
				t.Errorf("%s: %d in the queue, %v", key, len(holders), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b.wantFree(t)
}

// While one call of a transaction waits for its lock, the others keep to their
// own contexts and limits, and the end of the transaction ends them all.
func TestInTx_WaitingCallsKeepTheirLimits(t *testing.T) {
	t.Parallel()
	b := setupTx(t, time.Minute, "a", "b", "c")
	busy := b.hold(t, "b", "c")
	left := make(chan error, 1)
	err := b.repos["a"].InTx(t.Context(), func(ctx context.Context) error {
		go func() { left <- b.repos["b"].Save(context.WithoutCancel(ctx), &order{ID: "1"}) }()
		awaitQueueOf(t, b.other, "b", 2)

		cause := errors.New("the client hung up")
		gone, cancel := context.WithCancelCause(ctx)
		done := make(chan error)
		go func() { done <- b.repos["c"].Save(gone, &order{ID: "1"}) }()
		cancel(cause)
		if err := <-done; !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
			t.Errorf("a cancelled call got %v", err)
		}
		soon, stop := context.WithTimeout(ctx, time.Millisecond)
		defer stop()
		if err := b.repos["c"].Save(soon, &order{ID: "1"}); !errors.Is(err, etcdlock.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a call with a deadline got %v", err)
		}
		// What is held already needs no turn.
		return b.repos["a"].Save(ctx, &order{ID: "1"})
	})
	if err != nil {
		t.Error(err)
	}
	if err := <-left; !errors.Is(err, repo.ErrInTx) {
		t.Errorf("the call that was left behind got %v", err)
	}
	if err := busy.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitQueueOf(t, b.other, "b", 0)
	b.wantFree(t)
}

// All that a transaction holds counts for the order, not only its first and its
// last lock.
func TestInTx_OrderSeesEveryLock(t *testing.T) {
	t.Parallel()
	b := setupTx(t, time.Minute, "a", "z", "c", "m")
	busy := b.hold(t, "m")
	waiting := make(chan error, 1)
	err := b.repos["a"].InTx(t.Context(), func(ctx context.Context) error {
		for _, key := range []string{"z", "c"} {
			if err := b.repos[key].Save(ctx, &order{ID: "1"}); err != nil {
				return err
			}
		}
		go func() {
			hold, err := b.other.Lock(busy.Context(), "z")
			if err == nil {
				err = hold.Unlock(context.Background())
			}
			waiting <- err
		}()
		awaitQueueOf(t, b.other, "z", 2)
		return b.repos["m"].Save(ctx, &order{ID: "1"}) // a deadlock
	})
	if !errors.Is(err, etcdlock.ErrOrder) {
		t.Errorf("got %v", err)
	}
	if err := <-waiting; err != nil {
		t.Errorf("the other side of the deadlock, which keeps the order, got %v", err)
	}
	if err := busy.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wantFree(t)
}

func TestStoreWithoutTransactions(t *testing.T) {
	t.Parallel()
	mem, err := memrepo.New[order](nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := lockedrepo.New[order](hidden{mem}, locktest.NewLocal(t, nil), &lockedrepo.Options{Key: key, Unfenced: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.InTx(t.Context(), func(context.Context) error { return nil }); !errors.Is(err, repo.ErrUnsupported) {
		t.Fatalf("got %v", err)
	}
}
