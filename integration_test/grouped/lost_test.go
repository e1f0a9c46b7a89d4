package grouped_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/drivers/config"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/wires"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// The reply to a group's commit is lost. Where the server can be asked, all callers learn
// that it was made, and nothing is written twice. Where it cannot, each is told that it is
// not known.
func TestLostReply(t *testing.T) {
	for name, stay := range map[string]bool{"Asked": false, "Unknown": true} {
		t.Run(name, func(t *testing.T) {
			onSites(t, func(ctx context.Context, t *testing.T, s *site) {
				if s.db.Name() == config.SQLite {
					check.Must(t, s.holder.Unlock(ctx))
					return // it has no wire
				}
				stored := []*record{named("a"), named("b"), named("c")}
				check.Must(t, s.plain.SaveAll(ctx, stored))
				db, w := wires.Open(t, s.db)
				inner, err := gormrepo.New[record](db, &gormrepo.Options{HoldLimit: time.Second})
				check.Must(t, err)
				s.locked, err = lockedrepo.New[record](inner, s.mine, &lockedrepo.Options{Key: key})
				check.Must(t, err)
				lose := wires.LoseReply
				if stay {
					lose = wires.LoseAll
				}
				update := func(e *record, arm bool) func() error {
					return func() error {
						_, err := s.locked.Update(ctx, e.ID, func(e *record) error {
							if e.N++; arm {
								w.Strike(lose, stay, wires.IsCommit)
							}
							return nil
						})
						return err
					}
				}
				s.pile(ctx, t, func() error { return s.locked.Save(ctx, named("first")) }) // by itself
				for i, e := range stored {
					s.pile(ctx, t, update(e, i == 1))
				}
				for i, err := range s.finish(ctx, t) {
					if unknown := stay && i > 0; unknown != errors.Is(err, repo.ErrUnknown) || !unknown && err != nil {
						t.Errorf("call %d: got %v", i, err)
					}
				}
				check.Await(ctx, t, w.Struck, "the reply to be lost")
				all, err := s.plain.FindAllByID(ctx, []any{stored[0].ID, stored[1].ID, stored[2].ID})
				check.Must(t, err)
				if got := fmt.Sprint(all[0].N, all[1].N, all[2].N); got != "1 1 1" {
					t.Errorf("they are stored with %s", got)
				}
			})
		})
	}
}
