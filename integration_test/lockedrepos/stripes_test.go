package lockedrepos_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
)

// striped locks the tallies of a process by stripes.
func striped(t testing.TB, s *fencedSite, p *fencedProcess, o lockedrepo.Options) *lockedrepo.Repository[fencedTally] {
	t.Helper()
	r, err := lockedrepo.New(storeOf[fencedTally](t, s.store), p.locker, &o)
	check.Must(t, err)
	return r
}

func ofStripes(n int) lockedrepo.Options {
	return lockedrepo.Options{Key: "tally", Stripes: lockedrepo.ByID(n)}
}

// tallyIDs are ids of different stripes.
func tallyIDs(t testing.TB, r *lockedrepo.Repository[fencedTally], n int) []string {
	t.Helper()
	var ids, keys []string
	for i := 0; len(ids) < n; i++ {
		id := fmt.Sprint("t", i)
		key, err := r.KeysOf(id)
		check.Must(t, err)
		if !slices.Contains(keys, key[0]) {
			ids, keys = append(ids, id), append(keys, key[0])
		}
	}
	return ids
}

func count(e *fencedTally) error { e.N++; return nil }

// What several processes count on stripes is all there: in single updates, in lists, in
// transactions and under holds by hand.
func TestStripes_Ledger(t *testing.T) {
	onFencedStores(t, func(ctx context.Context, t *testing.T, s *fencedSite) {
		const processes, workers = 2, 4
		updates := scale.Full(40)
		ids := []string{"a", "b", "c", "d", "e"}
		for _, id := range ids {
			s.tally(t, id, 0)
		}
		var g errgroup.Group
		var counted atomic.Int64
		for range processes {
			p := s.process(t, "tally")
			r := striped(t, s, p, ofStripes(4))
			for w := range workers {
				g.Go(func() error {
					for i := range updates {
						way := stripedWays[(w+i)%len(stripedWays)]
						if s.store.db == nil && way.tx {
							way = stripedWays[0]
						}
						n, err := way.add(ctx, p.locker, r, ids[(w+i)%len(ids)], ids[(w+i+1)%len(ids)])
						if err != nil {
							return err
						}
						counted.Add(n)
					}
					return nil
				})
			}
		}
		check.Must(t, g.Wait())
		var sum int64
		for _, id := range ids {
			e, err := storeOf[fencedTally](t, s.store).FindByID(ctx, id)
			check.Must(t, err)
			sum += e.N
		}
		if sum != counted.Load() {
			t.Errorf("%d counted, %d acknowledged", sum, counted.Load())
		}
	})
}

// stripedWays count one or both tallies.
var stripedWays = []struct {
	tx  bool
	add func(ctx context.Context, l *etcdlock.Locker, r *lockedrepo.Repository[fencedTally], a, b string) (int64, error)
}{
	{false, func(ctx context.Context, _ *etcdlock.Locker, r *lockedrepo.Repository[fencedTally], a, _ string) (int64, error) {
		_, err := r.Update(ctx, a, count)
		return 1, err
	}},
	{true, func(ctx context.Context, _ *etcdlock.Locker, r *lockedrepo.Repository[fencedTally], a, b string) (int64, error) {
		return 2, lockedrepo.InTx(ctx, func(ctx context.Context) error { return countBoth(ctx, r, a, b) }, r.For(a, b))
	}},
	{false, func(ctx context.Context, l *etcdlock.Locker, r *lockedrepo.Repository[fencedTally], a, b string) (int64, error) {
		keys, err := r.KeysOf(a, b)
		if err != nil {
			return 0, err
		}
		hold, err := l.Lock(ctx, keys...)
		if err != nil {
			return 0, err
		}
		return 2, errors.Join(countBoth(hold.Context(), r, a, b), hold.Unlock(ctx))
	}},
	{true, func(ctx context.Context, _ *etcdlock.Locker, r *lockedrepo.Repository[fencedTally], a, b string) (int64, error) {
		return 2, r.InTx(ctx, func(ctx context.Context) error {
			if _, err := r.Find(ctx); err != nil {
				return err
			}
			return countBoth(ctx, r, a, b)
		})
	}},
}

// countBoth reads before it saves.
func countBoth(ctx context.Context, r *lockedrepo.Repository[fencedTally], ids ...string) error {
	es, err := r.FindAllByID(ctx, repo.IDs(ids...))
	if err != nil {
		return err
	}
	for _, e := range es {
		e.N++
	}
	return r.SaveAll(ctx, es)
}

// A process that was late for one stripe is refused, and the holder of another stripe
// goes on.
func TestStripes_FenceOfOne(t *testing.T) {
	onFencedStores(t, func(ctx context.Context, t *testing.T, s *fencedSite) {
		late, other, newer := s.process(t, "tally"), s.process(t, "tally"), s.process(t, "tally")
		r := striped(t, s, late, ofStripes(8))
		ids := tallyIDs(t, r, 2)
		s.tally(t, ids[0], 1)
		s.tally(t, ids[1], 1)
		keys, err := r.KeysOf(ids[0])
		check.Must(t, err)
		hold, err := late.locker.Lock(ctx, keys...)
		check.Must(t, err)
		aside := striped(t, s, other, ofStripes(8))
		asideKeys, err := aside.KeysOf(ids[1])
		check.Must(t, err)
		asideHold, err := other.locker.Lock(ctx, asideKeys...)
		check.Must(t, err)
		e, err := r.FindByID(hold.Context(), ids[0])
		check.Must(t, err)
		f, err := aside.FindByID(asideHold.Context(), ids[1])
		check.Must(t, err)

		late.ears.shut() // it goes on as if it had its lease
		s.endLease(ctx, t, keys[0])
		_, err = striped(t, s, newer, ofStripes(8)).Update(ctx, ids[0], count)
		check.Must(t, err)
		e.N, f.N = 50, 2
		if err := r.Save(hold.Context(), e); !errors.Is(err, repo.ErrFenced) {
			t.Errorf("the late process: %v", err)
		}
		check.Must(t, aside.Save(asideHold.Context(), f))
		check.Must(t, asideHold.Unlock(ctx))
		late.ears.open()
		_ = hold.Unlock(ctx) // which tells that it was lost
		s.want(t, ids[0], 2)
		s.want(t, ids[1], 2)
	})
}

// Two processes change different entities at the same time: each function waits until
// the other one has begun. One writer at a time is all that SQLite has.
func TestStripes_AtTheSameTime(t *testing.T) {
	onFencedStores(t, func(ctx context.Context, t *testing.T, s *fencedSite) {
		if s.store.name == "SQLite" {
			return
		}
		var ids []string
		var g errgroup.Group
		begun := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
		for i := range 2 {
			r := striped(t, s, s.process(t, "tally"), ofStripes(8))
			if ids == nil {
				ids = tallyIDs(t, r, 2)
				s.tally(t, ids[0], 1)
				s.tally(t, ids[1], 1)
			}
			g.Go(func() error {
				_, err := r.Update(ctx, ids[i], func(e *fencedTally) error {
					close(begun[i])
					select {
					case <-begun[1-i]:
					case <-ctx.Done():
					}
					e.N++
					return ctx.Err()
				})
				return err
			})
		}
		check.Must(t, g.Wait())
		s.want(t, ids[0], 2)
		s.want(t, ids[1], 2)
	})
}

// A database that takes two spellings for one id has one stripe for them.
func TestStripes_SpellingsOfOneRow(t *testing.T) {
	sqldb.OnEach(t, func(t *testing.T, b sqldb.Backend) {
		db := fences.Open(t, b)
		check.Must(t, db.AutoMigrate(&fencedTally{}))
		r, err := lockedrepo.New[fencedTally](sqldb.Repository[fencedTally](t, db, nil), locks.NewFleet(t, embedded.EtcdEndpoints(t)).Locker(nil), new(ofStripes(16)))
		check.Must(t, err)
		check.Must(t, r.Save(t.Context(), &fencedTally{ID: "Straat-07", N: 1}))
		for _, id := range []string{"Straat-07", "STRAAT-07", "straat-07  ", "Sträat-07", "stráat-07"} {
			there, err := r.ExistsByID(t.Context(), id)
			check.Must(t, err)
			its, err := r.KeysOf(id)
			check.Must(t, err)
			of, err := r.KeysOf("Straat-07")
			check.Must(t, err)
			if there && !slices.Contains(its, of[0]) {
				t.Errorf("%q finds the row and is of %q, the row is of %q", id, its, of)
			}
		}
	})
}

// A type gets stripes, and gives them up again, while its pods run.
func TestStripes_Rollout(t *testing.T) {
	onFencedStores(t, func(ctx context.Context, t *testing.T, s *fencedSite) {
		s.tally(t, "a", 0)
		one := striped(t, s, s.process(t, "tally"), lockedrepo.Options{Key: "tally"})
		both := striped(t, s, s.process(t, "tally"), lockedrepo.Options{Key: "tally", FormerKey: "tally", Stripes: lockedrepo.ByID(4)})
		four := striped(t, s, s.process(t, "tally"), ofStripes(4))
		eight := striped(t, s, s.process(t, "tally"), ofStripes(8))
		guard, ok := storeOf[fencedTally](t, s.store).(interface {
			MoveGuard(ctx context.Context, from, to string) error
		})
		if !ok {
			t.Fatal("the store has no MoveGuard")
		}
		n := int64(0)
		add := func(r *lockedrepo.Repository[fencedTally]) error {
			_, err := r.Update(ctx, "a", count)
			if err == nil {
				n++
			}
			return err
		}
		ids := tallyIDs(t, four, 4) // one of each stripe
		refused := func(name string, rs ...*lockedrepo.Repository[fencedTally]) {
			for i, r := range rs {
				if err := add(r); !errors.Is(err, repo.ErrWrongKey) {
					t.Errorf("%s: pod %d: %v", name, i, err)
				}
			}
		}
		for range 2 {
			check.Must(t, errors.Join(add(one), add(both)))
			refused("one key", four, eight)
			check.Must(t, guard.MoveGuard(ctx, one.Key(), four.Key()))
			check.Must(t, errors.Join(add(both), add(four)))
			refused("stripes", one, eight)
			check.Must(t, guard.MoveGuard(ctx, four.Key(), one.Key()))
			// The stripe was not used before, so nothing in the database tells of the move.
			// On MongoDB it is documents that tell, and this one is new, too.
			if err := four.Save(ctx, &fencedTally{ID: ids[0]}); s.store.db != nil && !errors.Is(err, repo.ErrWrongKey) {
				t.Errorf("a stripe that is new: %v", err)
			}
			ids = ids[1:]
		}
		check.Must(t, errors.Join(add(one), add(both)))
		refused("one key again", four, eight)
		s.want(t, "a", n)
	})
}
