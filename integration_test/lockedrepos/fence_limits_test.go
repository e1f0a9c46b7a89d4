package lockedrepos_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// A host has shown its claim and vanished; its connection stays. Others are told
// so, and go on when the database has ended its transaction.
func TestLockedFence_VanishedHost(t *testing.T) {
	onFencedStores(t, func(ctx context.Context, t *testing.T, s *fencedSite) {
		if s.store.db == nil || s.store.db.Name() == drivers.SQLite {
			t.Skip("only a server outlives the host with a transaction of it")
		}
		p := s.process(t, servers.UniqueName("key-"))
		tallies := lockedOf(t, p, sqldb.Repository[fencedTally](t, s.store.db, &gormrepo.Options{HoldLimit: time.Second}), p.key)
		check.Must(t, tallies.Save(ctx, &fencedTally{ID: "a", N: 10}))
		tx := s.store.db.WithContext(ctx).Begin()
		defer tx.Rollback()
		check.Must(t, tx.Exec("UPDATE holdfast_fence SET sub = sub WHERE k = ?", p.key).Error)

		err := tallies.Save(ctx, &fencedTally{ID: "a", N: 99})
		if !errors.Is(err, repo.ErrBusy) || !strings.Contains(err.Error(), p.key) {
			t.Fatalf("got %v", err)
		}
		_, err = tallies.Update(ctx, "a", func(e *fencedTally) error { e.N = 99; return nil })
		if !errors.Is(err, repo.ErrBusy) {
			t.Fatalf("got %v", err)
		}
		s.want(t, "a", 10)

		limit := "SET LOCAL idle_in_transaction_session_timeout = 1000"
		if s.store.db.Name() == drivers.MySQL {
			limit = "SET SESSION wait_timeout = 1"
		}
		check.Must(t, tx.Exec(limit).Error)
		add := func() error {
			_, err := tallies.Update(ctx, "a", func(e *fencedTally) error { e.N++; return nil })
			return err
		}
		for err = add(); errors.Is(err, repo.ErrBusy) && ctx.Err() == nil; err = add() {
			t.Log("not yet")
		}
		check.Must(t, err)
		s.want(t, "a", 11)
	})
}

func TestLockedFence_MissingTables(t *testing.T) {
	t.Parallel()
	for _, b := range sqldb.Backends()[:3] {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, time.Minute)
			s := &fencedSite{Fleet: locks.NewFleet(t, embedded.EtcdEndpoints(t)), store: &fencedStore{name: b.Name, db: b.Open(t)}}
			p := s.process(t, servers.UniqueName("key-"))
			for name, call := range map[string]func(ctx context.Context) error{
				"Save": func(ctx context.Context) error { return p.tallies.Save(ctx, &fencedTally{ID: "a"}) },
				"InTx": func(ctx context.Context) error {
					return p.tallies.InTx(ctx, func(context.Context) error { return nil })
				},
				"FindByID": func(ctx context.Context) error {
					return p.locker.Do(ctx, p.key, func(ctx context.Context) error {
						_, err := p.tallies.FindByID(ctx, "a")
						return err
					})
				},
			} {
				if err := call(ctx); !errors.Is(err, repo.ErrUnsupported) || !strings.Contains(err.Error(), "gormrepo.MigrateFence") {
					t.Errorf("%s: got %v", name, err)
				}
			}
			unfenced, err := lockedrepo.New(p.store, p.locker, &lockedrepo.Options{Key: p.key, Unfenced: true})
			check.Must(t, err)
			check.Must(t, unfenced.Save(ctx, &fencedTally{ID: "a", N: 1}))
			check.Must(t, gormrepo.MigrateFence(ctx, s.store.db))
			check.Must(t, p.tallies.Save(ctx, &fencedTally{ID: "a", N: 2}))
			s.want(t, "a", 2)
		})
	}
}

// What New accepts as a key is one for every store.
func TestLockedFence_Keys(t *testing.T) {
	onFencedStores(t, func(ctx context.Context, t *testing.T, s *fencedSite) {
		p := s.process(t, servers.UniqueName("key-"))
		for _, key := range []string{strings.Repeat("ä", 191), " a  b", "A", "a", `q'"\%$.x`} {
			s.store.forgetGuard(t)
			check.Must(t, lockedOf(t, p, p.store, key).Save(ctx, &fencedTally{ID: "a"}))
		}
		for _, key := range []string{strings.Repeat("ä", 192), "a ", "a\x00b"} {
			if _, err := lockedrepo.New(p.store, p.locker, &lockedrepo.Options{Key: key}); !errors.Is(err, repo.ErrInvalid) {
				t.Errorf("%q: got %v", key, err)
			}
		}
	})
}
