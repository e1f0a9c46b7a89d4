package lockedrepo_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
)

// nestedTx are the ways to nest a transaction over b and c.
var nestedTx = map[string]func(b *txBundle, ctx context.Context, fn func(context.Context) error) error{
	"Method": func(b *txBundle, ctx context.Context, fn func(context.Context) error) error {
		return b.repos["c"].InTx(ctx, fn)
	},
	"Function": func(b *txBundle, ctx context.Context, fn func(context.Context) error) error {
		return lockedrepo.InTx(ctx, fn, b.lockables("c", "b")...)
	},
}

func onNested(t *testing.T, test func(t *testing.T, b *txBundle, nest func(ctx context.Context, fn func(context.Context) error) error)) {
	t.Helper()
	t.Parallel()
	for name, nest := range nestedTx {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupTx(t, 10*time.Second, "a", "b", "c")
			test(t, b, func(ctx context.Context, fn func(context.Context) error) error { return nest(b, ctx, fn) })
			b.wantFree(t)
		})
	}
}

func TestNestedTx_ErrorSpoilsTheOuterOne(t *testing.T) {
	onNested(t, func(t *testing.T, b *txBundle, nest func(context.Context, func(context.Context) error) error) {
		oops := errors.New("oops")
		err := b.repos["a"].InTx(t.Context(), func(ctx context.Context) error {
			if err := nest(ctx, func(context.Context) error { return oops }); !errors.Is(err, oops) {
				t.Errorf("the nested call returned %v", err)
			}
			return nil
		})
		if !errors.Is(err, repo.ErrRolledBack) || !errors.Is(err, oops) || b.store.committed != 0 {
			t.Errorf("got %v", err)
		}
	})
}

func TestNestedTx_SavepointLimitsTheRollback(t *testing.T) {
	onNested(t, func(t *testing.T, b *txBundle, nest func(context.Context, func(context.Context) error) error) {
		oops := errors.New("oops")
		fail := func(ctx context.Context) error { return nest(ctx, func(context.Context) error { return oops }) }
		err := b.repos["a"].InTx(t.Context(), func(ctx context.Context) error {
			if err := fail(repo.WithSavepoint(ctx)); !errors.Is(err, oops) {
				t.Errorf("the nested call returned %v", err)
			}
			return nil
		})
		if err != nil || b.store.committed != 1 {
			t.Errorf("got %v", err)
		}
		// The outermost call has nothing to go back to, and asks for nobody else.
		err = b.repos["a"].InTx(repo.WithSavepoint(t.Context()), func(ctx context.Context) error {
			_ = fail(ctx)
			return nil
		})
		if !errors.Is(err, repo.ErrRolledBack) {
			t.Errorf("asked at the outermost call: got %v", err)
		}
		b.store.savepoints = false
		err = b.repos["a"].InTx(t.Context(), func(ctx context.Context) error { return fail(repo.WithSavepoint(ctx)) })
		if !errors.Is(err, repo.ErrUnsupported) || errors.Is(err, oops) {
			t.Errorf("without savepoints: got %v", err)
		}
	})
}

func TestNestedTx_LockThatCannotBeTaken(t *testing.T) {
	onNested(t, func(t *testing.T, b *txBundle, nest func(context.Context, func(context.Context) error) error) {
		hold := b.hold(t, "c")
		err := b.repos["a"].InTx(t.Context(), func(ctx context.Context) error {
			soon, stop := context.WithTimeout(ctx, time.Millisecond)
			defer stop()
			if err := nest(soon, nothing); !errors.Is(err, etcdlock.ErrTimeout) {
				t.Errorf("the nested call returned %v", err)
			}
			return nil
		})
		if !errors.Is(err, repo.ErrRolledBack) || !errors.Is(err, etcdlock.ErrTimeout) || b.store.committed != 0 {
			t.Errorf("got %v", err)
		}
		if err := hold.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// The lock that a nested call took is lost while it works, and nobody looks.
func TestNestedTx_LostLock(t *testing.T) {
	onNested(t, func(t *testing.T, b *txBundle, nest func(context.Context, func(context.Context) error) error) {
		lose := func(ctx context.Context) error {
			err := b.cluster.Expire(context.WithoutCancel(ctx), b.locker, "c")
			<-ctx.Done()
			return err
		}
		for name, outer := range map[string]func(ctx context.Context) context.Context{
			"": func(ctx context.Context) context.Context { return ctx }, "Savepoint": repo.WithSavepoint,
		} {
			err := b.repos["a"].InTx(t.Context(), func(ctx context.Context) error {
				if err := nest(outer(ctx), lose); !errors.Is(err, etcdlock.ErrLost) {
					t.Errorf("%s: the nested call returned %v", name, err)
				}
				return nil
			})
			if !errors.Is(err, etcdlock.ErrLost) || b.store.committed != 0 {
				t.Errorf("%s: got %v", name, err)
			}
		}
	})
}

// A nested call that panics gives nothing back that the outer one needs, and the
// outer one gives back everything.
func TestNestedTx_Panic(t *testing.T) {
	onNested(t, func(t *testing.T, b *txBundle, nest func(context.Context, func(context.Context) error) error) {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
			if b.store.committed != 0 {
				t.Error("it was committed")
			}
			b.wantFree(t)
		}()
		_ = b.repos["a"].InTx(t.Context(), func(ctx context.Context) error {
			return nest(ctx, func(context.Context) error { panic("boom") })
		})
	})
}
