package lockedrepos_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/repo"
)

const (
	revokedProcesses = 3
	revokedUpdates   = 60
)

// Leases end at random, before, between and after reading and writing. What was
// acknowledged is counted, and nothing that was refused. It goes on until a lease
// has ended early enough to refuse a write: few updates may meet none.
func TestLockedFence_RevokedLeasesLoseNothing(t *testing.T) {
	onFencedStores(t, func(ctx context.Context, t *testing.T, s *fencedSite) {
		ways := []string{"FindByID,Save", "FindAllByID,SaveAll", "FindByID,Merge", "Update"}
		s.tally(t, "a", 0)
		key, each := servers.UniqueName("key-"), scale.Full(revokedUpdates)
		var done, refused, unknown, ended atomic.Int64
		var processes sync.WaitGroup
		for n := range revokedProcesses {
			p := s.process(t, key)
			seed := rand.Uint64()
			t.Logf("process %d has the seed %d", n, seed)
			random := rand.New(rand.NewPCG(seed, 0))
			processes.Go(func() {
				for acks := 0; acks < each || refused.Load() == 0; {
					// Every third lease ends between reading and writing, and every
					// third at any time.
					when, way := random.IntN(3), fencedWays()[ways[random.IntN(len(ways))]]
					if when == 1 {
						go func() {
							if breakHold(ctx, s.Fleet, p.locker, key) == nil {
								ended.Add(1)
							}
						}()
					}
					err := way.add(ctx, p, "a", func(context.Context) {
						if when == 0 && breakHold(ctx, s.Fleet, p.locker, key) == nil {
							ended.Add(1)
						}
					})
					switch {
					case err == nil:
						acks++
						done.Add(1)
					case errors.Is(err, repo.ErrUnknown): // a newer holder hides what became of it
						unknown.Add(1)
					case errors.Is(err, etcdlock.ErrLost), errors.Is(err, repo.ErrFenced):
						refused.Add(1)
					default:
						t.Error(err)
						return
					}
				}
			})
		}
		processes.Wait()
		t.Logf("%d acknowledged, %d refused, %d unknown, %d leases ended", done.Load(), refused.Load(), unknown.Load(), ended.Load())
		e, err := storeOf[fencedTally](t, s.store).FindByID(ctx, "a")
		check.Must(t, err)
		if e.N < done.Load() || e.N > done.Load()+unknown.Load() {
			t.Errorf("%d were counted", e.N)
		}
	})
}

type fencedVersion struct {
	ID  string `bson:"_id"                gorm:"primaryKey" json:"id"`
	N   int64  `json:"n"`
	Rev int64  `holdfast:"version"        json:"rev"`
}

// A read outside of the hold is not protected by the lock of the save: the
// documentation says so. A version is what tells.
func TestLockedFence_ReadOutsideTheHold(t *testing.T) {
	onFencedStores(t, func(ctx context.Context, t *testing.T, s *fencedSite) {
		p := s.process(t, servers.UniqueName("key-"))
		versions := lockedOf(t, p, storeOf[fencedVersion](t, s.store), servers.UniqueName("key-"))
		check.Must(t, p.tallies.Save(ctx, &fencedTally{ID: "a"}))
		check.Must(t, versions.Save(ctx, &fencedVersion{ID: "a"}))
		plain, err := p.tallies.FindByID(ctx, "a")
		check.Must(t, err)
		versioned, err := versions.FindByID(ctx, "a")
		check.Must(t, err)
		_, err = p.tallies.Update(ctx, "a", func(e *fencedTally) error { e.N = 5; return nil })
		check.Must(t, err)
		_, err = versions.Update(ctx, "a", func(e *fencedVersion) error { e.N = 5; return nil })
		check.Must(t, err)

		_, err = p.tallies.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{fmt.Sprintf(`{"id":"a","n":%d}`, plain.N+1)}})
		check.Must(t, err)
		s.want(t, "a", 1)
		_, err = versions.SmartSave(ctx, repo.SmartSaveDTO{EntityList: []string{fmt.Sprintf(`{"id":"a","n":%d,"rev":%d}`, versioned.N+1, versioned.Rev)}})
		if !errors.Is(err, repo.ErrStale) {
			t.Errorf("a stale version: got %v", err)
		}
		if e, err := versions.FindByID(ctx, "a"); err != nil || e.N != 5 {
			t.Errorf("got %+v, %v", e, err)
		}
	})
}
