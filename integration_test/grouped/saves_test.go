package grouped_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/samber/lo"
	"golang.org/x/sync/errgroup"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers/config"
	"github.com/holdfast-go/holdfast/etcdlock/locktest"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/fences"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
	"github.com/holdfast-go/holdfast/integration_test/internal/wires"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// ledgerRow needs nothing back from the database, and datedRow does.
type ledgerRow struct {
	ID   int64 `gorm:"primaryKey;autoIncrement:false"`
	N    int64 `gorm:"check:ledger_rows_n,n >= 0"`
	Text string
}

type datedRow struct {
	ID        int64 `gorm:"primaryKey;autoIncrement:false"`
	N         int64 `gorm:"check:dated_rows_n,n >= 0"`
	Text      string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// ledgerEntity is one of them.
type ledgerEntity[T any] interface {
	*T
	set(id, n int64, text string)
	number() int64
}

func (r *ledgerRow) set(id, n int64, text string) { r.ID, r.N, r.Text = id, n, text }
func (r *ledgerRow) number() int64                { return r.N }
func (r *datedRow) set(id, n int64, text string)  { r.ID, r.N, r.Text = id, n, text }
func (r *datedRow) number() int64                 { return r.N }

// ledgerText is in all rows, by which a wire knows their statements.
const ledgerText = "of a ledger"

// Callers save rows of their own, together, while rows are refused, callers leave, replies
// and statements are lost, and so is the lock. After each call its rows are as its answer
// says: all of them written, or none.
func TestGroupedSaves_Ledger(t *testing.T) {
	t.Run("Plain", ledger[ledgerRow])
	t.Run("Dated", ledger[datedRow])
}

func ledger[T any, E ledgerEntity[T]](t *testing.T) {
	t.Parallel()
	fences.OnEach(t, func(ctx context.Context, t *testing.T, db *gorm.DB) {
		l := newLedger[T](t, db)
		var g errgroup.Group
		for caller := range int64(16) {
			chance := rand.New(rand.NewPCG(7, uint64(caller)))
			g.Go(func() error {
				was := int64(-1)
				for n := range scale.Full(int64(400)) {
					if err := l.trouble(ctx); err != nil {
						return err
					}
					var err error
					if was, err = ledgerCall[T, E](ctx, l, chance, caller, n, was); err != nil {
						return fmt.Errorf("caller %d, call %d: %w", caller, n, err)
					}
				}
				return nil
			})
		}
		check.Must(t, g.Wait())
		t.Logf("%d calls were written, %d are unknown, %d were not written", l.written.Load(), l.unknown.Load(), l.refused.Load())
		if l.written.Load() == 0 || l.refused.Load() == 0 {
			t.Error("nothing was written, or nothing refused")
		}
	})
}

// ledgerSite is where callers save, and what goes wrong there.
type ledgerSite[T any] struct {
	plain  *gormrepo.Repository[T]
	locked *lockedrepo.Repository[T]
	// strike loses the next statement with rows, or its reply.
	strike func(n int64)
	// expire ends the lease of the lock.
	expire func(ctx context.Context) error

	calls, written, unknown, refused atomic.Int64
}

func newLedger[T any](t *testing.T, db *gorm.DB) *ledgerSite[T] {
	t.Helper()
	check.Must(t, db.AutoMigrate(new(T)))
	l := &ledgerSite[T]{strike: func(int64) {}}
	var err error
	l.plain, err = gormrepo.New[T](db, nil)
	check.Must(t, err)
	if db.Name() != config.SQLite { // which has no wire
		var w *wires.Wire
		db, w = wires.Open(t, db)
		l.strike = func(n int64) {
			select {
			case <-w.Struck: // by the fault before
			default:
			}
			lose := lo.Ternary(n%2 == 0, wires.LoseReply, wires.LoseRequest)
			w.Strike(lose, false, func(m []byte) bool { return bytes.Contains(m, []byte(ledgerText)) })
		}
	}
	cluster := locktest.NewCluster()
	t.Cleanup(func() { check.Must(t, cluster.Close()) })
	mine, err := cluster.NewLocker(nil)
	check.Must(t, err)
	other, err := cluster.NewLocker(nil)
	check.Must(t, err)
	l.expire = func(ctx context.Context) error { return cluster.Expire(ctx, other, "ledger") }
	inner, err := gormrepo.New[T](db, &gormrepo.Options{HoldLimit: 5 * time.Second})
	check.Must(t, err)
	l.locked, err = lockedrepo.New[T](inner, mine, &lockedrepo.Options{Key: "ledger"})
	check.Must(t, err)
	return l
}

// trouble has something go wrong now and then.
func (l *ledgerSite[T]) trouble(ctx context.Context) error {
	switch n := l.calls.Add(1); {
	case n%60 == 0:
		l.strike(n / 60)
	case n%250 == 0:
		return l.expire(ctx)
	}
	return nil
}

// ledgerCall saves the rows of a caller with the number n, in place of was, and returns the
// number that they have afterwards. Some calls have a bad row, and some callers leave.
func ledgerCall[T any, E ledgerEntity[T]](ctx context.Context, l *ledgerSite[T], chance *rand.Rand, caller, n, was int64) (int64, error) {
	ids := []any{3*caller + 1, 3*caller + 2, 3*caller + 3}
	rows := lo.Map(ids, func(_ any, i int) *T {
		e := new(T)
		E(e).set(3*caller+int64(i)+1, n, fmt.Sprint(ledgerText, ` "{`, n, `,}\`))
		return e
	})
	bad := chance.IntN(25) == 0
	if bad {
		E(rows[1]).set(3*caller+2, -1, ledgerText)
	}
	mine, leave := context.WithCancel(ctx)
	defer leave()
	if chance.IntN(25) == 0 {
		go leave()
	}
	saved := l.locked.SaveAll(mine, rows)
	found, err := l.plain.FindAllByID(ctx, ids)
	if err != nil {
		return was, err
	}
	is := int64(-1)
	if got := lo.Uniq(lo.Map(found, func(e *T, _ int) int64 { return E(e).number() })); len(got) > 1 || len(found)%3 != 0 {
		return was, fmt.Errorf("%d rows with %v are stored, after %v", len(found), got, saved) //nolint:errorlint // it may be nil
	} else if len(got) == 1 {
		is = got[0]
	}
	may := []int64{was}
	switch {
	case saved == nil || errors.Is(saved, lockedrepo.ErrRelease):
		l.written.Add(1)
		may = []int64{n}
	case errors.Is(saved, repo.ErrUnknown):
		l.unknown.Add(1)
		may = []int64{was, n}
	default:
		l.refused.Add(1)
	}
	if bad && is == n || !lo.Contains(may, is) {
		return was, fmt.Errorf("%d is stored, and not one of %d, after %v", is, may, saved) //nolint:errorlint // it may be nil
	}
	return is, nil
}
