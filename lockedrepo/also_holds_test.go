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

// A call under a hold of its caller takes the old lock for itself. A read there would be
// the base of a write that the old lock does not cover.
func TestAlso_UnderAHold(t *testing.T) {
	t.Parallel()
	for _, unfenced := range []bool{false, true} {
		old, b := newOldLocks(), setup(t, nil)
		r := b.withOld(t, lockedrepo.Options{Unfenced: unfenced}, old.also("a"))
		err := b.locker.Do(t.Context(), key, func(ctx context.Context) error {
			for name, read := range reads(r) {
				if err := read(ctx); !errors.Is(err, repo.ErrInvalid) {
					t.Errorf("%s: %v", name, err)
				}
				if err := read(lockedrepo.ReadUnlocked(ctx)); err != nil && !errors.Is(err, repo.ErrNotFound) {
					t.Errorf("%s unlocked: %v", name, err)
				}
			}
			for _, err := range r.Stream(ctx) {
				if !errors.Is(err, repo.ErrInvalid) {
					t.Errorf("Stream: %v", err)
				}
			}
			old.want(t)
			return errors.Join(save(r)(ctx), save(r)(ctx), r.InTx(ctx, nothing))
		})
		if err != nil {
			t.Error(err)
		}
		old.want(t, "lock a", "unlock a", "lock a", "unlock a", "lock a", "unlock a")
		if err := save(r)(t.Context()); err != nil {
			t.Error(err)
		}
		for name, read := range reads(r) { // without a hold they pass
			if err := read(t.Context()); err != nil && !errors.Is(err, repo.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// Do holds all locks for everything that is done in it.
func TestDo(t *testing.T) {
	t.Parallel()
	old, b := newOldLocks(), setup(t, nil)
	r := b.withOld(t, lockedrepo.Options{}, old.also("a"))
	if err := save(r)(t.Context()); err != nil {
		t.Fatal(err)
	}
	old.told()
	var over context.Context
	boom := errors.New("boom")
	err := r.Do(t.Context(), func(ctx context.Context) error {
		over = context.WithoutCancel(ctx)
		if !b.isHeld(ctx, t) || !old.isHeld("a") {
			t.Error("not all is held")
		}
		o, err := r.FindByID(ctx, "2")
		if err != nil {
			return err
		}
		o.Total++
		return errors.Join(r.Save(ctx, o), r.InTx(ctx, nothing), r.Do(ctx, save(r)), boom)
	})
	if !errors.Is(err, boom) || err.Error() != boom.Error() {
		t.Error(err)
	}
	old.want(t, "lock a", "unlock a")
	if err := save(r)(over); !errors.Is(err, etcdlock.ErrLost) {
		t.Errorf("with the context of a hold that is over: %v", err)
	}
	old.want(t)
	b.isFree(t, old, "a")
}

// The old lock is lost, and the caller goes on with a context that does not end.
func TestDo_LostMeanwhile(t *testing.T) {
	t.Parallel()
	old, b := newOldLocks(), setup(t, nil)
	r := b.withOld(t, lockedrepo.Options{}, old.also("a"))
	err := r.Do(t.Context(), func(ctx context.Context) error {
		old.lose("a")
		return save(r)(context.WithoutCancel(ctx))
	})
	if !errors.Is(err, etcdlock.ErrLost) {
		t.Errorf("got %v", err)
	}
	b.stored(t, "2", false)
	b.isFree(t, old, "a")
}

func TestDo_LocksAllKeys(t *testing.T) {
	t.Parallel()
	b := setupTx(t, 20*time.Second)
	defer b.wantFree(t)
	r := b.add(t, b.store, lockedrepo.Options{Key: "k", FormerKey: "f", Stripes: lockedrepo.ByID(2)})
	b.repos["k"] = r
	err := r.Do(t.Context(), func(ctx context.Context) error {
		if taken := b.taken(ctx, t, r.Keys()...); !slices.Equal(taken, r.Keys()) {
			t.Errorf("locked are %q", taken)
		}
		_, err := r.Find(ctx)
		return errors.Join(err, r.Save(ctx, &order{ID: "1"}))
	})
	if err != nil {
		t.Error(err)
	}
	err = b.locker.Do(t.Context(), "f", func(ctx context.Context) error { return r.Do(ctx, nothing) })
	if !errors.Is(err, repo.ErrInvalid) {
		t.Errorf("under one of the keys: %v", err)
	}
}

// The locks of Do in a transaction are kept until its end.
func TestDo_InATransaction(t *testing.T) {
	t.Parallel()
	old := newOldLocks()
	b := setupTx(t, 20*time.Second, "a")
	b.repos["b"] = b.add(t, b.store, lockedrepo.Options{Key: "b", Also: []lockedrepo.Also{old.also("old")}})
	defer b.wantFree(t)
	err := b.repos["a"].InTx(t.Context(), func(ctx context.Context) error {
		err := b.repos["b"].Do(ctx, func(ctx context.Context) error {
			if !old.isHeld("old") {
				t.Error("Do calls its function without the old lock")
			}
			return save(b.repos["b"])(ctx)
		})
		if err != nil {
			return err
		}
		if taken := b.taken(ctx, t, "a", "b"); len(taken) != 2 || !old.isHeld("old") {
			t.Errorf("locked are %q", taken)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	old.want(t, "lock old", "unlock old")
	foreign := b.add(t, &database{}, lockedrepo.Options{Key: "c"})
	err = b.repos["a"].InTx(t.Context(), func(ctx context.Context) error { return foreign.Do(ctx, nothing) })
	if !errors.Is(err, repo.ErrInTx) {
		t.Errorf("under a transaction of another database: %v", err)
	}
}

// A transaction takes every old lock once, however many types share it.
func TestAlso_SeveralTypes(t *testing.T) {
	t.Parallel()
	old := newOldLocks()
	b := setupTx(t, 20*time.Second)
	for key, names := range map[string][]string{"a": {"x", "all"}, "b": {"all", "w"}, "c": {"y", "all"}, "d": {"z"}} {
		o := lockedrepo.Options{Key: key, LockTimeout: 20 * time.Second}
		for _, name := range names {
			o.Also = append(o.Also, old.also(name))
		}
		b.repos[key] = b.add(t, b.store, o)
	}
	// The same key without the old lock.
	plain := b.add(t, b.store, lockedrepo.Options{Key: "d", LockTimeout: 20 * time.Second})
	defer b.wantFree(t)
	err := lockedrepo.InTx(t.Context(), func(ctx context.Context) error {
		old.want(t, "lock all", "lock w", "lock x")
		for _, key := range []string{"a", "c", "b", "c", "a"} {
			if _, err := b.repos[key].FindByID(ctx, "1"); err != nil {
				return err
			}
		}
		old.want(t, "lock y") // at its first use
		for _, r := range []*lockedrepo.Repository[order]{plain, b.repos["d"], plain, b.repos["d"], b.repos["a"]} {
			if err := r.InTx(ctx, save(r)); err != nil {
				return err
			}
		}
		old.want(t, "lock z")
		waits := b.waits
		for range 3 { // nothing is left to take
			for _, r := range b.repos {
				if err := save(r)(ctx); err != nil {
					return err
				}
			}
		}
		if b.waits != waits {
			t.Errorf("%d calls of Lock for what is held", b.waits-waits)
		}
		return nil
	}, b.repos["a"], b.repos["b"])
	if err != nil {
		t.Error(err)
	}
	old.want(t, "unlock z", "unlock y", "unlock x", "unlock w", "unlock all")
}

// Repositories with Lockers of their own share a transaction and an old lock.
func TestAlso_TwoLockers(t *testing.T) {
	t.Parallel()
	old := newOldLocks()
	b := setupTx(t, time.Second)
	a := b.add(t, b.store, lockedrepo.Options{Key: "a", LockTimeout: time.Second})
	shared := b.add(t, b.store, lockedrepo.Options{Key: "s", LockTimeout: time.Second, Also: []lockedrepo.Also{old.also("all")}})
	b.locker = newLocker(t, b.cluster, nil)
	second := b.add(t, b.store, lockedrepo.Options{Key: "b", LockTimeout: time.Second, Also: []lockedrepo.Also{old.also("all")}})
	err := a.InTx(t.Context(), func(ctx context.Context) error {
		return errors.Join(save(second)(ctx), save(shared)(ctx), save(second)(ctx), save(a)(ctx))
	})
	if err != nil {
		t.Error(err)
	}
	old.want(t, "lock all", "unlock all")
}

// A loss is noticed at the end of a transaction whose function did not look.
func TestAlso_LostInATransaction(t *testing.T) {
	t.Parallel()
	old := newOldLocks()
	b := setupTx(t, 20*time.Second, "a")
	b.repos["b"] = b.add(t, b.store, lockedrepo.Options{Key: "b", Also: []lockedrepo.Also{old.also("old")}})
	defer b.wantFree(t)
	err := b.repos["a"].InTx(t.Context(), func(ctx context.Context) error {
		err := save(b.repos["b"])(ctx) // takes the lock
		old.lose("old")
		return err
	})
	if !errors.Is(err, etcdlock.ErrLost) || !errors.Is(err, errExpired) || b.store.committed != 0 {
		t.Errorf("got %v, %d commits", err, b.store.committed)
	}
	if old.isHeld("old") {
		t.Error("the old lock was not given back")
	}
}

// Stripes are written at the same time only where the old lock is not needed.
func TestAlso_Stripes(t *testing.T) {
	t.Parallel()
	old := newOldLocks()
	b := setupTx(t, 20*time.Second)
	r := b.add(t, b.store, lockedrepo.Options{Key: "k", LockTimeout: 20 * time.Second, Stripes: lockedrepo.ByID(stripeCount), Also: []lockedrepo.Also{{Locker: old}}})
	b.repos["k"] = r
	defer b.wantFree(t)
	ids := apart(t, r, 2)
	err := lockedrepo.InTx(t.Context(), func(ctx context.Context) error {
		return errors.Join(r.Save(ctx, &order{ID: ids[0]}), r.Save(ctx, &order{ID: ids[1]}))
	}, r.For(ids[0]))
	if err != nil {
		t.Error(err)
	}
	old.want(t, "lock k", "unlock k")
	_, err = r.Update(t.Context(), ids[0], func(*order) error {
		if taken := b.taken(t.Context(), t, r.Keys()...); len(taken) != 1 || !old.isHeld("k") {
			t.Errorf("locked are %q", taken)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
