package lockedrepo_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
)

// setupRename makes a repository whose key is being renamed, with the former key
// sorting before or after the new one.
func setupRename(t *testing.T, former, key string) (*txBundle, *lockedrepo.Repository[order]) {
	t.Helper()
	b := setupTx(t, 10*time.Second)
	r := b.add(t, b.store, lockedrepo.Options{Key: key, FormerKey: former, LockTimeout: 10 * time.Second})
	b.repos[key] = r
	return b, r
}

func onRename(t *testing.T, test func(t *testing.T, b *txBundle, r *lockedrepo.Repository[order], former, key string)) {
	t.Helper()
	t.Parallel()
	for _, keys := range [][2]string{{"a", "b"}, {"b", "a"}} {
		t.Run(keys[0]+"To"+keys[1], func(t *testing.T) {
			t.Parallel()
			b, r := setupRename(t, keys[0], keys[1])
			test(t, b, r, keys[0], keys[1])
			b.wantFree(t)
		})
	}
}

func TestFormerKey_HoldsAndShowsBoth(t *testing.T) {
	onRename(t, func(t *testing.T, b *txBundle, r *lockedrepo.Repository[order], former, key string) {
		if keys := r.Keys(); r.Key() != key || !slices.Equal(keys, []string{"a", "b"}) {
			t.Errorf("Key is %q, Keys are %q", r.Key(), keys)
		}
		r.Keys()[0] = "x" // a copy
		ctx, guards := t.Context(), " for ["+former+" "+key+"]"
		err := errors.Join(
			r.Save(ctx, &order{ID: "1"}),
			r.InTx(ctx, func(ctx context.Context) error {
				if taken := b.taken(ctx, t, "a", "b"); len(taken) != 2 {
					t.Errorf("locked are %v", taken)
				}
				_, err := r.FindByID(ctx, "1")
				return err
			}),
		)
		want := []string{key + ".Save shows [a b]" + guards, key + ".InTx shows [a b]" + guards, key + ".FindByID shows [a b]" + guards}
		if shown := b.shown(); err != nil || !slices.Equal(shown, want) {
			t.Errorf("got %q, want %q; %v", shown, want, err)
		}
		if b.waits != 2 {
			t.Errorf("%d calls of Lock", b.waits)
		}
	})
}

// Pods of the first and of the third stage are both kept out.
func TestFormerKey_ExcludesEither(t *testing.T) {
	onRename(t, func(t *testing.T, b *txBundle, r *lockedrepo.Repository[order], former, key string) {
		for _, one := range []string{former, key} {
			hold := b.hold(t, one)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- r.Save(ctx, &order{ID: "1"}) }()
			awaitQueueOf(t, b.other, one, 2)
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("while %q is held: got %v", one, err)
			}
			if err := hold.Unlock(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Under a hold of one key alone, another pod that knows only the other key could
// come in between two calls.
func TestFormerKey_WantsBothFromAHold(t *testing.T) {
	onRename(t, func(t *testing.T, b *txBundle, r *lockedrepo.Repository[order], former, key string) {
		calls := map[string]func(ctx context.Context) error{
			"Save":     func(ctx context.Context) error { return r.Save(ctx, &order{ID: "1"}) },
			"FindByID": func(ctx context.Context) error { _, err := r.FindByID(ctx, "1"); return err },
			"InTx":     func(ctx context.Context) error { return r.InTx(ctx, nothing) },
		}
		for name, call := range calls {
			for _, one := range []string{former, key} {
				if err := b.locker.Do(t.Context(), one, call); !errors.Is(err, repo.ErrInvalid) {
					t.Errorf("%s while %q is held: got %v", name, one, err)
				}
			}
			hold, err := b.locker.Lock(t.Context(), r.Keys()...)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(call(hold.Context()), hold.Unlock(t.Context())); err != nil {
				t.Errorf("%s while both are held: got %v", name, err)
			}
		}
		if b.store.begun != 1 {
			t.Errorf("%d transactions were begun", b.store.begun)
		}
		// In a transaction, what is missing is taken and kept.
		b.repos["0"] = b.add(t, b.store, lockedrepo.Options{Key: "0"})
		other := b.add(t, b.store, lockedrepo.Options{Key: former})
		b.shown()
		err := lockedrepo.InTx(t.Context(), func(ctx context.Context) error {
			return errors.Join(r.Save(ctx, &order{ID: "1"}), other.Save(ctx, &order{ID: "1"}))
		}, b.repos["0"], other)
		if shown := b.shown(); err != nil || shown[1] != key+".Save shows [0 a b] for ["+former+" "+key+"]" {
			t.Errorf("got %q, %v", shown, err)
		}
	})
}

func TestFormerKey_Options(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for name, o := range map[string]lockedrepo.Options{
		"TheKeyItself":  {Key: "k", FormerKey: "k"},
		"NoName":        {Key: "k", FormerKey: "\xff"},
		"NoKeyOfAFence": {Key: "k", FormerKey: "a "},
		"TheTypesName":  {FormerKey: "github.com/holdfast-go/holdfast/lockedrepo_test.order"},
	} {
		if _, err := lockedrepo.New[order](b.inner, b.locker, &o); !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	unfenced := lockedrepo.Options{Key: "k", FormerKey: "a ", Unfenced: true}
	r, err := lockedrepo.New[order](b.inner, b.locker, &unfenced)
	if err != nil {
		t.Fatal(err)
	}
	hold, err := b.other.Lock(t.Context(), "a ")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := r.Save(ctx, &order{ID: "1"}); !errors.Is(err, etcdlock.ErrTimeout) {
		t.Errorf("without a fence: got %v", err)
	}
	if err := hold.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
}
