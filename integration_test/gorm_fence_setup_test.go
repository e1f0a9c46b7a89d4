package integration_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// handFence is a fence made by hand, as a hold of a lock would be.
type handFence struct {
	mu     sync.Mutex
	claims []repo.Claim
	guards []string
}

// turn is a fence for the keys, which must be sorted.
func turn(token int64, owner string, number int64, keys ...string) *handFence {
	f := &handFence{}
	for _, k := range keys {
		f.claims = append(f.claims, repo.Claim{Key: k, Token: token, Owner: owner, Sub: number << 32})
	}
	return f
}

// guard is a fence that names the keys of which one guards the table. Without it
// the guard is not checked, so that a test can use several keys.
func (f *handFence) guard(keys ...string) *handFence {
	f.guards = keys
	return f
}

// Keys are those of guard.
func (f *handFence) Keys() []string { return f.guards }

// Claims draws the next attempt.
func (f *handFence) Claims() []repo.Claim {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.claims {
		f.claims[i].Sub++
	}
	return append([]repo.Claim(nil), f.claims...)
}

// with puts the fence into a context.
func (f *handFence) with(ctx context.Context) context.Context { return driver.WithFence(ctx, f) }

// fixedFence shows the same claims again and again, as no hold does.
type fixedFence []repo.Claim

func (f fixedFence) Claims() []repo.Claim { return f }

// Keys names none, so that a test can use several.
func (fixedFence) Keys() []string { return nil }

// fenced opens an empty database with the tables of the fence.
func fenced(t testing.TB, b sqlBackend) *gorm.DB {
	t.Helper()
	db := b.open(t)
	must(t, gormrepo.MigrateFence(t.Context(), db))
	return db
}

// onFenced runs a test on each kind of database.
func onFenced(t *testing.T, test func(ctx context.Context, t *testing.T, db *gorm.DB)) {
	t.Helper()
	for _, b := range sqlBackends()[:3] {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			test(bounded(t, time.Minute), t, fenced(t, b))
		})
	}
}

// wantRefused fails unless err is about the claims given.
func wantRefused(t testing.TB, err error, stored, presented int64) {
	t.Helper()
	var refused *repo.FencedError
	if !errors.As(err, &refused) || !errors.Is(err, repo.ErrFenced) || refused.Stored.Revision() != stored || refused.Presented.Revision() != presented {
		t.Fatalf("want token %d refused by %d, got %v", presented, stored, err)
	}
}
