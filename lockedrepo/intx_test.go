package lockedrepo_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

func nothing(context.Context) error { return nil }

// lockables are the repositories with the keys.
func (b *txBundle) lockables(keys ...string) []lockedrepo.Lockable {
	var all []lockedrepo.Lockable
	for _, key := range keys {
		all = append(all, b.repos[key])
	}
	return all
}

func TestInTxOfSeveral_TakesAllKeysUpFront(t *testing.T) {
	t.Parallel()
	b := setupTx(t, time.Minute, "a", "b", "c", "d")
	err := lockedrepo.InTx(t.Context(), func(ctx context.Context) error {
		if taken := b.taken(ctx, t, "a", "b", "c", "d"); !slices.Equal(taken, []string{"a", "b", "c"}) {
			t.Errorf("locked are %v", taken)
		}
		waits := b.waits
		for _, key := range []string{"c", "a", "b"} {
			if err := b.repos[key].Save(ctx, &order{ID: "1"}); err != nil {
				return err
			}
		}
		if b.waits != waits {
			t.Errorf("joining took %d further calls of Lock", b.waits-waits)
		}
		// One that is not named joins by the rules of the method.
		return b.repos["d"].Save(ctx, &order{ID: "1"})
	}, b.lockables("c", "a", "b", "a")...)
	want := []string{
		"c.InTx shows [a b c] for [c]", "c.Save shows [a b c] for [c]", "a.Save shows [a b c] for [a]",
		"b.Save shows [a b c] for [b]", "d.Save shows [a b c d] for [d]",
	}
	if shown := b.shown(); err != nil || !slices.Equal(shown, want) {
		t.Errorf("got %q, want %q; %v", shown, want, err)
	}
	if b.waits != 2 || b.store.committed != 1 {
		t.Errorf("%d calls of Lock, %d commits", b.waits, b.store.committed)
	}
	b.wantFree(t)
}

// withoutSource is a store that does not say whose its transactions are.
type withoutSource struct {
	repo.Repository[order]
	repo.Transactor
	driver.TxReporter
	driver.Fencer
}

func TestInTxOfSeveral_RefusedBeforeAnyLock(t *testing.T) {
	t.Parallel()
	b := setupTx(t, time.Minute, "a", "b")
	hold := b.hold(t, "a") // a call that tried to lock it would wait
	defer func() { _ = hold.Unlock(context.Background()) }()
	elsewhere := b.add(t, &database{}, lockedrepo.Options{Key: "elsewhere"})
	mem, err := memrepo.New[order](nil)
	if err != nil {
		t.Fatal(err)
	}
	without, err := lockedrepo.New[order](hidden{mem}, b.locker, &lockedrepo.Options{Key: "without", Unfenced: true})
	if err != nil {
		t.Fatal(err)
	}
	another, err := lockedrepo.New[order](mem, locktest.NewLocal(t, nil), &lockedrepo.Options{Key: "b"})
	if err != nil {
		t.Fatal(err)
	}
	standalone := b.add(t, nil, lockedrepo.Options{Key: "standalone"})
	var none *lockedrepo.Repository[order]
	ctx := t.Context()
	inForeign := driver.WithTx(ctx, driver.Tx{Store: "another"})
	inPlain := driver.WithTx(ctx, driver.Tx{Store: b.store, Handle: &txHandle{}})
	for name, c := range map[string]struct {
		err, want error
	}{
		"NilFunction":      {lockedrepo.InTx(ctx, nil, b.lockables("a")...), repo.ErrInvalid},
		"NoRepositories":   {lockedrepo.InTx(ctx, nothing), repo.ErrInvalid},
		"NilInterface":     {lockedrepo.InTx(ctx, nothing, b.repos["a"], nil), repo.ErrInvalid},
		"NilRepository":    {lockedrepo.InTx(ctx, nothing, b.repos["a"], none), repo.ErrInvalid},
		"AnotherLocker":    {lockedrepo.InTx(ctx, nothing, b.repos["a"], another), repo.ErrInvalid},
		"AnotherDatabase":  {lockedrepo.InTx(ctx, nothing, b.repos["a"], elsewhere), repo.ErrInvalid},
		"NoTx":             {lockedrepo.InTx(ctx, nothing, b.repos["a"], without), repo.ErrUnsupported},
		"NoTxMethod":       {without.InTx(ctx, nothing), repo.ErrUnsupported},
		"Standalone":       {lockedrepo.InTx(ctx, nothing, standalone), repo.ErrUnsupported},
		"StandaloneMethod": {standalone.InTx(ctx, nothing), repo.ErrUnsupported},
		"Foreign":          {lockedrepo.InTx(inForeign, nothing, b.lockables("a", "b")...), repo.ErrInTx},
		"ForeignMethod":    {b.repos["a"].InTx(inForeign, nothing), repo.ErrInTx},
		"Plain":            {lockedrepo.InTx(inPlain, nothing, b.lockables("a", "b")...), repo.ErrInTx},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: got %v, want %v", name, c.err, c.want)
		}
		if c.err != nil {
			wantPrefix(t, name, c.err, "lockedrepo: transaction: ")
		}
	}
	if b.waits != 0 || b.store.begun != 0 {
		t.Errorf("%d calls of Lock, %d transactions begun", b.waits, b.store.begun)
	}
}

// Where the stores cannot say before whose transaction it will be, it is seen
// inside, and nothing is committed.
func TestInTxOfSeveral_AnotherDatabaseIsSeenInside(t *testing.T) {
	t.Parallel()
	b := setupTx(t, time.Minute, "a")
	mem, err := memrepo.New[order](nil)
	if err != nil {
		t.Fatal(err)
	}
	s := txStore[order]{mem, &database{}, func(context.Context, string) {}}
	silent, err := lockedrepo.New[order](withoutSource{s, s, s, s}, b.locker, &lockedrepo.Options{Key: "silent"})
	if err != nil {
		t.Fatal(err)
	}
	b.repos["silent"] = silent
	err = lockedrepo.InTx(t.Context(), func(context.Context) error { t.Error("called"); return nil }, b.repos["a"], silent)
	if !errors.Is(err, repo.ErrInvalid) || b.store.committed != 0 {
		t.Errorf("got %v", err)
	}
	b.wantFree(t)
	if err := silent.InTx(t.Context(), nothing); err != nil {
		t.Errorf("alone: %v", err)
	}
}

func TestInTxOfSeveral_Waiting(t *testing.T) {
	t.Parallel()
	b := setupTx(t, time.Minute, "a", "b")
	b.repos["hasty"] = b.add(t, b.store, lockedrepo.Options{Key: "hasty", LockTimeout: 30 * time.Millisecond})
	hold := b.hold(t, "b")

	err := lockedrepo.InTx(t.Context(), nothing, b.lockables("a", "b", "hasty")...)
	if !errors.Is(err, etcdlock.ErrTimeout) {
		t.Errorf("with a hasty one among them: got %v", err)
	}
	cause := errors.New("the client hung up")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error)
	go func() { done <- lockedrepo.InTx(ctx, nothing, b.lockables("a", "b")...) }()
	awaitQueueOf(t, b.other, "b", 2)
	cancel(cause)
	if err := <-done; !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
		t.Errorf("cancelled: got %v", err)
	}
	if b.store.begun != 0 {
		t.Error("a transaction was begun")
	}
	if err := hold.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := lockedrepo.InTx(t.Context(), nothing, b.lockables("a", "b", "hasty")...); err != nil {
		t.Error(err)
	}
	b.wantFree(t)
}

// Some of the keys are held already, by the context or by a transaction around.
func TestInTxOfSeveral_UnderHolds(t *testing.T) {
	t.Parallel()
	for name, under := range map[string]func(b *txBundle, ctx context.Context, fn func(context.Context) error) error{
		"Do": func(b *txBundle, ctx context.Context, fn func(context.Context) error) error {
			return b.locker.Do(ctx, "a", fn)
		},
		"Method": func(b *txBundle, ctx context.Context, fn func(context.Context) error) error {
			return b.repos["a"].InTx(ctx, fn)
		},
		"Function": func(b *txBundle, ctx context.Context, fn func(context.Context) error) error {
			return lockedrepo.InTx(ctx, fn, b.lockables("b", "a")...)
		},
		"LaterKey": func(b *txBundle, ctx context.Context, fn func(context.Context) error) error {
			return b.repos["c"].InTx(ctx, fn)
		},
		"AllKeys": func(b *txBundle, ctx context.Context, fn func(context.Context) error) error {
			hold, err := b.locker.Lock(ctx, "a", "b", "c")
			if err != nil {
				return err
			}
			return errors.Join(fn(hold.Context()), hold.Unlock(ctx))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupTx(t, 10*time.Second, "a", "b", "c")
			err := under(b, t.Context(), func(ctx context.Context) error {
				err := lockedrepo.InTx(ctx, func(ctx context.Context) error {
					if taken := b.taken(ctx, t, "a", "b", "c"); len(taken) != 3 {
						t.Errorf("locked are %v", taken)
					}
					b.shown()
					err := b.repos["c"].Save(ctx, &order{ID: "1"})
					if shown := b.shown(); !slices.Equal(shown, []string{"c.Save shows [a b c] for [c]"}) {
						t.Errorf("got %q", shown)
					}
					return err
				}, b.lockables("c", "b", "a")...)
				if taken := b.taken(ctx, t, "a", "b", "c"); len(taken) == 0 {
					t.Error("the inner call gave back what the outer one holds")
				}
				return err
			})
			if err != nil || b.store.begun != 1 || b.store.committed != 1 {
				t.Errorf("got %v, %d of %d committed", err, b.store.committed, b.store.begun)
			}
			b.wantFree(t)
		})
	}
}

// wantPrefix fails unless the text of err begins with it, once.
func wantPrefix(t *testing.T, name string, err error, prefix string) {
	t.Helper()
	text := err.Error()
	if len(text) < len(prefix) || text[:len(prefix)] != prefix {
		t.Errorf("%s: %q does not begin with %q", name, text, prefix)
	}
}
