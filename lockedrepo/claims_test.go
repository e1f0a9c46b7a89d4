package lockedrepo_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// A transaction shows the claims of all locks that it has taken so far, sorted,
// and each call says which keys guard the entities that it is for.
func TestInTx_ShowsEveryKey(t *testing.T) {
	t.Parallel()
	b := setupTx(t, time.Minute, "a", "b", "c")
	b.repos["unfenced"] = b.add(t, b.store, lockedrepo.Options{Key: "unfenced", Unfenced: true})
	err := b.repos["b"].InTx(t.Context(), func(ctx context.Context) error {
		b.note(ctx, "fn", "called")
		_, read := b.repos["a"].FindByID(ctx, "1")
		unfenced := b.repos["unfenced"].Save(ctx, &order{ID: "1"})
		return errors.Join(read, unfenced, b.repos["c"].Save(ctx, &order{ID: "1"}), b.repos["b"].Save(ctx, &order{ID: "1"}))
	})
	want := []string{
		"b.InTx shows [b] for [b]", "fn.called", "a.FindByID shows [a b] for [a]", "unfenced.Save",
		"c.Save shows [a b c] for [c]", "b.Save shows [a b c] for [b]",
	}
	if shown := b.shown(); err != nil || !slices.Equal(shown, want) {
		t.Errorf("got %q, want %q; %v", shown, want, err)
	}
}

// A key that an unfenced repository has locked shows no claim before a fenced one
// joins that has the same key.
func TestInTx_FencedJoinsUnfenced(t *testing.T) {
	t.Parallel()
	b := setupTx(t, time.Minute, "a")
	unfenced := b.add(t, b.store, lockedrepo.Options{Key: "a", Unfenced: true})
	err := unfenced.InTx(t.Context(), func(ctx context.Context) error {
		return errors.Join(unfenced.Save(ctx, &order{ID: "1"}), b.repos["a"].Save(ctx, &order{ID: "1"}))
	})
	want := []string{"a.InTx", "a.Save", "a.Save shows [a] for [a]"}
	if shown := b.shown(); err != nil || !slices.Equal(shown, want) {
		t.Errorf("got %q, want %q; %v", shown, want, err)
	}
	// Named together, one that can show the claims opens the transaction, and they
	// are its own.
	another := b.add(t, b.store, lockedrepo.Options{Key: "another", Unfenced: true})
	err = lockedrepo.InTx(t.Context(), nothing, unfenced, another, b.repos["a"])
	want = []string{"a.InTx shows [a] for [a]"}
	if shown := b.shown(); err != nil || !slices.Equal(shown, want) {
		t.Errorf("got %q, want %q; %v", shown, want, err)
	}
	b.wantFree(t)
}

// A goroutine that keeps the context of a call draws no new claims when the call
// is over: it gets those that the store has seen already.
func TestClaims_AfterTheEnd(t *testing.T) {
	t.Parallel()
	b := setupTx(t, time.Minute)
	var kept []context.Context
	keep := func(ctx context.Context) { kept = append(kept, context.WithoutCancel(ctx)) }
	store := txStore[order]{b.inner(t), b.store, func(ctx context.Context, _ string) { keep(ctx) }}
	tx, err := lockedrepo.New[order](store, b.locker, &lockedrepo.Options{Key: "a"})
	if err != nil {
		t.Fatal(err)
	}
	rec := newRecorder(b.inner(t))
	r, err := lockedrepo.New[order](rec, b.locker, &lockedrepo.Options{Key: "r"})
	if err != nil {
		t.Fatal(err)
	}
	claims := func(ctx context.Context) []repo.Claim {
		f, ok := driver.FenceFrom(ctx)
		if !ok {
			t.Fatal("no fence")
		}
		return f.Claims()
	}
	rec.probe = func(ctx context.Context, _ string) error { keep(ctx); return errors.New("before it has shown any") }
	if err := r.Save(t.Context(), &order{ID: "1"}); err == nil {
		t.Error("no error")
	}
	rec.probe = func(ctx context.Context, _ string) error { keep(ctx); return nil }
	var inside []repo.Claim
	err = errors.Join(r.Save(t.Context(), &order{ID: "1"}), tx.InTx(t.Context(), func(context.Context) error {
		inside = claims(kept[2])
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	for i, ctx := range kept {
		first, second := claims(ctx), claims(ctx)
		if len(first) != 1 || !slices.Equal(first, second) || second[0].Succeeds(first[0]) {
			t.Errorf("call %d: %v and %v were drawn", i, first, second)
		}
	}
	if late := claims(kept[2]); !slices.Equal(late, inside) {
		t.Errorf("the transaction has shown %v, and afterwards shows %v", inside, late)
	}
}
