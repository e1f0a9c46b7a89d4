package lockedrepos_test

import (
	"testing"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/gormharness"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/mongoharness"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

// A locked repository keeps the same contract as the one it wraps, and adds
// isolation to Update on every store.
func TestLockedConformance(t *testing.T) { lockedConformance(t, lockedrepo.Stripes{}) }

// So does one with a lock for each stripe.
func TestStripedConformance(t *testing.T) { lockedConformance(t, lockedrepo.ByID(4)) }

func lockedConformance(t *testing.T, stripes lockedrepo.Stripes) {
	t.Helper()
	t.Parallel()
	harnesses := map[string]func(t *testing.T) repotest.Harness{
		"Memory": func(*testing.T) repotest.Harness {
			db := memrepo.NewDB()
			return repotest.Harness{
				Features: repotest.Features{AtomicSaveAll: true, CaseSensitiveText: true, Update: true, Reader: true, Writer: true, Transactions: true},
				Items:    inMemoryDB[repotest.Item](db),
				Autos:    inMemoryDB[repotest.Auto](db),
				Pairs:    inMemoryDB[repotest.Pair](db),
				Plain:    inMemoryDB[repotest.Plain](db),
				Marked:   inMemoryDB[repotest.Marked](db),
				Told:     inMemoryDB[repotest.Told](db),
				Native:   func(n int64) any { return func(i *repotest.Item) bool { return i.Stock > n } },
			}
		},
	}
	harnesses["MongoDB"] = mongoharness.New
	for _, b := range sqldb.Backends() {
		if stripes != (lockedrepo.Stripes{}) && b.Name != "PostgreSQL" && !scale.Soak() {
			continue // what stripes change in the stores has tests of its own; `make soak` runs all
		}
		harnesses[b.Name] = func(t *testing.T) repotest.Harness { return gormharness.New(b.Open(t)) }
	}
	for name, make1 := range harnesses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := make1(t)
			if h.PrepareFence != nil {
				h.PrepareFence(t)
			}
			locker := locks.NewFleet(t, embedded.EtcdEndpoints(t)).Locker(nil)
			h.Features.IsolatedUpdate = true
			h.Items = locked(locker, stripes, h.Items)
			h.Autos = locked(locker, stripes, h.Autos)
			h.Pairs = locked(locker, stripes, h.Pairs)
			h.Assigned = locked(locker, stripes, h.Assigned)
			h.Plain = locked(locker, stripes, h.Plain)
			h.Coded = locked(locker, stripes, h.Coded)
			h.Told = locked(locker, stripes, h.Told)
			h.Marked = locked(locker, stripes, h.Marked)
			h.Stamped = locked(locker, stripes, h.Stamped)
			h.Unmarked = locked(locker, stripes, h.Unmarked)
			repotest.Run(t, h)
		})
	}
}

// inMemoryDB makes repositories that take part in the same transactions.
func inMemoryDB[T any](db *memrepo.DB) func(t *testing.T) repo.Repository[T] {
	return func(t *testing.T) repo.Repository[T] {
		t.Helper()
		r, err := memrepo.New[T](&memrepo.Options{DB: db})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

// locked wraps what fresh makes. Every repository has a key of its own, so that
// the tests do not wait for each other.
func locked[T any](locker *etcdlock.Locker, stripes lockedrepo.Stripes, fresh func(t *testing.T) repo.Repository[T]) func(t *testing.T) repo.Repository[T] {
	if fresh == nil {
		return nil
	}
	return func(t *testing.T) repo.Repository[T] {
		t.Helper()
		r, err := lockedrepo.New(fresh(t), locker, &lockedrepo.Options{Key: servers.UniqueName("key-"), Stripes: stripes})
		check.Must(t, err)
		return r
	}
}
