package lockedrepos_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/drivers"
	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/integration_test/internal/check"
	"github.com/holdfast-go/holdfast/integration_test/internal/embedded"
	"github.com/holdfast-go/holdfast/integration_test/internal/locks"
	"github.com/holdfast-go/holdfast/integration_test/internal/scale"
	"github.com/holdfast-go/holdfast/integration_test/internal/sqldb"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo"
)

// Two types of a shop. Each entity lists the effects that it had, so that an
// update which is lost takes those of others along.
type (
	ledgerProduct struct {
		ID  string `gorm:"primaryKey"`
		N   int64
		Ops string
	}
	ledgerOrder struct {
		ID  string `gorm:"primaryKey"`
		N   int64
		Ops string
	}
	// ledgerEntry is a row that is only added. No lock guards it.
	ledgerEntry struct {
		ID string `gorm:"primaryKey"`
	}
)

func (p *ledgerProduct) note(mark string) { p.N++; p.Ops += mark + " " }
func (o *ledgerOrder) note(mark string)   { o.N++; o.Ops += mark + " " }

const (
	ledgerEntities = 4 // of each type
	ledgerPods     = 2
	ledgerWorkers  = 100
)

func ledgerID(rng *rand.Rand) string { return fmt.Sprint(rng.IntN(ledgerEntities)) }

// ledgerSite is a database that two pods share.
type ledgerSite struct {
	*locks.Fleet
	backend string
	db      *gorm.DB // of the test itself
	pods    []*ledgerPod
	dsn     drivers.SQLConfig
	marks   atomic.Int64
	// stragglers are goroutines that write on when their transaction is over.
	stragglers sync.WaitGroup

	mu    sync.Mutex
	kinds map[string]bool // of operations, acknowledged and refused
}

// ledgerPod is a process: its own Locker and its own connections.
type ledgerPod struct {
	db       *gorm.DB
	locker   *etcdlock.Locker
	products *ledgerBook
	orders   *ledgerBook
	entries  *gormrepo.Repository[ledgerEntry]
}

// ledgerBook is one type as the operations use it.
type ledgerBook struct {
	key      string
	lockable lockedrepo.Lockable
	inTx     func(ctx context.Context, fn func(context.Context) error) error
	update   func(ctx context.Context, id, mark string, mood func() error) error
	readSave func(ctx context.Context, id, mark string, mood func() error) error
}

func newLedgerBook[T any, P interface {
	*T
	note(mark string)
}](t testing.TB, db *gorm.DB, locker *etcdlock.Locker, key string) *ledgerBook {
	t.Helper()
	plain, err := gormrepo.New[T](db, &gormrepo.Options{HoldLimit: 2 * time.Second})
	check.Must(t, err)
	r, err := lockedrepo.New(plain, locker, &lockedrepo.Options{Key: key, LockTimeout: 5 * time.Second})
	check.Must(t, err)
	return &ledgerBook{
		key: key, lockable: r, inTx: r.InTx,
		update: func(ctx context.Context, id, mark string, mood func() error) error {
			_, err := r.Update(ctx, id, func(e *T) error { P(e).note(mark); return mood() })
			return err
		},
		readSave: func(ctx context.Context, id, mark string, mood func() error) error {
			return ledgerReadSave[T, P](ctx, r, id, mark, mood)
		},
	}
}

func ledgerReadSave[T any, P interface {
	*T
	note(mark string)
}](ctx context.Context, r repo.Repository[T], id, mark string, mood func() error) error {
	e, err := r.FindByID(ctx, id)
	if err != nil {
		return err
	}
	P(e).note(mark)
	if err := mood(); err != nil {
		return err
	}
	return r.Save(ctx, e)
}

// newLedgerSite makes the tables and the pods.
func newLedgerSite(t *testing.T, b sqldb.Backend) *ledgerSite {
	t.Helper()
	s := &ledgerSite{Fleet: locks.NewFleet(t, embedded.EtcdEndpoints(t)), backend: b.Name, kinds: map[string]bool{}, dsn: ledgerDatabase(t, b.Name)}
	s.db = sqldb.Open(t, s.dsn)
	check.Must(t, s.db.AutoMigrate(&ledgerProduct{}, &ledgerOrder{}, &ledgerEntry{}))
	check.Must(t, gormrepo.MigrateFence(t.Context(), s.db))
	for id := range ledgerEntities {
		check.Must(t, s.db.Create(&ledgerProduct{ID: fmt.Sprint(id)}).Error)
		check.Must(t, s.db.Create(&ledgerOrder{ID: fmt.Sprint(id)}).Error)
	}
	for range ledgerPods {
		// Half of the transactions of one type do not keep the order of the keys.
		p := &ledgerPod{db: sqldb.Open(t, s.dsn), locker: s.Locker(&etcdlock.Options{DeadlockTimeout: 30 * time.Millisecond})}
		p.products = newLedgerBook[ledgerProduct](t, p.db, p.locker, "shop.Product")
		p.orders = newLedgerBook[ledgerOrder](t, p.db, p.locker, "shop.Order") // sorts before it
		var err error
		p.entries, err = gormrepo.New[ledgerEntry](p.db, nil)
		check.Must(t, err)
		s.pods = append(s.pods, p)
	}
	return s
}

// ledgerDatabase is an empty database that several pools can be opened on.
func ledgerDatabase(t *testing.T, backend string) drivers.SQLConfig {
	t.Helper()
	switch backend {
	case "PostgreSQL":
		return drivers.SQLConfig{Dialect: drivers.Postgres, DSN: sqldb.PostgresSchema(t)}
	case "MySQL":
		return drivers.SQLConfig{Dialect: drivers.MySQL, DSN: sqldb.MySQLDatabase(t)}
	default:
		return drivers.SQLConfig{Dialect: drivers.SQLite, DSN: t.TempDir() + "/ledger.db?_pragma=busy_timeout(1000)"}
	}
}

// Every operation that was acknowledged is in the ledger once, with all its
// effects, and none of one that was refused is, whatever happened to the
// operations: contexts that ended, callbacks that failed, panicked or swallowed
// an error, connections that were killed, transactions of others that made
// deadlocks, leases that were revoked.
func TestLocked_Ledger(t *testing.T) {
	t.Parallel()
	for _, b := range sqldb.Backends()[:3] {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, 5*time.Minute)
			s := newLedgerSite(t, b)
			run, stop := context.WithTimeout(ctx, scale.Full(time.Minute))
			defer stop()
			var chaos, workers sync.WaitGroup
			faults := s.begin(run, &chaos)
			done := make([][]*ledgerOp, ledgerWorkers)
			for i := range ledgerWorkers {
				w := &ledgerWorker{site: s, pod: s.pods[i%ledgerPods], rng: rand.New(rand.NewPCG(uint64(i), 1))}
				workers.Go(func() {
					// A busy machine gets less done in the time, but something of each kind.
					for ctx.Err() == nil && (run.Err() == nil || !s.everyKind()) {
						op := w.one(ctx)
						done[i] = append(done[i], op)
						s.saw(op)
					}
				})
			}
			workers.Wait()
			stop()
			chaos.Wait()
			tally := s.check(ctx, t, done)
			t.Logf("%s; %s", tally, faults)
			tally.want(t)
			faults.want(t, s)
		})
	}
}

// Reading and saving without a lock loses what was acknowledged, and the ledger
// shows it.
func TestLocked_LedgerSeesLostUpdates(t *testing.T) {
	t.Parallel()
	for _, b := range sqldb.Backends()[:3] {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			ctx := check.Bounded(t, time.Minute)
			s := newLedgerSite(t, b)
			var acknowledged atomic.Int64
			var workers sync.WaitGroup
			for i := range 20 {
				plain, err := gormrepo.New[ledgerProduct](s.pods[i%ledgerPods].db, nil)
				check.Must(t, err)
				workers.Go(func() {
					for range 10 {
						err := ledgerReadSave[ledgerProduct](ctx, plain, "0", s.mark(), func() error { return nil })
						if err == nil {
							acknowledged.Add(1)
						}
					}
				})
			}
			workers.Wait()
			p := sqldb.Rows[ledgerProduct](t, s.db)[0]
			stored := int64(len(strings.Fields(p.Ops)))
			t.Logf("%d of %d acknowledged updates were lost", acknowledged.Load()-stored, acknowledged.Load())
			if stored >= acknowledged.Load() {
				t.Error("the control design lost nothing")
			}
		})
	}
}

func (s *ledgerSite) saw(op *ledgerOp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kinds[fmt.Sprint(op.kind, op.err == nil)] = true
	s.kinds["swallowed"] = s.kinds["swallowed"] || op.swallowed > 0
	s.kinds["panicked"] = s.kinds["panicked"] || errors.Is(op.err, errLedgerPanic)
}

// everyKind tells whether each of the four kinds of operations was acknowledged and
// refused, an error swallowed, and a panic let through.
func (s *ledgerSite) everyKind() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.kinds) == 2*4+2 && s.kinds["swallowed"] && s.kinds["panicked"]
}

// mark is a new name of an effect.
func (s *ledgerSite) mark() string { return fmt.Sprintf("m%d", s.marks.Add(1)) }

var (
	errLedgerMood  = errors.New("the callback fails")
	errLedgerPanic = errors.New("the callback panics")
)
