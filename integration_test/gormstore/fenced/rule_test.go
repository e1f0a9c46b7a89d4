package fenced_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// Each row is a claim and whether it is accepted after those before it, by
// every way to show one.
func TestGormFence_Rule(t *testing.T) {
	t.Parallel()
	const x, y = "0123456789abcdef0123456789abcdef", "y'"
	steps := []struct {
		what       string
		token, sub int64
		owner      string
		accepted   bool
	}{
		{"first", 5, 1, x, true},
		{"the same again", 5, 1, x, false},
		{"a later attempt", 5, 2, x, true},
		{"an earlier attempt", 5, 1, x, false},
		{"a later turn", 5, 3 << 32, x, true},
		{"an earlier turn", 5, 2<<32 + 9, x, false},
		{"another owner with the token", 5, 9 << 32, y, false},
		{"a higher token", 6, 0, y, true},
		{"a stale token", 5, 99 << 32, x, false},
	}
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		check.Must(t, r.Save(ctx, &sqldb.GormCounter{ID: 1}))
		for name, call := range fencedCalls(r) {
			for _, s := range steps {
				claim := repo.Claim{Key: "rule '" + name, Token: s.token, Owner: s.owner, Sub: s.sub}
				err := call(driver.WithFence(ctx, fences.Fixed{claim}))
				if s.accepted != (err == nil) || err != nil && !errors.Is(err, repo.ErrFenced) {
					t.Fatalf("%s: %s: %v", name, s.what, err)
				}
				var refused *repo.FencedError
				if err != nil && (!errors.As(err, &refused) || refused.Presented != claim || refused.Stored.Key != claim.Key || refused.Stored.Token == 0) {
					t.Fatalf("%s: %s: %+v", name, s.what, refused)
				}
			}
		}
	})
}

// fencedCalls are all calls to a repository that has an entity with the id 1.
func fencedCalls(r *gormrepo.Repository[sqldb.GormCounter]) map[string]func(ctx context.Context) error {
	n := 1
	return map[string]func(ctx context.Context) error{
		"FindByID":    func(ctx context.Context) error { _, err := r.FindByID(ctx, 1); return err },
		"FindAllByID": func(ctx context.Context) error { _, err := r.FindAllByID(ctx, []any{1, 2}); return err },
		"ExistsByID":  func(ctx context.Context) error { _, err := r.ExistsByID(ctx, 1); return err },
		"Find": func(ctx context.Context) error {
			_, err := r.Find(ctx, repo.F[sqldb.GormCounter, int]("N").Eq(1))
			return err
		},
		"Count": func(ctx context.Context) error { _, err := r.Count(ctx); return err },
		"Save":  func(ctx context.Context) error { n++; return r.Save(ctx, &sqldb.GormCounter{ID: 1, N: n}) },
		"SaveAll": func(ctx context.Context) error {
			n++
			return r.SaveAll(ctx, []*sqldb.GormCounter{{ID: 1, N: n}, {ID: 3}})
		},
		"Delete":        func(ctx context.Context) error { return r.Delete(ctx, &sqldb.GormCounter{ID: 2}) },
		"DeleteByID":    func(ctx context.Context) error { return r.DeleteByID(ctx, 2) },
		"DeleteAllByID": func(ctx context.Context) error { _, err := r.DeleteAllByID(ctx, []any{2, 4}); return err },
		"InTx":          func(ctx context.Context) error { return r.InTx(ctx, func(context.Context) error { return nil }) },
		"Joined": func(ctx context.Context) error {
			return r.InTx(driver.WithFence(ctx, nil), func(tx context.Context) error {
				f, _ := driver.FenceFrom(ctx)
				_, err := r.FindByID(driver.WithFence(tx, f), 1)
				return err
			})
		},
		"JoinedSave": func(ctx context.Context) error {
			return r.InTx(driver.WithFence(ctx, nil), func(tx context.Context) error {
				f, _ := driver.FenceFrom(ctx)
				n++
				return r.Save(driver.WithFence(tx, f), &sqldb.GormCounter{ID: 1, N: n})
			})
		},
		"Update": func(ctx context.Context) error {
			_, err := r.Update(ctx, 1, func(c *sqldb.GormCounter) error { c.N++; return nil })
			return err
		},
		"SmartSave": func(ctx context.Context) error {
			n++
			_, err := r.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{fmt.Sprintf(`{"id":1,"n":%d}`, n)}}, repo.Merge())
			return err
		},
	}
}

// A call that is refused has written nothing, in a transaction that was going on
// neither.
func TestGormFence_RefusedWritesNothing(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		check.Must(t, r.Save(fences.Turn(7, "b", 1, "k").With(ctx), &sqldb.GormCounter{ID: 1, N: 7}))
		stale := fences.Turn(6, "a", 1, "k")
		e := &sqldb.GormCounter{ID: 1, N: 6}
		fences.WantRefused(t, r.Save(stale.With(ctx), e), 7, 6)
		fences.WantRefused(t, r.SaveAll(stale.With(ctx), []*sqldb.GormCounter{{ID: 1}, {ID: 2}}), 7, 6)
		fences.WantRefused(t, r.DeleteByID(stale.With(ctx), 1), 7, 6)
		_, err := r.Update(stale.With(ctx), 1, func(*sqldb.GormCounter) error { t.Error("called"); return nil })
		fences.WantRefused(t, err, 7, 6)
		fences.WantRefused(t, r.InTx(stale.With(ctx), func(context.Context) error { t.Error("called"); return nil }), 7, 6)
		// The lock of the second key turns out to be lost after a write.
		err = r.InTx(fences.Turn(8, "a", 1, "j").With(ctx), func(tx context.Context) error {
			check.Must(t, r.Save(tx, &sqldb.GormCounter{ID: 3}))
			fences.WantRefused(t, r.Save(stale.With(tx), &sqldb.GormCounter{ID: 4}), 7, 6)
			if err := r.Save(tx, &sqldb.GormCounter{ID: 5}); err == nil {
				t.Error("the transaction goes on")
			}
			return nil
		})
		fences.WantRefused(t, err, 7, 6)
		if got := sqldb.Rows[sqldb.GormCounter](t, db); len(got) != 1 || got[0].N != 7 {
			t.Fatalf("got %+v", got)
		}
	})
}

// Of many who show a claim for a key that is not there yet, the highest stays.
func TestGormFence_FirstClaims(t *testing.T) {
	t.Parallel()
	const callers, rounds = 6, 5
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		for round := range rounds {
			key := fmt.Sprint("first-", round)
			var wg sync.WaitGroup
			for n := range int64(callers) {
				wg.Go(func() {
					f := fences.Turn(n+1, fmt.Sprint(n), 1, key)
					if err := r.Save(f.With(ctx), &sqldb.GormCounter{ID: 1, N: int(n) + 1}); err != nil && !errors.Is(err, repo.ErrFenced) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if got, err := r.FindByID(ctx, 1); err != nil || got.N != callers {
				t.Fatalf("the last that was accepted is %+v, %v", got, err)
			}
			fences.WantRefused(t, r.Save(fences.Turn(callers, "z", 1, key).With(ctx), &sqldb.GormCounter{ID: 1}), callers, callers)
		}
	})
}

func TestGormFence_Epoch(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		old := fences.Turn(1_000_000, "a", 1, "k")
		check.Must(t, r.Save(old.With(ctx), &sqldb.GormCounter{ID: 1, N: 1}))
		restored := fences.Turn(3, "b", 1, "k")
		fences.WantRefused(t, r.Save(restored.With(ctx), &sqldb.GormCounter{ID: 1, N: 2}), 1_000_000, 3)
		check.Must(t, gormrepo.AdvanceEpoch(ctx, db))
		check.Must(t, r.Save(restored.With(ctx), &sqldb.GormCounter{ID: 1, N: 3}))
		check.Must(t, gormrepo.AdvanceEpoch(ctx, db))
		check.Must(t, r.Save(restored.With(ctx), &sqldb.GormCounter{ID: 1, N: 4}))
		err := r.Save(fences.Turn(2, "a", 1, "k").With(ctx), &sqldb.GormCounter{ID: 1, N: 5})
		fences.WantRefused(t, err, 3, 2)
		var refused *repo.FencedError
		if errors.As(err, &refused); refused.Stored.Epoch() != 2 || refused.Presented.Epoch() != 2 {
			t.Fatalf("got %+v", refused)
		}
	})
}

func TestGormFence_BadKeys(t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		r := sqldb.Repository[sqldb.GormCounter](t, db, nil)
		for _, key := range []string{"", "ends with a space ", "a\x00b", strings.Repeat("ä", 192)} {
			if err := r.Save(fences.Turn(1, "a", 1, key).With(ctx), &sqldb.GormCounter{ID: 1}); !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("%q: %v", key, err)
			}
		}
		for n, key := range []string{"A", "a", "a b", "ä", strings.Repeat("ä", 191), `q'"\%`} {
			check.Must(t, r.Save(fences.Turn(int64(100-n), "a", 1, key).With(ctx), &sqldb.GormCounter{ID: 1}))
		}
	})
}
