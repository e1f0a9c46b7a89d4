package grouped_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// plain is saved by one statement with others. Its first column is not its key.
type plain struct {
	N     int64  `gorm:"check:plains_n,n >= 0"`
	ID    int64  `gorm:"primaryKey;autoIncrement:false"`
	Email string `gorm:"size:40;uniqueIndex"`
}

// Of calls that are saved by one statement those fail that the database refuses, each with
// the error of its own element, and all others are saved.
func TestGrouped_OneStatementWithBadCalls(t *testing.T) {
	t.Parallel()
	bad := map[int]func(rows []*plain){
		3:  func(rows []*plain) { rows[2].N = -304 }, // the key of another call's
		4:  func(rows []*plain) { rows[0].N = -1 },
		9:  func(rows []*plain) { rows[1].Email = "taken" },
		11: func(rows []*plain) { rows[0].Email, rows[1].Email = "both", "both" },
	}
	places := map[int]int{3: 2, 4: 0, 9: 1}
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		check.Must(t, db.AutoMigrate(&plain{}))
		cluster := locktest.NewCluster()
		t.Cleanup(func() { check.Must(t, cluster.Close()) })
		mine, err := cluster.NewLocker(&etcdlock.Options{Linger: etcdlock.NoLinger})
		check.Must(t, err)
		other, err := cluster.NewLocker(nil)
		check.Must(t, err)
		inner, err := gormrepo.New[plain](db, nil)
		check.Must(t, err)
		r, err := lockedrepo.New(inner, mine, &lockedrepo.Options{Key: "plain", LockTimeout: time.Minute})
		check.Must(t, err)
		check.Must(t, r.Save(ctx, &plain{ID: 1, Email: "taken"}))
		holder, err := other.Lock(ctx, "plain")
		check.Must(t, err)
		answers := lo.Times(14, func(call int) chan error {
			rows := lo.Times(3, func(i int) *plain {
				return &plain{ID: int64(10*call + i + 100), N: int64(i), Email: fmt.Sprint(call, "-", i)}
			})
			if call == 6 {
				rows[1].ID = -304
			}
			if spoil := bad[call]; spoil != nil {
				spoil(rows)
			}
			answer := make(chan error, 1)
			go func() { answer <- r.SaveAll(ctx, rows) }()
			check.Eventually(ctx, t, "the call to wait", func() bool { return r.Pending() == call+1 })
			return answer
		})
		check.Must(t, holder.Unlock(ctx))
		for call, answer := range answers {
			err := <-answer
			if bad[call] == nil {
				if err != nil {
					t.Errorf("call %d: %v", call, err)
				}
				continue
			}
			batch, ok := errors.AsType[*repo.BatchError](err)
			place, one := places[call]
			if !ok || len(batch.Items) != 1 || one && batch.Items[0].Index != place || !one && batch.Items[0].Index > 1 {
				t.Errorf("call %d: got %v", call, err)
			}
		}
		if n, err := r.Count(ctx); err != nil || n != 1+3*10 {
			t.Errorf("%d rows are stored, %v", n, err)
		}
	})
}
