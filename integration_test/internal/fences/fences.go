package fences

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// Hand is a fence made by hand, as a hold of a lock would be.
type Hand struct {
	// Last are the claims that were drawn last.
	Last []repo.Claim

	mu     sync.Mutex
	guards []string
}

// Turn is a fence for the keys, which must be sorted.
func Turn(token int64, owner string, number int64, keys ...string) *Hand {
	f := &Hand{}
	for _, k := range keys {
		f.Last = append(f.Last, repo.Claim{Key: k, Token: token, Owner: owner, Sub: number << 32})
	}
	return f
}

// Guard is a fence that names the keys of which one guards the table. Without it
// the guard is not checked, so that a test can use several keys.
func (f *Hand) Guard(keys ...string) *Hand {
	f.guards = keys
	return f
}

// Keys are those of guard.
func (f *Hand) Keys() []string { return f.guards }

// Claims draws the next attempt.
func (f *Hand) Claims() []repo.Claim {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.Last {
		f.Last[i].Sub++
	}
	return append([]repo.Claim(nil), f.Last...)
}

// With puts the fence into a context.
func (f *Hand) With(ctx context.Context) context.Context { return driver.WithFence(ctx, f) }

// Fixed shows the same claims again and again, as no hold does.
type Fixed []repo.Claim

// Claims are always the same.
func (f Fixed) Claims() []repo.Claim { return f }

// Keys names none, so that a test can use several.
func (Fixed) Keys() []string { return nil }

// Open opens an empty database with the tables of the fence.
func Open(t testing.TB, b sqldb.Backend) *gorm.DB {
	t.Helper()
	db := b.Open(t)
	check.Must(t, gormrepo.MigrateFence(t.Context(), db))
	return db
}

// OnEach runs a test on each kind of database.
func OnEach(t *testing.T, test func(ctx context.Context, t *testing.T, db *gorm.DB)) {
	t.Helper()
	for _, b := range sqldb.Backends()[:3] {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			test(check.Bounded(t, time.Minute), t, Open(t, b))
		})
	}
}

// WantRefused fails unless err is about the claims given.
func WantRefused(t testing.TB, err error, stored, presented int64) {
	t.Helper()
	var refused *repo.FencedError
	if !errors.As(err, &refused) || !errors.Is(err, repo.ErrFenced) || refused.Stored.Revision() != stored || refused.Presented.Revision() != presented {
		t.Fatalf("want token %d refused by %d, got %v", presented, stored, err)
	}
}
