package lockedrepo_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// another is the claim of a holder that got the same token from another etcd.
type another struct{ token int64 }

func (a another) Claims() []repo.Claim {
	return []repo.Claim{{Key: key, Token: a.token, Owner: "another", Sub: 1 << 32}}
}

// Trying again after a refusal helps, although the hold would linger: it is not
// used again.
func TestTryingAgainGetsAnotherToken(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	lingering, err := b.cluster.NewLocker(&etcdlock.Options{Linger: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lingering.Close(context.Background()) })
	r, err := lockedrepo.New[order](b.inner, lingering, &lockedrepo.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	hold, err := lingering.Lock(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.inner.Save(driver.WithFence(t.Context(), another{hold.Token()}), &order{ID: "1"}); err != nil {
		t.Fatal(err)
	}
	if err := hold.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Save(t.Context(), &order{ID: "1", Total: 1}); !errors.Is(err, repo.ErrFenced) {
		t.Errorf("got %v, want ErrFenced", err)
	}
	if err := r.Save(t.Context(), &order{ID: "1", Total: 2}); err != nil {
		t.Errorf("trying again: %v", err)
	}
}

// So it does in a transaction whose function hides what happened.
func TestTryingAgainGetsAnotherToken_InTx(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	lingering, err := b.cluster.NewLocker(&etcdlock.Options{Linger: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lingering.Close(context.Background()) })
	var token int64
	store := txStore[order]{b.inner.Repository, &database{}, func(ctx context.Context, method string) {
		if f, ok := driver.FenceFrom(ctx); ok && method == "InTx" {
			token = f.Claims()[0].Token
		}
	}}
	r, err := lockedrepo.New[order](store, lingering, &lockedrepo.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	hidden := errors.New("something went wrong")
	try := func(first bool) error {
		return r.InTx(t.Context(), func(ctx context.Context) error {
			if first {
				if err := b.inner.Save(driver.WithFence(t.Context(), another{token}), &order{ID: "1"}); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.Save(ctx, &order{ID: "1"}); err != nil {
				return hidden
			}
			return nil
		})
	}
	if err := try(true); !errors.Is(err, hidden) {
		t.Errorf("got %v", err)
	}
	if err := try(false); err != nil {
		t.Errorf("trying again: %v", err)
	}
}
