package mongostore_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongodb"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// mongoFence is a fence as a lock would give it out, made by hand so that holds
// can overlap as they never should.
type mongoFence struct {
	mu    sync.Mutex
	claim repo.Claim
}

func newMongoFence(token int64) *mongoFence {
	return &mongoFence{claim: repo.Claim{Key: "tally", Token: token, Owner: "0123456789abcdef0123456789abcdef"}}
}

func (f *mongoFence) Claims() []repo.Claim {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.claim.Sub++
	return []repo.Claim{f.claim}
}

// mongoHeld is a context under a hold with the token.
func mongoHeld(ctx context.Context, token int64) context.Context {
	return driver.WithFence(ctx, newMongoFence(token))
}

// fencedTallies makes a repository and saves the tally a with n.
func fencedTallies(t *testing.T, opts *mongorepo.Options, n int64) (context.Context, *mongorepo.Repository[tally], *mongo.Collection) {
	t.Helper()
	ctx := check.Bounded(t, time.Minute)
	r, coll := mongodb.Repository[tally](t, opts)
	check.Must(t, r.Save(ctx, &tally{ID: "a", N: n}))
	return ctx, r, coll
}

func wantTally(t *testing.T, r *mongorepo.Repository[tally], id string, n int64) {
	t.Helper()
	e, err := r.FindByID(check.Bounded(t, time.Minute), id)
	check.Must(t, err)
	if e.N != n {
		t.Errorf("%s is %d, want %d", id, e.N, n)
	}
}
