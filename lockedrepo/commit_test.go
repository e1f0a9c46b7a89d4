package lockedrepo_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

// ledger is a locked repository and what the functions around its commits noted.
type ledger struct {
	*lockedrepo.Repository[order]
	cluster *locktest.Cluster
	locker  *etcdlock.Locker
	inner   *memrepo.Repository[order]
	notes   []string
}

func newLedger(t *testing.T) *ledger {
	t.Helper()
	mem, err := memrepo.New[order](nil)
	if err != nil {
		t.Fatal(err)
	}
	return newLedgerOn(t, mem, mem)
}

func newLedgerOn(t *testing.T, mem *memrepo.Repository[order], inner repo.Repository[order]) *ledger {
	t.Helper()
	l := &ledger{cluster: newCluster(t), inner: mem}
	l.locker = newLocker(t, l.cluster, nil)
	var err error
	if l.Repository, err = lockedrepo.New(inner, l.locker, &lockedrepo.Options{Key: key}); err != nil {
		t.Fatal(err)
	}
	return l
}

// after notes a text after the commit, and whether the order 1 is stored by then.
func (l *ledger) after(ctx context.Context, t *testing.T, note string) {
	t.Helper()
	err := lockedrepo.AfterCommit(ctx, func(ctx context.Context) {
		if stored, err := l.inner.ExistsByID(ctx, "1"); err != nil || !stored {
			t.Errorf("%s: order 1 stored %v, %v", note, stored, err)
		}
		l.notes = append(l.notes, note)
	})
	if err != nil {
		t.Error(err)
	}
}

func (l *ledger) before(ctx context.Context, t *testing.T, note string, result error) {
	t.Helper()
	err := lockedrepo.BeforeCommit(ctx, func(context.Context) error {
		l.notes = append(l.notes, note)
		return result
	})
	if err != nil {
		t.Error(err)
	}
}

func (l *ledger) want(t *testing.T, notes ...string) {
	t.Helper()
	if !slices.Equal(l.notes, notes) {
		t.Errorf("notes are %q, want %q", l.notes, notes)
	}
}

func TestAfterCommit_CallsInOrderOnceTheTransactionCommitted(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := l.InTx(ctx, func(ctx context.Context) error {
		l.after(ctx, t, "first after")
		l.before(ctx, t, "before", nil)
		nested := l.InTx(ctx, func(ctx context.Context) error {
			l.after(ctx, t, "nested after")
			return l.Save(ctx, &order{ID: "1"})
		})
		l.want(t)
		return nested
	})
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	l.want(t, "before", "first after", "nested after")
}

func TestAfterCommit_LocksAreFreeAndTheContextIsNeverDone(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	called := false
	err := l.InTx(ctx, func(inner context.Context) error {
		return lockedrepo.AfterCommit(inner, func(ctx context.Context) {
			called = true
			cancel()
			if ctx.Err() != nil {
				t.Error(ctx.Err())
			}
			if err := l.Save(ctx, &order{ID: "2"}); err != nil { // which takes the lock
				t.Error(err)
			}
		})
	})
	if err != nil || !called {
		t.Errorf("called %v, %v", called, err)
	}
}

func TestAfterCommit_NotWhenRolledBack(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	for name, fail := range map[string]func(ctx context.Context, l *ledger) error{
		"Error": func(context.Context, *ledger) error { return failed },
		"ErrorBeforeCommit": func(ctx context.Context, _ *ledger) error {
			return lockedrepo.BeforeCommit(ctx, func(context.Context) error { return failed })
		},
		"ErrorThatLooksLikeARelease": func(context.Context, *ledger) error { return errors.Join(failed, lockedrepo.ErrRelease) },
		"NestedError": func(ctx context.Context, l *ledger) error {
			_ = l.InTx(ctx, func(context.Context) error { return failed })
			return nil
		},
		"Panic": func(context.Context, *ledger) error { panic(failed) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLedger(t)
			var err error
			func() {
				defer func() {
					if p, ok := recover().(error); ok {
						err = p
					}
				}()
				err = l.InTx(t.Context(), func(ctx context.Context) error {
					l.after(ctx, t, "after")
					return fail(ctx, l)
				})
			}()
			if !errors.Is(err, failed) {
				t.Errorf("got %v", err)
			}
			l.want(t)
		})
	}
}

func TestAfterCommit_NotForANestedCallThatWasRolledBack(t *testing.T) {
	t.Parallel()
	l, failed := newLedger(t), errors.New("failed")
	err := l.InTx(t.Context(), func(ctx context.Context) error {
		l.after(ctx, t, "outer")
		if err := l.InTx(repo.WithSavepoint(ctx), func(ctx context.Context) error {
			l.before(ctx, t, "nested before", nil)
			l.after(ctx, t, "nested after")
			return failed
		}); !errors.Is(err, failed) {
			t.Errorf("got %v", err)
		}
		return l.Save(ctx, &order{ID: "1"})
	})
	if err != nil {
		t.Fatal(err)
	}
	l.want(t, "outer")
}

func TestAfterCommit_NotWhenALockWasLost(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	err := l.InTx(t.Context(), func(ctx context.Context) error {
		l.after(ctx, t, "after")
		if err := l.cluster.Expire(context.WithoutCancel(ctx), l.locker, key); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	})
	if !errors.Is(err, etcdlock.ErrLost) {
		t.Errorf("got %v", err)
	}
	l.want(t)
}

// twice runs the function of each transaction twice: the first run is rolled back.
type twice struct {
	*memrepo.Repository[order]
}

func (r twice) InTx(ctx context.Context, fn func(context.Context) error) error {
	conflict := errors.New("conflict")
	if err := r.Repository.InTx(ctx, func(ctx context.Context) error { return errors.Join(conflict, fn(ctx)) }); !errors.Is(err, conflict) {
		return err
	}
	return r.Repository.InTx(ctx, fn)
}

func TestAfterCommit_OnceForAFunctionThatRunsAgain(t *testing.T) {
	t.Parallel()
	mem, err := memrepo.New[order](nil)
	if err != nil {
		t.Fatal(err)
	}
	l, runs := newLedgerOn(t, mem, twice{mem}), 0
	err = l.InTx(t.Context(), func(ctx context.Context) error {
		runs++
		l.before(ctx, t, "before", nil)
		l.after(ctx, t, "after")
		return l.Save(ctx, &order{ID: "1"})
	})
	if err != nil || runs != 2 {
		t.Errorf("%d runs, %v", runs, err)
	}
	l.want(t, "before", "before", "after") // the first commit was refused
}

func TestAfterCommit_PanicKeepsNoOtherFunctionFromRunning(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	defer func() {
		if p := recover(); p != "panics" {
			t.Errorf("recovered %v", p)
		}
		l.want(t, "first", "last")
	}()
	_ = l.InTx(t.Context(), func(ctx context.Context) error {
		l.after(ctx, t, "first")
		_ = lockedrepo.AfterCommit(ctx, func(context.Context) { panic("panics") })
		l.after(ctx, t, "last")
		return l.Save(ctx, &order{ID: "1"})
	})
}

func TestCommitHooks_Refused(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	var kept context.Context
	if err := l.InTx(t.Context(), func(ctx context.Context) error {
		kept = ctx
		if err := lockedrepo.AfterCommit(ctx, nil); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("nil function: %v", err)
		}
		if err := lockedrepo.BeforeCommit(ctx, nil); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("nil function: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	never := func(context.Context) { t.Error("called") }
	if err := lockedrepo.AfterCommit(t.Context(), never); !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("without a transaction: %v", err)
	}
	if err := lockedrepo.AfterCommit(kept, never); !errors.Is(err, repo.ErrInTx) {
		t.Errorf("after the transaction: %v", err)
	}
	if err := l.inner.InTx(t.Context(), func(ctx context.Context) error { return lockedrepo.AfterCommit(ctx, never) }); !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("in a transaction of a plain repository: %v", err)
	}
}
