package lockedrepos_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/servers"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/integration_test/internal/wires"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// lostSite is a locked repository behind a wire.
type lostSite struct {
	*fencedSite
	tallies *lockedrepo.Repository[fencedTally]
	w       *wires.Wire
	answer  func([]byte) bool
	save    func(ctx context.Context, n int64) error
	// told counts what ran after the commits of InTx, of the test's saves only.
	told    int
	telling bool
}

// wantTold checks that what runs after a commit ran if there was one.
func (l *lostSite) wantTold(t *testing.T, committed bool) {
	t.Helper()
	if want := lo.Ternary(committed && l.telling, 1, 0); l.told != want {
		t.Errorf("%d functions ran after the commit, want %d", l.told, want)
	}
}

// onLockedWire runs a test for the calls whose answer can be lost. The tally a is
// 1 when it begins.
func onLockedWire(t *testing.T, test func(ctx context.Context, t *testing.T, l *lostSite)) {
	t.Helper()
	t.Parallel()
	for _, b := range sqldb.Backends()[1:3] {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			for _, name := range []string{"Save", "Update", "InTx"} {
				t.Run(name, func(t *testing.T) {
					ctx := check.Bounded(t, time.Minute)
					s := &fencedSite{Fleet: locks.NewFleet(t, embedded.EtcdEndpoints(t)), store: &fencedStore{name: b.Name, db: fences.Open(t, b)}}
					s.tally(t, "a", 0)
					db, w := wires.Open(t, s.store.db)
					inner, err := gormrepo.New[fencedTally](db, &gormrepo.Options{HoldLimit: time.Second})
					check.Must(t, err)
					l := &lostSite{fencedSite: s, w: w, answer: wires.IsCommit}
					p := s.process(t, servers.UniqueName("key-"))
					l.tallies = lockedOf[fencedTally](t, p, inner, p.key)
					l.save = map[string]func(ctx context.Context, n int64) error{
						"Save": func(ctx context.Context, n int64) error { return l.tallies.Save(ctx, &fencedTally{ID: "a", N: n}) },
						"Update": func(ctx context.Context, n int64) error {
							_, err := l.tallies.Update(ctx, "a", func(e *fencedTally) error { e.N = n; return nil })
							return err
						},
						"InTx": func(ctx context.Context, n int64) error {
							return l.tallies.InTx(ctx, func(ctx context.Context) error {
								if err := lockedrepo.AfterCommit(ctx, func(context.Context) { l.told++ }); err != nil {
									return err
								}
								return l.tallies.Save(ctx, &fencedTally{ID: "a", N: n})
							})
						},
					}[name]
					if name == "Save" && db.Name() == drivers.Postgres {
						l.answer = wires.IsExecution
					}
					check.Must(t, l.save(ctx, 1)) // now its statements are prepared
					l.told, l.telling = 0, name == "InTx"
					test(ctx, t, l)
					check.Must(t, l.save(ctx, 99)) // it goes on
					s.want(t, "a", 99)
				})
			}
		})
	}
}

func TestLockedFence_LostReply(t *testing.T) {
	onLockedWire(t, func(ctx context.Context, t *testing.T, l *lostSite) {
		l.w.Strike(wires.LoseReply, false, l.answer)
		check.Must(t, l.save(ctx, 2))
		<-l.w.Struck
		l.want(t, "a", 2)
		l.wantTold(t, true)
	})
}

func TestLockedFence_LostRequest(t *testing.T) {
	for name, fault := range map[string]wires.Fault{"Lost": wires.LoseRequest, "Late": wires.HoldRequest} {
		t.Run(name, func(t *testing.T) {
			onLockedWire(t, func(ctx context.Context, t *testing.T, l *lostSite) {
				l.w.Strike(fault, false, l.answer)
				err := l.save(ctx, 2)
				<-l.w.Struck
				if err == nil || errors.Is(err, repo.ErrUnknown) {
					t.Fatalf("got %v", err)
				}
				l.want(t, "a", 1)
				l.wantTold(t, false)
				if fault == wires.HoldRequest {
					check.Must(t, l.save(ctx, 3)) // a later turn
					l.w.Release()
					l.want(t, "a", 3)
				}
			})
		})
	}
}

func TestLockedFence_UnknownOutcome(t *testing.T) {
	for name, fault := range map[string]wires.Fault{"Reply": wires.LoseReply, "Request": wires.LoseRequest} {
		t.Run(name, func(t *testing.T) {
			onLockedWire(t, func(ctx context.Context, t *testing.T, l *lostSite) {
				l.w.Strike(fault, true, l.answer)
				err := l.save(ctx, 2)
				<-l.w.Struck
				var unknown *repo.UnknownError
				if !errors.As(err, &unknown) || !errors.Is(err, repo.ErrUnknown) {
					t.Fatalf("got %v", err)
				}
				l.wantTold(t, false) // it is not known
				l.w.Up()
				written, err := gormrepo.Outcome(ctx, l.store.db, unknown.Op)
				if err != nil || written != (fault == wires.LoseReply) {
					t.Fatalf("written %v, %v", written, err)
				}
				if written {
					l.want(t, "a", 2)
				} else {
					l.want(t, "a", 1)
				}
			})
		})
	}
}
