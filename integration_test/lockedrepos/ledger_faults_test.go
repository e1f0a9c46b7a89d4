package lockedrepos_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// ledgerFaults counts what was done to the operations from outside.
type ledgerFaults struct{ killed, revoked, rivals atomic.Int64 }

func (f *ledgerFaults) String() string {
	return fmt.Sprintf("%d connections killed, %d leases revoked, %d rival transactions", f.killed.Load(), f.revoked.Load(), f.rivals.Load())
}

// want fails for a fault that was never felt.
func (f *ledgerFaults) want(t *testing.T, s *ledgerSite) {
	t.Helper()
	if server := s.dsn.Dialect != drivers.SQLite; server && (f.killed.Load() == 0 || f.rivals.Load() == 0) || f.revoked.Load() == 0 {
		t.Errorf("not all faults happened: %s", f)
	}
}

// begin starts the faults. They end with ctx.
func (s *ledgerSite) begin(ctx context.Context, wg *sync.WaitGroup) *ledgerFaults {
	f := &ledgerFaults{}
	every := func(d time.Duration, n *atomic.Int64, do func() error) {
		wg.Go(func() {
			tick := time.NewTicker(d)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				if do() == nil {
					n.Add(1)
				}
			}
		})
	}
	looker := s.Locker(nil)
	every(2*time.Second, &f.revoked, func() error {
		return breakHold(ctx, s.Fleet, looker, []string{"shop.Product", "shop.Order"}[rand.IntN(2)])
	})
	if s.dsn.Dialect != drivers.SQLite { // there, contexts that end interrupt statements
		every(100*time.Millisecond, &f.killed, func() error { return s.kill(ctx) })
		every(50*time.Millisecond, &f.rivals, func() error { return s.rival(ctx) })
	}
	return f
}

// kill ends one of the pods' connections, whatever it is doing.
func (s *ledgerSite) kill(ctx context.Context) error {
	db := s.db.WithContext(ctx)
	if s.dsn.Dialect == drivers.Postgres {
		// The pods are known by the tables that they have locked.
		var ended bool
		err := db.Raw("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation IN ('ledger_products'::regclass, 'ledger_orders'::regclass, 'holdfast_fence'::regclass)" +
			" AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1").Scan(&ended).Error
		if err == nil && !ended {
			err = errors.New("there was none")
		}
		return err
	}
	var id int64
	err := db.Raw("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() ORDER BY command = 'Sleep', RAND() LIMIT 1").Scan(&id).Error
	if err != nil {
		return err
	}
	return db.Exec(fmt.Sprintf("KILL CONNECTION %d", id)).Error
}

// rival locks rows of both types in the order of its own, without changing them,
// as a report or a console does. The database makes a deadlock's end of it, or of
// an operation.
func (s *ledgerSite) rival(ctx context.Context) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		limit := "SET LOCAL deadlock_timeout = '5ms'"
		if s.dsn.Dialect == drivers.MySQL {
			limit = "SET innodb_lock_wait_timeout = 1"
		}
		tables := []string{"ledger_products", "ledger_orders"}
		if rand.IntN(2) == 0 {
			tables[0], tables[1] = tables[1], tables[0]
		}
		err := tx.Exec(limit).Error
		for _, table := range tables {
			if err == nil {
				err = tx.Exec("SELECT id FROM " + table + " FOR UPDATE").Error
			}
		}
		return err
	})
}

// ledgerTally is what became of the operations.
type ledgerTally struct {
	acknowledged, refused, unknown map[string]int
	swallowed, panicked, cancelled int
	reasons                        map[string]int // of refusals
	wrong                          map[string]int // what, and how often
}

// check compares what the operations were told with what is stored.
func (s *ledgerSite) check(ctx context.Context, t *testing.T, done [][]*ledgerOp) *ledgerTally {
	t.Helper()
	s.stragglers.Wait()
	tally := &ledgerTally{acknowledged: map[string]int{}, refused: map[string]int{}, unknown: map[string]int{}, reasons: map[string]int{}, wrong: map[string]int{}}
	stored := s.stored(t, tally)
	for _, op := range slicesOf(done) {
		written, kind := op.err == nil || errors.Is(op.err, lockedrepo.ErrRelease), "refused"
		if written {
			kind = "acknowledged"
		}
		tally.swallowed += op.swallowed
		if errors.Is(op.err, errLedgerPanic) {
			tally.panicked++
		}
		if op.cancelled {
			tally.cancelled++
		}
		if unknown, ok := errors.AsType[*repo.UnknownError](op.err); ok {
			var err error
			if written, err = gormrepo.Outcome(ctx, s.db, unknown.Op); err != nil {
				tally.add("%s: outcome: %v", op.kind, err)
				continue
			}
			kind = "unknown"
		}
		if kind == "refused" {
			tally.reasons[ledgerReason(op.err)]++
		}
		map[string]map[string]int{"acknowledged": tally.acknowledged, "refused": tally.refused, "unknown": tally.unknown}[kind][op.kind]++
		for _, e := range op.effects {
			want := 0
			// The only call of Update or Do said all that the operation does.
			if written && (e.done || op.kind == "Update" || op.kind == "Do") {
				want = 1
			}
			if n := stored[e.mark]; n != want {
				tally.add("%s, %s: an effect is there %d times, want %d\n\tthe operation: %v\n\tthe effect: %v; swallowed: %d",
					op.kind, kind, n, want, op.err, e.err, op.swallowed)
			}
		}
	}
	return tally
}

// ledgerReason names the first sentinel that an error matches.
func ledgerReason(err error) string {
	for _, s := range []error{
		errLedgerPanic, errLedgerMood, repo.ErrRolledBack, repo.ErrFenced, repo.ErrBusy, etcdlock.ErrOrder, etcdlock.ErrLost,
		etcdlock.ErrTimeout, etcdlock.ErrUnavailable, context.DeadlineExceeded, context.Canceled,
	} {
		if errors.Is(err, s) {
			return s.Error()
		}
	}
	return "the driver's"
}

func slicesOf(done [][]*ledgerOp) (all []*ledgerOp) {
	for _, ops := range done {
		all = append(all, ops...)
	}
	return all
}

// stored counts each mark.
func (s *ledgerSite) stored(t *testing.T, tally *ledgerTally) map[string]int {
	t.Helper()
	stored := map[string]int{}
	count := func(what, ops string, n int64) {
		marks := strings.Fields(ops)
		if int64(len(marks)) != n {
			tally.add("%s has %d effects and counts %d", what, len(marks), n)
		}
		for _, m := range marks {
			stored[m]++
		}
	}
	for _, p := range sqldb.Rows[ledgerProduct](t, s.db) {
		count("product "+p.ID, p.Ops, p.N)
	}
	for _, o := range sqldb.Rows[ledgerOrder](t, s.db) {
		count("order "+o.ID, o.Ops, o.N)
	}
	for _, e := range sqldb.Rows[ledgerEntry](t, s.db) {
		stored[e.ID]++
	}
	return stored
}

func (l *ledgerTally) String() string {
	return fmt.Sprintf("acknowledged %v, refused %v %v, unknown %v; %d errors swallowed, %d panics, %d contexts ended",
		l.acknowledged, l.refused, l.reasons, l.unknown, l.swallowed, l.panicked, l.cancelled)
}

// add notes something that is wrong. Numbers in it that differ do not make it
// another thing.
func (l *ledgerTally) add(format string, args ...any) {
	l.wrong[ledgerNumbers.ReplaceAllString(fmt.Sprintf(format, args...), "#")]++
}

var ledgerNumbers = regexp.MustCompile(`\b[0-9a-f]{16,}\b|\b[0-9]{2,}\b|(token|owner|turn) [0-9A-Z.]+`)

// want fails for everything that is wrong, and when something was never tried.
func (l *ledgerTally) want(t *testing.T) {
	t.Helper()
	for text, n := range l.wrong {
		t.Errorf("%d times: %s", n, text)
	}
	if len(l.acknowledged) != 4 || len(l.refused) != 4 || l.swallowed == 0 || l.panicked == 0 || l.cancelled == 0 {
		t.Errorf("not everything happened: %s", l)
	}
}
