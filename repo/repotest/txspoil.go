package repotest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

// txNestedFailureSpoils: a nested call that fails takes the outer one with it,
// whether the function around it handles the error or not.
func txNestedFailureSpoils(t *testing.T, h Harness) {
	mine := errors.New("changed my mind")
	for name, pass := range map[string]func(error) error{
		"Handled":  func(error) error { return nil },
		"Returned": func(err error) error { return err },
	} {
		t.Run(name, func(t *testing.T) {
			r := h.items(t)
			tx := transactor(t, h, r)
			err := tx.InTx(t.Context(), func(ctx context.Context) error {
				if err := r.Save(ctx, item("a")); err != nil {
					return err
				}
				return pass(tx.InTx(ctx, func(ctx context.Context) error {
					if err := r.Save(ctx, item("b")); err != nil {
						t.Errorf("saving inside: %v", err)
					}
					return mine
				}))
			})
			if !errors.Is(err, mine) || name == "Handled" && !errors.Is(err, repo.ErrRolledBack) {
				t.Errorf("got %v, want the cause, and ErrRolledBack where it was handled", err)
			}
			stored(t, r)
			saveItems(t, r, item("a"))
		})
	}
}

func txNestedPanicSpoils(t *testing.T, h Harness) {
	r := h.items(t)
	tx := transactor(t, h, r)
	err := tx.InTx(t.Context(), func(ctx context.Context) error {
		defer func() { _ = recover() }()
		return tx.InTx(ctx, func(ctx context.Context) error {
			if err := r.Save(ctx, item("a")); err != nil {
				t.Errorf("saving inside: %v", err)
			}
			panic("stop")
		})
	})
	wantErr(t, err, repo.ErrRolledBack)
	stored(t, r)
}

// txSavepoint: the nested part goes back alone, or the store says that it
// cannot and has not begun.
func txSavepoint(t *testing.T, h Harness) {
	r := h.items(t)
	tx := transactor(t, h, r)
	mine := errors.New("changed my mind")
	supported := true
	// An outermost call ignores the wish, and the next nested one does not have it.
	noErr(t, tx.InTx(repo.WithSavepoint(t.Context()), func(ctx context.Context) error {
		if err := r.Save(ctx, item("a")); err != nil {
			return err
		}
		called := false
		err := tx.InTx(repo.WithSavepoint(ctx), func(ctx context.Context) error {
			called = true
			if err := r.SaveAll(ctx, []*Item{named("refused"), item("b")}); err != nil {
				t.Errorf("saving inside: %v", err)
			}
			return mine
		})
		if errors.Is(err, repo.ErrUnsupported) {
			supported = false
			if called {
				t.Error("unsupported, and the function was called")
			}
			return r.Save(ctx, item("c"))
		}
		if !errors.Is(err, mine) {
			t.Errorf("got %v, want the function's error", err)
		}
		return tx.InTx(repo.WithSavepoint(ctx), func(ctx context.Context) error { return r.Save(ctx, item("c")) })
	}))
	t.Logf("savepoints are supported: %t", supported)
	stored(t, r, itemsOf("a", "c")...)
}

// txEndedTakesNoCall: who goes on with the context of a transaction that is over
// gets an error and writes nothing, least of all outside of it.
func txEndedTakesNoCall(t *testing.T, h Harness) {
	mine := errors.New("changed my mind")
	for name, result := range map[string]error{"Committed": nil, "RolledBack": mine} {
		t.Run(name, func(t *testing.T) {
			r := h.items(t)
			tx := transactor(t, h, r)
			saveItems(t, r, itemsOf("a", "b")...)
			var left context.Context
			err := tx.InTx(t.Context(), func(ctx context.Context) error {
				left = ctx //nolint:fatcontext // what a straggler keeps
				_, err := r.FindByID(ctx, "a")
				return errors.Join(err, result)
			})
			if !errors.Is(err, result) {
				t.Fatalf("got %v, want %v", err, result)
			}
			late := append(calls(t, h), call{"InTx", func(ctx context.Context, r repo.Repository[Item]) error {
				return tx.InTx(ctx, func(ctx context.Context) error { return r.Save(ctx, item("new")) })
			}})
			for _, c := range late {
				if err := c.do(left, r); !errors.Is(err, repo.ErrInTx) && !errors.Is(err, context.Canceled) {
					t.Errorf("%s: got %v, want ErrInTx or the context's error", c.name, err)
				}
			}
			stored(t, r, itemsOf("a", "b")...)
		})
	}
}

// txStragglerWritesNothing: a goroutine that saves on while the transaction
// rolls back has nothing stored.
func txStragglerWritesNothing(t *testing.T, h Harness) {
	r := h.items(t)
	tx := transactor(t, h, r)
	mine := errors.New("changed my mind")
	for range 20 {
		saves := make(chan error)
		stopped := make(chan struct{})
		err := tx.InTx(t.Context(), func(ctx context.Context) error {
			go func() {
				defer close(stopped)
				err := r.Save(ctx, item("first"))
				saves <- err
				for i := 0; err == nil; i++ {
					err = r.Save(ctx, item(fmt.Sprint("later", i)))
				}
			}()
			return errors.Join(<-saves, mine)
		})
		<-stopped
		wantOwn(t, err, mine)
	}
	stored(t, r)
}

// txSwallowedError: when the function handles the error of a call and returns
// nil, either all that it was told is saved is stored, or InTx says that nothing
// is.
func txSwallowedError(t *testing.T, h Harness) {
	failures := map[string]func(ctx context.Context, r repo.Repository[Item]) error{
		"DuplicateKey": func(ctx context.Context, r repo.Repository[Item]) error {
			twin := item("twin")
			twin.SKU = item("a").SKU
			return r.Save(ctx, twin)
		},
		"PartOfAList": func(ctx context.Context, r repo.Repository[Item]) error {
			twin := item("twin")
			twin.SKU = item("a").SKU
			return r.SaveAll(ctx, []*Item{item("left"), twin, item("right")})
		},
		"BadDocument": func(ctx context.Context, r repo.Repository[Item]) error {
			_, err := r.SmartSave(ctx, docs(`{"id": 7}`))
			return err
		},
		"NotFound": func(ctx context.Context, r repo.Repository[Item]) error {
			_, err := r.FindByID(ctx, "absent")
			return err
		},
		"EndOfItsContext": func(ctx context.Context, r repo.Repository[Item]) error {
			ended, cancel := context.WithCancel(ctx)
			cancel()
			return r.Save(ended, item("late"))
		},
	}
	if h.Features.Writer {
		grade := repo.F[Item, int32]("Grade")
		failures["OutOfRange"] = func(ctx context.Context, r repo.Repository[Item]) error {
			_, err := writer(t, h, r).UpdateWhere(ctx, grade.NotNull(), repo.Decrease(grade, math.MinInt32))
			return err
		}
	}
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			r := h.items(t)
			tx := transactor(t, h, r)
			saveItems(t, r, item("a"))
			acknowledged := itemsOf("a")
			var failed error
			err := tx.InTx(t.Context(), func(ctx context.Context) error {
				acknowledged = itemsOf("a") // it may run again
				save := func(e *Item) {
					err := r.Save(ctx, e)
					if err == nil {
						acknowledged = append(acknowledged, e)
						return
					}
					hasCause(t, err, repo.ErrRolledBack)
				}
				save(item("before"))
				if failed = fail(ctx, r); failed == nil {
					t.Error("it did not fail")
				}
				save(item("after"))
				return nil
			})
			if err == nil {
				stored(t, r, acknowledged...)
				return
			}
			if !errors.Is(err, repo.ErrRolledBack) {
				t.Errorf("got %v, want ErrRolledBack", err)
			}
			hasCause(t, err, failed)
			stored(t, r, item("a"))
		})
	}
}

// hasCause wants an error to match what another one matches.
func hasCause(t *testing.T, err, failed error) {
	t.Helper()
	for _, cause := range []error{repo.ErrDuplicateKey, repo.ErrInvalid, repo.ErrRolledBack} {
		if errors.Is(failed, cause) && !errors.Is(err, cause) {
			t.Errorf("got %v, want one that matches %q too", err, cause)
		}
	}
}
