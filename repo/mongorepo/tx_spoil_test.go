package mongorepo_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

func yes(string, bson.Raw) bson.D { return matched(1) }

// committed counts the commits that were sent.
func committed(s *script) int {
	n := 0
	for _, name := range s.commands() {
		if name == "tx:commitTransaction" {
			n++
		}
	}
	return n
}

func TestInTx_NestedFailureSpoilsTheOuterOne(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for name, nested := range map[string]func(ctx context.Context, r *mongorepo.Repository[account]) error{
		"Error": func(ctx context.Context, r *mongorepo.Repository[account]) error {
			return r.InTx(ctx, func(ctx context.Context) error {
				return errors.Join(r.Save(ctx, &account{ID: 2, Rev: 3}), refused)
			})
		},
		"TwoDeep": func(ctx context.Context, r *mongorepo.Repository[account]) error {
			return r.InTx(ctx, func(ctx context.Context) error {
				_ = r.InTx(ctx, func(context.Context) error { return refused })
				return nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, r := accounts(t, yes)
			a := &account{ID: 1, Rev: 3}
			err := r.InTx(t.Context(), func(ctx context.Context) error {
				if err := r.Save(ctx, a); err != nil {
					return err
				}
				_ = nested(ctx, r)
				if _, err := r.FindByID(ctx, 1); !errors.Is(err, repo.ErrRolledBack) {
					t.Errorf("a later call: %v, want ErrRolledBack", err)
				}
				return nil
			})
			if !errors.Is(err, repo.ErrRolledBack) || !errors.Is(err, refused) {
				t.Errorf("got %v, want ErrRolledBack and the cause", err)
			}
			if a.Rev != 3 || committed(s) != 0 {
				t.Errorf("version %d, %d commits, want 3 and none", a.Rev, committed(s))
			}
		})
	}
}

func TestInTx_NestedPanicSpoilsTheOuterOne(t *testing.T) {
	t.Parallel()
	s, r := accounts(t, yes)
	err := r.InTx(t.Context(), func(ctx context.Context) error {
		defer func() { _ = recover() }()
		return r.InTx(ctx, func(ctx context.Context) error {
			_ = r.Save(ctx, &account{ID: 1, Rev: 3})
			panic("fn")
		})
	})
	if !errors.Is(err, repo.ErrRolledBack) || committed(s) != 0 {
		t.Errorf("got %v and %d commits, want ErrRolledBack and none", err, committed(s))
	}
}

func TestInTx_SavepointIsUnsupportedAndSpoilsNothing(t *testing.T) {
	t.Parallel()
	s, r := accounts(t, yes)
	err := r.InTx(repo.WithSavepoint(t.Context()), func(ctx context.Context) error {
		if err := r.InTx(ctx, func(ctx context.Context) error { return r.Save(ctx, &account{ID: 1, Rev: 3}) }); err != nil {
			t.Errorf("the outermost call did not take the wish for a savepoint: %v", err)
		}
		err := r.InTx(repo.WithSavepoint(ctx), func(context.Context) error {
			t.Error("the function was called")
			return nil
		})
		if !errors.Is(err, repo.ErrUnsupported) {
			t.Errorf("got %v, want ErrUnsupported", err)
		}
		return r.Save(ctx, &account{ID: 2, Rev: 3})
	})
	if err != nil {
		t.Fatal(err)
	}
	wantCommands(t, s, "start:update", "tx:update", "tx:commitTransaction")
}

func TestInTx_PartOfAListSpoils(t *testing.T) {
	t.Parallel()
	updates := 0
	s, r := accounts(t, func(name string, cmd bson.Raw) bson.D {
		if name == "update" {
			if updates++; updates == 2 {
				return matched(0) // another version is stored
			}
		}
		return calm(name, cmd)
	})
	list := []*account{{ID: 1, Rev: 3}, {ID: 2, Rev: 3}}
	err := r.InTx(t.Context(), func(ctx context.Context) error {
		if err := r.SaveAll(ctx, list); !errors.Is(err, repo.ErrStale) {
			t.Errorf("got %v, want ErrStale", err)
		}
		return nil
	})
	if !errors.Is(err, repo.ErrRolledBack) || !errors.Is(err, repo.ErrStale) || committed(s) != 0 || list[0].Rev != 3 {
		t.Errorf("got %v, %d commits and version %d; want ErrRolledBack, none and 3", err, committed(s), list[0].Rev)
	}
}

// What goes on with the context of a transaction that is over writes nothing,
// neither outside of it nor in the next try.
func TestInTx_EndedTransactionTakesNoCommand(t *testing.T) {
	t.Parallel()
	for name, result := range map[string]error{"Committed": nil, "RolledBack": errors.New("refused")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, r := accounts(t, calm)
			var left context.Context //nolint:containedctx // what a straggler keeps
			_ = r.InTx(driver.WithFence(t.Context(), turnOf("orders")), func(ctx context.Context) error {
				left = ctx
				return errors.Join(r.Save(ctx, &account{ID: 1, Rev: 3}), result)
			})
			if r.TxState(left) != driver.TxForeign {
				t.Error("a transaction that is over can be joined")
			}
			before := len(s.commands())
			for call, err := range map[string]error{
				"Save":          r.Save(left, &account{ID: 2, Rev: 3}),
				"SaveAll":       r.SaveAll(left, []*account{{ID: 2}, {ID: 3, Rev: 3}}),
				"SmartSave":     second(r.SmartSave(left, repo.SmartSaveDTO{EntityList: []string{`{"ID": 2}`}})),
				"Merge":         second(r.SmartSave(left, repo.SmartSaveDTO{EntityList: []string{`{"ID": 2}`}}, repo.Merge())),
				"Update":        second(r.Update(left, 1, func(*account) error { return nil })),
				"Delete":        r.Delete(left, &account{ID: 1, Rev: 3}),
				"DeleteByID":    r.DeleteByID(left, 1),
				"DeleteAllByID": second(r.DeleteAllByID(left, []any{1, 2})),
				"FindByID":      second(r.FindByID(left, 1)),
				"FindAllByID":   second(r.FindAllByID(left, []any{1, 2})),
				"ExistsByID":    second(r.ExistsByID(left, 1)),
				"Find":          second(r.Find(left)),
				"Count":         second(r.Count(left)),
				"InTx":          r.InTx(left, func(context.Context) error { return nil }),
			} {
				if !errors.Is(err, repo.ErrInTx) {
					t.Errorf("%s: %v, want ErrInTx", call, err)
				}
			}
			if got := s.commands()[before:]; len(got) > 0 {
				t.Errorf("sent were %v", got)
			}
		})
	}
}

func TestInTx_StragglerOfOneTryStaysOutOfTheNext(t *testing.T) {
	t.Parallel()
	updates := 0
	s, r := accounts(t, func(string, bson.Raw) bson.D {
		if updates++; updates == 1 {
			return conflict()
		}
		return matched(1)
	})
	var first context.Context //nolint:containedctx // what a straggler keeps
	err := r.InTx(t.Context(), func(ctx context.Context) error {
		if first == nil {
			first = ctx
		} else if err := r.Save(first, &account{ID: 2, Rev: 3}); !errors.Is(err, repo.ErrInTx) {
			t.Errorf("got %v, want ErrInTx", err)
		}
		return r.Save(ctx, &account{ID: 1, Rev: 3})
	})
	if err != nil {
		t.Fatal(err)
	}
	wantCommands(t, s, "start:update", "tx:abortTransaction", "start:update", "tx:commitTransaction")
}

// Goroutines that share the context wait for each other, and those that come
// after its end are refused: none is sent without the transaction.
func TestInTx_StragglersWhileItEnds(t *testing.T) {
	t.Parallel()
	s, r := accounts(t, yes)
	done := make(chan error)
	const goroutines = 8
	err := r.InTx(t.Context(), func(ctx context.Context) error {
		for i := range goroutines {
			go func() {
				for {
					if err := r.Save(ctx, &account{ID: int64(i), Rev: 3}); err != nil {
						done <- err
						return
					}
				}
			}()
		}
		return r.Save(ctx, &account{ID: 1, Rev: 3})
	})
	if err != nil {
		t.Error(err)
	}
	for range goroutines {
		if err := <-done; !errors.Is(err, repo.ErrInTx) {
			t.Errorf("got %v, want ErrInTx", err)
		}
	}
	names := s.commands()
	if at := slices.Index(names, "tx:commitTransaction"); at != len(names)-1 || slices.Contains(names, "update") {
		t.Errorf("the commit is command %d of %d: %v", at, len(names), names)
	}
}

// The driver takes a transaction that fn aborted by its session for success.
func TestInTx_AbortedByHandIsNoSuccess(t *testing.T) {
	t.Parallel()
	_, r := accounts(t, yes)
	a := &account{ID: 1, Rev: 3}
	err := r.InTx(t.Context(), func(ctx context.Context) error {
		if err := r.Save(ctx, a); err != nil {
			return err
		}
		return mongo.SessionFromContext(ctx).AbortTransaction(ctx)
	})
	if !errors.Is(err, repo.ErrRolledBack) || a.Rev != 3 {
		t.Errorf("got %v and version %d, want ErrRolledBack and 3", err, a.Rev)
	}
}

// A write under the transaction of another store would stay outside of it
// without a word. Reads may.
func TestWrite_UnderTheTransactionOfAnotherStore(t *testing.T) {
	t.Parallel()
	s, r := accounts(t, calm)
	ctx := driver.WithTx(driver.WithFence(t.Context(), turnOf("orders")), driver.Tx{Store: "sql", Handle: "tx"})
	for call, err := range map[string]error{
		"Save": r.Save(ctx, &account{ID: 1, Rev: 3}), "DeleteByID": r.DeleteByID(ctx, 1),
		"InTx": r.InTx(ctx, func(context.Context) error { return nil }),
	} {
		if !errors.Is(err, repo.ErrInTx) {
			t.Errorf("%s: %v, want ErrInTx", call, err)
		}
	}
	if _, err := r.Count(ctx); err != nil {
		t.Errorf("reading: %v", err)
	}
	wantCommands(t, s, "aggregate")
}
