package lockedrepo_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
)

// What a transaction has not got it takes at the first use, and a read of more than the
// ids in hand is refused.
func TestStripes_InTx(t *testing.T) {
	t.Parallel()
	b, r := setupStripes(t, byID())
	defer b.wantFree(t)
	ids := apart(t, r, 3)
	wide := map[string]func(ctx context.Context) error{
		"Find":  func(ctx context.Context) error { _, err := r.Find(ctx); return err },
		"Count": func(ctx context.Context) error { _, err := r.Count(ctx); return err },
		"AllStripes": func(ctx context.Context) error {
			_, err := r.ExistsByID(ctx, "café")
			return err
		},
	}
	err := lockedrepo.InTx(t.Context(), func(ctx context.Context) error {
		if taken := b.taken(ctx, t, r.Keys()...); !slices.Equal(taken, keysOf(t, r, ids[0], ids[1])) {
			t.Errorf("locked are %q", taken)
		}
		for name, read := range wide {
			if err := read(ctx); !errors.Is(err, lockedrepo.ErrStripes) {
				t.Errorf("%s: %v", name, err)
			}
			if err := read(lockedrepo.ReadUnlocked(ctx)); err != nil {
				t.Errorf("%s unlocked: %v", name, err)
			}
		}
		_, err := r.FindAllByID(ctx, []any{ids[0], ids[2]})
		if taken := b.taken(ctx, t, r.Keys()...); !slices.Equal(taken, keysOf(t, r, ids[0], ids[1], ids[2])) {
			t.Errorf("locked are %q in the end", taken)
		}
		return errors.Join(err, r.Save(ctx, &order{ID: ids[2]}))
	}, r.For(ids[0], ids[1]))
	if err != nil {
		t.Error(err)
	}
	err = r.InTx(t.Context(), func(ctx context.Context) error {
		for name, read := range wide {
			if err := read(ctx); err != nil {
				t.Errorf("%s with all stripes: %v", name, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A hold of stripes makes calls for their ids one unit. A read of others would look as if
// it were part of it.
func TestStripes_UnderAHold(t *testing.T) {
	t.Parallel()
	b, r := setupStripes(t, byID())
	defer b.wantFree(t)
	ids := apart(t, r, 2)
	hold, err := b.locker.Lock(t.Context(), keysOf(t, r, ids[0])...)
	if err != nil {
		t.Fatal(err)
	}
	ctx := hold.Context()
	b.shown()
	if _, err := r.ExistsByID(ctx, ids[0]); err != nil || b.shown()[0] != "k.ExistsByID shows ["+keysOf(t, r, ids[0])[0]+"] for [k%8]" {
		t.Errorf("its own id: %v", err)
	}
	for name, read := range reads(r) {
		if err := read(ctx); !errors.Is(err, lockedrepo.ErrStripes) && name != "FindByID" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.ExistsByID(ctx, ids[1]); !errors.Is(err, lockedrepo.ErrStripes) {
		t.Errorf("another id: %v", err)
	}
	// A write needs no more than its own stripe.
	if err := errors.Join(r.Save(ctx, &order{ID: ids[0]}), r.Save(ctx, &order{ID: ids[1]}), hold.Unlock(t.Context())); err != nil {
		t.Error(err)
	}
	// The name of the set is no lock.
	for name, call := range map[string]func(ctx context.Context) error{
		"Save": func(ctx context.Context) error { return r.Save(ctx, &order{ID: "1"}) },
		"Find": func(ctx context.Context) error { _, err := r.Find(ctx); return err },
		"InTx": func(ctx context.Context) error { return r.InTx(ctx, nothing) },
	} {
		if err := b.locker.Do(t.Context(), r.Key(), call); !errors.Is(err, lockedrepo.ErrStripes) {
			t.Errorf("%s under %q: %v", name, r.Key(), err)
		}
	}
}

// Two processes change different entities at the same time: each function waits for the
// other one.
func TestStripes_RunAtTheSameTime(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	b := setup(t, nil)
	var g sync.WaitGroup
	in := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var ids []string
	for i := range 2 {
		r, err := lockedrepo.New[order](b.inner, newLocker(t, c, nil), &lockedrepo.Options{Key: "k", Stripes: lockedrepo.ByID(stripeCount)})
		if err != nil {
			t.Fatal(err)
		}
		if ids == nil {
			ids = apart(t, r, 2)
		}
		if err := r.Save(ctx, &order{ID: ids[i]}); err != nil {
			t.Fatal(err)
		}
		g.Go(func() {
			_, err := r.Update(ctx, ids[i], func(o *order) error {
				close(in[i])
				select {
				case <-in[1-i]:
				case <-ctx.Done():
				}
				o.Total++
				return ctx.Err()
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
}

// Saves of several ids, transactions and updates over two types by two processes: none
// waits without end, and none is lost.
func TestStripes_Crowd(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	base := setup(t, nil)
	second := base.inner
	second.Repository = (*txBundle)(nil).inner(t)
	stores := []watched{base.inner, second}
	ids := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	for _, s := range stores {
		for _, id := range ids {
			if err := s.Repository.Save(t.Context(), &order{ID: id}); err != nil {
				t.Fatal(err)
			}
		}
	}
	db := &database{savepoints: true}
	var g sync.WaitGroup
	for range 2 {
		locker := newLocker(t, c, &etcdlock.Options{DeadlockTimeout: 30 * time.Millisecond})
		var types []*lockedrepo.Repository[order]
		for i, s := range stores {
			inner := txStore[order]{s.Repository, db, func(context.Context, string) {}}
			r, err := lockedrepo.New[order](inner, locker, &lockedrepo.Options{Key: []string{"a", "b"}[i], LockTimeout: time.Minute, Stripes: lockedrepo.ByID(4)})
			if err != nil {
				t.Fatal(err)
			}
			types = append(types, r)
		}
		for range 8 {
			g.Go(func() {
				for range 20 {
					if err := busy(t.Context(), types, ids); err != nil && !errors.Is(err, etcdlock.ErrOrder) {
						t.Error(err)
					}
				}
			})
		}
	}
	g.Wait()
}

// busy does one thing at random.
func busy(ctx context.Context, types []*lockedrepo.Repository[order], ids []string) error {
	some := func() []*order {
		var es []*order
		for _, i := range rand.Perm(len(ids))[:1+rand.IntN(4)] {
			es = append(es, &order{ID: ids[i]})
		}
		return es
	}
	one, other := types[rand.IntN(2)], types[rand.IntN(2)]
	switch rand.IntN(4) {
	case 0:
		return one.SaveAll(ctx, some())
	case 1:
		_, err := one.Update(ctx, ids[rand.IntN(len(ids))], noChange)
		return err
	case 2:
		return lockedrepo.InTx(ctx, func(ctx context.Context) error { return other.SaveAll(ctx, some()) }, one, other.For(ids[0]))
	default:
		return lockedrepo.InTx(ctx, func(ctx context.Context) error {
			return errors.Join(one.SaveAll(ctx, some()), other.Save(ctx, some()[0]))
		}, one.For(some()[0]))
	}
}
