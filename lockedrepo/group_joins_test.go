package lockedrepo_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
)

// A call under a hold of its caller, or in a transaction, is made by itself, however many
// others wait.
func TestGroup_OwnHoldsGoAlone(t *testing.T) {
	t.Parallel()
	ctx := groupContext(t)
	s := newGroupSite(ctx, t, nil, pieceOf("stored"))
	orders := s.add(t, s.txBundle.store, lockedrepo.Options{Key: "order"})
	s.pile(ctx, t, s.saving(ctx, "a", "b", "c")...)

	hold, err := s.locker.Lock(ctx, "another") // which sorts before the key
	if err != nil {
		t.Fatal(err)
	}
	before := s.store.asked.Load()
	s.begin(func() error { return s.pieces.Save(hold.Context(), pieceOf("d")) })
	s.begin(func() error { return s.pieces.SaveAll(hold.Context(), []*piece{pieceOf("e"), pieceOf("f")}) })
	s.begin(s.updating(hold.Context(), "stored", counting))
	s.begin(func() error {
		return orders.InTx(ctx, func(ctx context.Context) error { return s.pieces.Save(ctx, pieceOf("g")) })
	})
	await(ctx, t, "the calls to wait", func() bool { // one that goes by itself asks twice, one that joins once
		asked, joined := s.store.asked.Load()-before, int64(s.pieces.Pending()-3)
		return asked+joined >= 8 || joined == 4
	})
	s.pile(ctx, t, s.saving(ctx, "h", "i")...)
	errs := s.finish(ctx, t)
	wantAll(t, append(errs, hold.Unlock(ctx)))
	want := []string{"Save a", "Save d", "Save g", "SaveAll e,f", "SaveGroup b c", "SaveGroup h i", "Update stored"}
	if tried := slices.Sorted(slices.Values(s.store.tried())); !slices.Equal(tried, want) {
		t.Errorf("the attempts are %q, want %q", tried, want)
	}
}

// A call in a transaction that no locked repository has opened is refused while others
// wait, too.
func TestGroup_ForeignTransaction(t *testing.T) {
	t.Parallel()
	ctx := groupContext(t)
	s := newGroupSite(ctx, t, nil, pieceOf("stored"))
	s.pile(ctx, t, s.saving(ctx, "a", "b", "c")...)
	refused := s.store.InTx(ctx, func(ctx context.Context) error {
		for name, call := range map[string]func() error{"Save": s.saving(ctx, "d")[0], "Update": s.updating(ctx, "stored", counting)} {
			answer := make(chan error, 1)
			go func() { answer <- call() }()
			await(ctx, t, name, func() bool { return len(answer) == 1 || s.pieces.Pending() > 3 })
			if len(answer) == 0 {
				t.Errorf("%s waits with the others", name)
			} else if err := <-answer; !errors.Is(err, repo.ErrInTx) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		return nil
	})
	wantAll(t, append(s.finish(ctx, t), refused))
}
