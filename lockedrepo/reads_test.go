package lockedrepo_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
)

// reads are all methods that read.
func reads(r *lockedrepo.Repository[order]) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"FindByID":    func(ctx context.Context) error { _, err := r.FindByID(ctx, "1"); return err },
		"FindAllByID": func(ctx context.Context) error { _, err := r.FindAllByID(ctx, []any{"1"}); return err },
		"ExistsByID":  func(ctx context.Context) error { _, err := r.ExistsByID(ctx, "1"); return err },
		"Find":        func(ctx context.Context) error { _, err := r.Find(ctx); return err },
		"Count":       func(ctx context.Context) error { _, err := r.Count(ctx); return err },
		"Exists":      func(ctx context.Context) error { _, err := repo.Exists(ctx, r); return err },
		"Stream": func(ctx context.Context) error {
			for _, err := range repo.Stream(ctx, r) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"Aggregate": func(ctx context.Context) error { _, err := repo.Sum(ctx, r, repo.F[order, int64]("Total")); return err },
	}
}

func TestReadUnlocked_TakesNoLockInATransaction(t *testing.T) {
	t.Parallel()
	b := setupTx(t, 10*time.Second, "orders", "customers")
	customers := b.repos["customers"]
	busy := b.hold(t, "customers") // it sorts before the key that the transaction holds, too
	err := b.repos["orders"].InTx(t.Context(), func(ctx context.Context) error {
		for name, read := range reads(customers) {
			if err := read(lockedrepo.ReadUnlocked(ctx)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		b.shown()
		err := b.repos["orders"].Save(lockedrepo.ReadUnlocked(ctx), &order{ID: "1"})
		want := []string{"orders.Save shows [orders] for [orders]"}
		if shown := b.shown(); !slices.Equal(shown, want) {
			t.Errorf("a write with the same context: %q, want %q", shown, want)
		}
		return err
	})
	if err != nil || b.waits != 1 {
		t.Errorf("%d calls of Lock, %v", b.waits, err)
	}
	if err := busy.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wantFree(t)
}

func TestReadUnlocked_LocksWhatIsNoRead(t *testing.T) {
	t.Parallel()
	b := setupTx(t, 10*time.Second, "a", "b")
	unlocked := lockedrepo.ReadUnlocked(t.Context())
	err := b.repos["a"].InTx(unlocked, func(ctx context.Context) error {
		_, err := b.repos["b"].FindByID(ctx, "1") // InTx takes it back
		if taken := b.taken(ctx, t, "a", "b"); len(taken) != 2 {
			t.Errorf("locked are %v", taken)
		}
		return err
	})
	_, update := b.repos["a"].Update(unlocked, "1", func(*order) error {
		if taken := b.taken(t.Context(), t, "a"); len(taken) != 1 {
			t.Error("an update did not lock")
		}
		return nil
	})
	if err := errors.Join(err, update); err != nil {
		t.Error(err)
	}
	b.shown()
	// Under a hold such a read shows no claim, so that it waits for no transaction
	// of the hold either.
	err = b.locker.Do(t.Context(), "a", func(ctx context.Context) error {
		_, err := b.repos["a"].Update(ctx, "1", func(*order) error {
			_, err := b.repos["a"].FindByID(lockedrepo.ReadUnlocked(ctx), "1")
			return err
		})
		return err
	})
	if shown := b.shown(); err != nil || !slices.Equal(shown, []string{"a.Update shows [a] for [a]", "a.FindByID"}) {
		t.Errorf("got %q, %v", shown, err)
	}
}

// In a transaction of another database the claims are not this one's.
func TestReadUnlocked_OfAnotherDatabase(t *testing.T) {
	t.Parallel()
	b := setupTx(t, 10*time.Second, "a")
	elsewhere := b.add(t, &database{}, lockedrepo.Options{Key: "elsewhere"})
	err := b.repos["a"].InTx(t.Context(), func(ctx context.Context) error {
		if _, err := elsewhere.FindByID(ctx, "1"); !errors.Is(err, repo.ErrInTx) {
			t.Errorf("a locked read: got %v", err)
		}
		b.shown()
		_, err := elsewhere.FindByID(lockedrepo.ReadUnlocked(ctx), "1")
		return err
	})
	if shown := b.shown(); err != nil || !slices.Equal(shown, []string{"elsewhere.FindByID"}) {
		t.Errorf("got %q, %v", shown, err)
	}
}

// Without a fence a read in a transaction is part of what the lock protects all
// the same.
func TestRead_UnfencedInATransaction(t *testing.T) {
	t.Parallel()
	b := setupTx(t, 10*time.Second, "a")
	b.repos["unfenced"] = b.add(t, b.store, lockedrepo.Options{Key: "unfenced", Unfenced: true})
	err := b.repos["a"].InTx(t.Context(), func(ctx context.Context) error {
		_, err := b.repos["unfenced"].FindByID(ctx, "1")
		if taken := b.taken(ctx, t, "unfenced"); len(taken) != 1 {
			t.Error("the read took no lock")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	b.wantFree(t)
}
