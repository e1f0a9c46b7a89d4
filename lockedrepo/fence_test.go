package lockedrepo_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/memrepo"
)

// hidden is a repository of which nothing but the contract is seen.
type hidden struct{ repo.Repository[order] }

// recorder notes the claims that a store is shown.
type recorder struct {
	watched
	mu    sync.Mutex
	shown [][]repo.Claim
}

func newRecorder(mem *memrepo.Repository[order]) *recorder {
	r := &recorder{}
	r.watched = watched{mem, func(ctx context.Context, _ string) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		var claims []repo.Claim
		if f, ok := driver.FenceFrom(ctx); ok {
			claims = f.Claims()
		}
		r.shown = append(r.shown, claims)
		return nil
	}}
	return r
}

func TestNew_WantsAFence(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	rec := newRecorder(b.inner.Repository)
	if _, err := lockedrepo.New[order](hidden{rec}, b.locker, nil); !errors.Is(err, repo.ErrUnsupported) {
		t.Errorf("a repository that hides its fence: got %v", err)
	}
	r, err := lockedrepo.New[order](hidden{rec}, b.locker, &lockedrepo.Options{Key: key, Unfenced: true})
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(r.Save(t.Context(), &order{ID: "1"}), b.locker.Do(t.Context(), key, func(ctx context.Context) error {
		_, err := r.FindByID(ctx, "1")
		return err
	}))
	if err != nil || len(rec.shown) != 2 || rec.shown[0] != nil || rec.shown[1] != nil {
		t.Errorf("unfenced: %v was shown, %v", rec.shown, err)
	}
}

func TestNew_KeysOfAFence(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for key, ok := range map[string]bool{
		strings.Repeat("ä", 191): true, strings.Repeat("ä", 192): false,
		" a b": true, "a ": false, "a\x00b": false,
	} {
		if _, err := lockedrepo.New[order](b.inner, b.locker, &lockedrepo.Options{Key: key}); (err == nil) != ok || !ok && !errors.Is(err, repo.ErrInvalid) {
			t.Errorf("%q: got %v", key, err)
		}
		if _, err := lockedrepo.New[order](b.inner, b.locker, &lockedrepo.Options{Key: key, Unfenced: true}); err != nil {
			t.Errorf("%q without a fence: got %v", key, err)
		}
	}
}

// Every call draws the next claims of its hold, reads under it included.
func TestClaims(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	rec := newRecorder(b.inner.Repository)
	r, err := lockedrepo.New[order](rec, b.locker, &lockedrepo.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	var token int64
	calls := []error{
		r.Save(t.Context(), &order{ID: "1"}),
		b.locker.Do(t.Context(), key, func(ctx context.Context) error {
			holders, err := b.other.Holders(ctx, key)
			if err != nil {
				return err
			}
			token = holders[0].Revision
			_, err = r.FindByID(ctx, "1")
			return errors.Join(err, r.Save(ctx, &order{ID: "1"}))
		}),
		r.Save(t.Context(), &order{ID: "1"}),
	}
	if _, err := r.FindByID(t.Context(), "1"); errors.Join(calls...) != nil || err != nil {
		t.Fatal(calls, err)
	}
	if len(rec.shown) != 5 || len(slices.Concat(rec.shown[:4]...)) != 4 || rec.shown[4] != nil {
		t.Fatalf("shown was %v; a read without a hold shows nothing", rec.shown)
	}
	all := slices.Concat(rec.shown...)
	for i, c := range all {
		if c.Key != key || len(c.Owner) == 0 || len(c.Owner) > 32 || c.Sub < 1<<32 {
			t.Errorf("claim %d is %+v", i, c)
		}
		if i > 0 && !c.Succeeds(all[i-1]) {
			t.Errorf("%v does not succeed %v", c, all[i-1])
		}
	}
	if all[1].Token != token || all[2].Token != token {
		t.Errorf("the claims %v and %v are not those of the hold with the token %d", all[1], all[2], token)
	}
}

// lateStore does something before each save, which comes whatever became of its
// context.
type lateStore struct {
	*memrepo.Repository[order]
	before func(ctx context.Context)
}

func (s lateStore) Save(ctx context.Context, e *order) error {
	ctx = context.WithoutCancel(ctx)
	s.before(ctx)
	return s.Repository.Save(ctx, e)
}

// A save is on its way when its lease ends and the next holder reads, or writes
// too.
func TestLateHolderIsFencedOff(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(ctx context.Context, r *lockedrepo.Repository[order]) error{
		"Reads": func(ctx context.Context, r *lockedrepo.Repository[order]) error {
			_, err := r.FindByID(ctx, "1")
			return err
		},
		"Writes": func(ctx context.Context, r *lockedrepo.Repository[order]) error {
			_, err := r.Update(ctx, "1", func(o *order) error { o.Total = 10; return nil })
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			mem := b.inner.Repository
			if err := mem.Save(t.Context(), &order{ID: "1", Total: 10}); err != nil {
				t.Fatal(err)
			}
			successor, err := lockedrepo.New[order](mem, b.other, &lockedrepo.Options{Key: key})
			if err != nil {
				t.Fatal(err)
			}
			r, err := lockedrepo.New[order](lateStore{mem, func(ctx context.Context) {
				err := b.cluster.Expire(ctx, b.other, key)
				if err == nil {
					err = b.other.Do(t.Context(), key, func(ctx context.Context) error { return next(ctx, successor) })
				}
				if err != nil {
					t.Error(err)
				}
			}}, b.locker, &lockedrepo.Options{Key: key})
			if err != nil {
				t.Fatal(err)
			}
			err = r.Save(t.Context(), &order{ID: "1", Total: 99})
			if !errors.Is(err, repo.ErrFenced) || errors.Is(err, repo.ErrRegressed) || errors.Is(err, lockedrepo.ErrRelease) {
				t.Errorf("got %v", err)
			}
			if o, err := mem.FindByID(t.Context(), "1"); err != nil || o.Total != 10 {
				t.Errorf("got %+v, %v", o, err)
			}
		})
	}
}

// An etcd whose revision is below what the store has seen cannot be the one that
// gave the token.
func TestOlderEtcdIsNoLateHolder(t *testing.T) {
	t.Parallel()
	old, young := setup(t, nil), setup(t, nil)
	for range 20 {
		if err := old.repo.Save(t.Context(), &order{ID: "1", Total: 1}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := lockedrepo.New[order](old.inner.Repository, young.locker, &lockedrepo.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.Save(t.Context(), &order{ID: "1", Total: 2}); !errors.Is(err, repo.ErrRegressed) || errors.Is(err, repo.ErrFenced) {
			t.Errorf("got %v", err)
		}
	}
	if o, err := old.inner.FindByID(t.Context(), "1"); err != nil || o.Total != 1 {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestGoroutinesThatShareAHold(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	err := b.locker.Do(t.Context(), key, func(ctx context.Context) error {
		if err := b.repo.Save(ctx, &order{ID: "1"}); err != nil {
			return err
		}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := b.repo.Update(ctx, "1", func(o *order) error { o.Total++; return nil }); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				if err := b.repo.Save(ctx, &order{ID: "2"}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		return nil
	})
	if o, find := b.inner.FindByID(t.Context(), "1"); err != nil || find != nil || o.Total != 50 {
		t.Fatalf("got %+v, %v, %v", o, err, find)
	}
}
