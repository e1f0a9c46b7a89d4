package repotest

import (
	"context"
	"errors"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
)

func updater[T any](t *testing.T, h Harness, r repo.Repository[T]) repo.Updater[T] {
	t.Helper()
	need(t, h.Features.Update, "Update")
	u, ok := repo.As[repo.Updater[T]](r)
	if !ok {
		t.Fatal("Features.Update is set and repo.As finds no repo.Updater")
	}
	return u
}

func updateChangesOne(t *testing.T, h Harness) {
	r := h.items(t)
	u := updater(t, h, r)
	saveItems(t, r, itemsOf("a", "b")...)
	want := item("a")
	want.Stock, want.Note, want.Active = 8, nil, false
	got, err := u.Update(t.Context(), "a", func(e *Item) error {
		e.Stock++
		e.Note, e.Active = nil, false
		return nil
	})
	noErr(t, err)
	same(t, got, want)
	stored(t, r, want, item("b"))
}

func updateOfAbsent(t *testing.T, h Harness) {
	r := h.items(t)
	u := updater(t, h, r)
	_, err := u.Update(t.Context(), "absent", func(*Item) error {
		t.Error("the function was called")
		return nil
	})
	wantErr(t, err, repo.ErrNotFound)
	stored(t, r)
}

func updateFailingWritesNothing(t *testing.T, h Harness) {
	r := h.items(t)
	u := updater(t, h, r)
	saveItems(t, r, item("a"))
	mine := errors.New("sold out")
	_, err := u.Update(t.Context(), "a", func(e *Item) error {
		scribble(e)
		return mine
	})
	wantOwn(t, err, mine)
	stored(t, r, item("a"))
}

func updateReadsAfresh(t *testing.T, h Harness) {
	r := h.items(t)
	u := updater(t, h, r)
	saveItems(t, r, item("a"))
	for want := int64(8); want <= 10; want++ {
		got, err := u.Update(t.Context(), "a", func(e *Item) error {
			e.Stock++
			return nil
		})
		noErr(t, err)
		if got.Stock != want {
			t.Fatalf("stock is %d, want %d", got.Stock, want)
		}
		scribble(got)
	}
}

func updateCannotChangeTheKey(t *testing.T, h Harness) {
	r := h.items(t)
	u := updater(t, h, r)
	saveItems(t, r, item("a"))
	_, err := u.Update(t.Context(), "a", func(e *Item) error {
		e.ID = "b"
		return nil
	})
	wantErr(t, err, repo.ErrInvalid)
	stored(t, r, item("a"))
}

func updateRefusesNilAndBadIDs(t *testing.T, h Harness) {
	r := h.items(t)
	u := updater(t, h, r)
	saveItems(t, r, item("a"))
	_, err := u.Update(t.Context(), "a", nil)
	wantErr(t, err, repo.ErrInvalid)
	for _, id := range []any{nil, 1, []string{"a"}} {
		_, err = u.Update(t.Context(), id, func(*Item) error { return nil })
		wantErr(t, err, repo.ErrInvalid)
	}
	_, err = u.Update(t.Context(), "1=1 OR 1", func(*Item) error { return nil })
	wantErr(t, err, repo.ErrNotFound)
	stored(t, r, item("a"))
}

func updateBreakingAUniqueIndex(t *testing.T, h Harness) {
	r := h.items(t)
	u := updater(t, h, r)
	saveItems(t, r, itemsOf("a", "b")...)
	_, err := u.Update(t.Context(), "b", func(e *Item) error {
		e.SKU = item("a").SKU
		return nil
	})
	wantErr(t, err, repo.ErrDuplicateKey)
	stored(t, r, itemsOf("a", "b")...)
}

func updateCancelledInside(t *testing.T, h Harness) {
	r := h.items(t)
	u := updater(t, h, r)
	saveItems(t, r, item("a"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := u.Update(ctx, "a", func(e *Item) error {
		scribble(e)
		cancel()
		return nil
	})
	wantErr(t, err, context.Canceled)
	stored(t, r, item("a"))
}

func updateOfMarked(t *testing.T, h Harness) {
	r := h.marked(t)
	u := updater(t, h, r)
	marked(t, r, "a")
	before := get(t, r, "a")
	nextMilli(t)
	got, err := u.Update(t.Context(), "a", func(e *Marked) error {
		e.Name, e.Made = "changed", longAgo()
		return nil
	})
	noErr(t, err)
	same(t, get(t, r, "a"), got)
	if got.Name != "changed" || got.Rev != 2 || !got.Made.Equal(before.Made) || !got.Seen.After(before.Seen) {
		t.Fatalf("got %s, before it was %s", shown(got), shown(before))
	}
	noErr(t, r.DeleteByID(t.Context(), "a"))
	_, err = u.Update(t.Context(), "a", func(*Marked) error { return nil })
	wantErr(t, err, repo.ErrNotFound)
}

func updateLosesNothing(t *testing.T, h Harness) {
	need(t, h.Features.IsolatedUpdate, "IsolatedUpdate")
	r := h.items(t)
	u := updater(t, h, r)
	e := item("a")
	e.Stock = 0
	saveItems(t, r, e)
	const workers, rounds = 8, 10
	together(t, workers, func(int) error {
		for range rounds {
			if _, err := u.Update(t.Context(), "a", func(e *Item) error { e.Stock++; return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	if got := get(t, r, "a"); got.Stock != workers*rounds {
		t.Fatalf("%d of %d updates are stored", got.Stock, workers*rounds)
	}
}
