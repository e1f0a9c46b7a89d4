package lockedrepos_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/internal/devserver"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
	"github.com/holdfast-go/holdfast/repo/mongorepo"
)

// restorable is an etcd that an operator can take back to a snapshot.
type restorable struct {
	*devserver.Etcd
	dir  string // of its data
	file string // of the snapshot
}

func newRestorable(ctx context.Context, t *testing.T) *restorable {
	t.Helper()
	r := &restorable{dir: t.TempDir(), file: filepath.Join(t.TempDir(), "snapshot")}
	var err error
	r.Etcd, err = devserver.StartEtcd(ctx, r.dir, &devserver.EtcdOptions{UnsafeNoFsync: true})
	check.Must(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// snapshot saves what etcd has now.
func (r *restorable) snapshot(ctx context.Context, t *testing.T, s *fencedSite) {
	t.Helper()
	resp, err := s.Cli.SnapshotWithVersion(ctx)
	check.Must(t, err)
	f, err := os.Create(r.file)
	check.Must(t, err)
	_, err = io.Copy(f, resp.Snapshot)
	check.Must(t, errors.Join(err, f.Close(), resp.Snapshot.Close()))
}

// restore takes etcd back to the snapshot, but for a revision that is higher by
// bump.
func (r *restorable) restore(ctx context.Context, t *testing.T, s *fencedSite, bump uint64) {
	t.Helper()
	members, err := s.Cli.MemberList(ctx)
	check.Must(t, err)
	check.Must(t, r.Stop())
	dirs, err := filepath.Glob(filepath.Join(r.dir, "etcd-*", "m0"))
	check.Must(t, err)
	dir, peer := dirs[len(dirs)-1], members.Members[0].PeerURLs[0]
	check.Must(t, os.RemoveAll(dir))
	check.Must(t, snapshot.NewV3(zap.NewNop()).Restore(snapshot.RestoreConfig{
		SnapshotPath: r.file, OutputDataDir: dir, Name: "m0",
		PeerURLs: []string{peer}, InitialCluster: "m0=" + peer, InitialClusterToken: "restored",
		RevisionBump: bump, MarkCompacted: bump > 0,
	}))
	check.Must(t, r.Restart(ctx))
}

func (s *fencedStore) advanceEpoch(ctx context.Context) error {
	if s.db != nil {
		return gormrepo.AdvanceEpoch(ctx, s.db)
	}
	return mongorepo.AdvanceEpoch(ctx, s.mongo)
}

// etcd is restored from a snapshot, so that it gives tokens that the database
// has seen already.
func TestLockedFence_RestoredEtcd(t *testing.T) {
	t.Parallel()
	for name, open := range fencedStores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, store := check.Bounded(t, 2*time.Minute), open(t)
			etcd := newRestorable(ctx, t)
			s, key := &fencedSite{Fleet: locks.NewFleet(t, etcd.Endpoints()), store: store}, servers.UniqueName("key-")
			save := func(n int64) {
				t.Helper()
				p := s.process(t, key)
				check.Must(t, p.tallies.Save(ctx, &fencedTally{ID: "a", N: n}))
				check.Must(t, p.locker.Close(ctx))
			}
			save(1)
			etcd.snapshot(ctx, t, s)
			before := locks.Revision(ctx, t, s.Cli)
			for range 300 { // the revisions that all calls below could take
				_, err := s.Cli.Put(ctx, "elsewhere", "")
				check.Must(t, err)
			}
			save(2)
			etcd.restore(ctx, t, s, 0)
			if now := locks.Revision(ctx, t, s.Cli); now != before {
				t.Fatalf("restored to revision %d, not %d", now, before)
			}

			old, young := s.process(t, key), s.process(t, key)
			for name, call := range regressingCalls(old) {
				if name == "InTx" && !store.inOneTransaction() {
					continue // the stand-in for MongoDB has no transactions
				}
				if err := call(ctx); !errors.Is(err, repo.ErrRegressed) || errors.Is(err, repo.ErrFenced) {
					t.Errorf("%s: got %v", name, err)
				}
			}
			s.want(t, "a", 2)

			old.ears.shut()
			var late error
			err := old.locker.Do(ctx, key, func(ctx context.Context) error {
				s.endLease(ctx, t, key)
				check.Must(t, store.advanceEpoch(ctx))
				_, err := young.tallies.Update(t.Context(), "a", func(e *fencedTally) error { e.N++; return nil })
				check.Must(t, err)
				late = old.tallies.Save(ctx, &fencedTally{ID: "a", N: 99})
				return nil
			})
			if !errors.Is(err, etcdlock.ErrLost) || !errors.Is(late, repo.ErrFenced) || errors.Is(late, repo.ErrRegressed) {
				t.Errorf("a holder from before the advance got %v and %v", late, err)
			}
			s.want(t, "a", 3)
			old.ears.open()
			check.Must(t, errors.Join(old.locker.Close(ctx), young.locker.Close(ctx)))

			// The other way out: revisions that are higher than all before.
			etcd.restore(ctx, t, s, 1_000_000)
			save(4)
			s.want(t, "a", 4)
		})
	}
}

// regressingCalls are refused because the database has seen a higher token for
// the tally a.
func regressingCalls(p *fencedProcess) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"Save": func(ctx context.Context) error { return p.tallies.Save(ctx, &fencedTally{ID: "a", N: 99}) },
		"SaveAll": func(ctx context.Context) error {
			return p.tallies.SaveAll(ctx, []*fencedTally{{ID: "a", N: 99}, {ID: "a", N: 98}})
		},
		"SmartSave": func(ctx context.Context) error {
			_, err := p.tallies.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{`{"id":"a","n":99}`}}, repo.Merge())
			return err
		},
		"Update": func(ctx context.Context) error {
			_, err := p.tallies.Update(ctx, "a", func(e *fencedTally) error { e.N = 99; return nil })
			return err
		},
		"DeleteByID": func(ctx context.Context) error { return p.tallies.DeleteByID(ctx, "a") },
		"InTx": func(ctx context.Context) error {
			return p.tallies.InTx(ctx, func(context.Context) error { return fmt.Errorf("%w: it began", repo.ErrInvalid) })
		},
		"FindByID": func(ctx context.Context) error {
			return p.locker.Do(ctx, p.key, func(ctx context.Context) error {
				_, err := p.tallies.FindByID(ctx, "a")
				return err
			})
		},
	}
}
