package repotest

import (
	"context"
	"errors"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

func transactor[T any](t *testing.T, h Harness, r repo.Repository[T]) repo.Transactor {
	t.Helper()
	need(t, h.Features.Transactions, "Transactions")
	tx, ok := repo.As[repo.Transactor](r)
	if !ok {
		t.Fatal("Features.Transactions is set and repo.As finds no repo.Transactor")
	}
	return tx
}

func txCommits(t *testing.T, h Harness) {
	r := h.items(t)
	tx := transactor(t, h, r)
	saveItems(t, r, itemsOf("a", "b")...)
	changed := item("a")
	changed.Name = "changed"
	noErr(t, tx.InTx(t.Context(), func(ctx context.Context) error {
		if err := r.Save(ctx, changed); err != nil {
			return err
		}
		if err := r.DeleteByID(ctx, "b"); err != nil {
			return err
		}
		return r.SaveAll(ctx, itemsOf("c", "d"))
	}))
	stored(t, r, changed, item("c"), item("d"))
}

func txRollsBack(t *testing.T, h Harness) {
	r := h.items(t)
	tx := transactor(t, h, r)
	saveItems(t, r, itemsOf("a", "b")...)
	mine := errors.New("changed my mind")
	err := tx.InTx(t.Context(), func(ctx context.Context) error {
		changed := item("a")
		changed.Name = "changed"
		if err := r.SaveAll(ctx, []*Item{changed, item("c")}); err != nil {
			return err
		}
		if _, err := r.SmartSave(ctx, docs(`{"id":"b","name":"merged"}`), repo.Merge()); err != nil {
			return err
		}
		if _, err := r.DeleteAllByID(ctx, []any{"b"}); err != nil {
			return err
		}
		return mine
	})
	wantOwn(t, err, mine)
	stored(t, r, itemsOf("a", "b")...)
}

func txReadsItsOwnWrites(t *testing.T, h Harness) {
	r := h.items(t)
	tx := transactor(t, h, r)
	noErr(t, tx.InTx(t.Context(), func(ctx context.Context) error {
		if err := r.Save(ctx, item("a")); err != nil {
			return err
		}
		if _, err := r.FindByID(ctx, "a"); err != nil {
			return err
		}
		n, err := r.Count(ctx)
		if err == nil && n != 1 {
			t.Errorf("the transaction counts %d, want 1", n)
		}
		return err
	}))
}

// txJoins: an inner transaction is part of the outer one.
func txJoins(t *testing.T, h Harness) {
	r := h.items(t)
	tx := transactor(t, h, r)
	mine := errors.New("changed my mind")
	err := tx.InTx(t.Context(), func(ctx context.Context) error {
		if err := tx.InTx(ctx, func(ctx context.Context) error { return r.Save(ctx, item("a")) }); err != nil {
			return err
		}
		return mine
	})
	wantOwn(t, err, mine)
	stored(t, r)
	noErr(t, tx.InTx(t.Context(), func(ctx context.Context) error {
		return tx.InTx(ctx, func(ctx context.Context) error { return r.Save(ctx, item("a")) })
	}))
	stored(t, r, item("a"))
}

func txSpansRepositories(t *testing.T, h Harness) {
	need(t, h.Features.Transactions, "Transactions")
	items, plains := h.items(t), from(t, "Plain", h.Plain)
	tx := transactor(t, h, items)
	mine := errors.New("changed my mind")
	both := func(result error) error {
		return tx.InTx(t.Context(), func(ctx context.Context) error {
			if err := items.Save(ctx, item("a")); err != nil {
				return err
			}
			if err := plains.Save(ctx, &Plain{"p", "x"}); err != nil {
				return err
			}
			return result
		})
	}
	wantOwn(t, both(mine), mine)
	stored(t, items)
	count(t, plains, 0)
	noErr(t, both(nil))
	stored(t, items, item("a"))
	count(t, plains, 1)
}

func txRollsBackOnPanic(t *testing.T, h Harness) {
	r := h.items(t)
	tx := transactor(t, h, r)
	func() {
		defer func() {
			if recover() != "stop" {
				t.Error("the panic did not reach the caller")
			}
		}()
		_ = tx.InTx(t.Context(), func(ctx context.Context) error {
			noErr(t, r.Save(ctx, item("a")))
			panic("stop")
		})
	}()
	stored(t, r)
	saveItems(t, r, item("a"))
}

func txCancelledInside(t *testing.T, h Harness) {
	r := h.items(t)
	tx := transactor(t, h, r)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := tx.InTx(ctx, func(ctx context.Context) error {
		if err := r.Save(ctx, item("a")); err != nil {
			return err
		}
		cancel()
		return r.Save(ctx, item("b"))
	})
	wantErr(t, err, context.Canceled)
	stored(t, r)
}

func txUpdateInside(t *testing.T, h Harness) {
	r := h.items(t)
	tx, u := transactor(t, h, r), updater(t, h, r)
	saveItems(t, r, item("a"))
	mine := errors.New("changed my mind")
	err := tx.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := u.Update(ctx, "a", func(e *Item) error { e.Name = "changed"; return nil }); err != nil {
			return err
		}
		return mine
	})
	wantOwn(t, err, mine)
	stored(t, r, item("a"))
}

func txUnsupportedIsSaid(t *testing.T, h Harness) {
	without(t, h.Features.Transactions, "Transactions")
	r := h.items(t)
	tx, ok := repo.As[repo.Transactor](r)
	if !ok {
		return // it does not even offer them
	}
	err := tx.InTx(t.Context(), func(ctx context.Context) error { return r.Save(ctx, item("a")) })
	wantErr(t, err, repo.ErrUnsupported)
	stored(t, r)
}
