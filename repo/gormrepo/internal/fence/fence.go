package fence

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

// Options are those of a Fence.
type Options struct {
	// Table is the table of the entities as GORM has it.
	Table string
	// Schema is where the tables of the fence are; empty: where Table is.
	Schema string
	// Limit is how long a claim waits, and how long a transaction that showed one
	// may be idle. Zero is without end.
	Limit time.Duration
	// Keep is how long notes of operations are kept; less than zero: by others.
	Keep time.Duration
}

// Fence is the fence of one table of entities, and what was learnt of it. All methods
// may be called concurrently.
type Fence struct {
	Options
	db      *gorm.DB
	dialect string
	// quoted is the table of the entities as GORM quotes it.
	quoted string
	home   atomic.Pointer[home]
	guard  atomic.Pointer[guardian]
	// rows are the numbers of the rows that the keys have on PostgreSQL, and on SQLite
	// the stripes that have one.
	rows  sync.Map
	prune pruner
}

const (
	// SettleSlack is how long settling takes at most beyond the time after which
	// the database ends a transaction that is idle.
	SettleSlack = 5 * time.Second
	// longest is that time where the database has none.
	longest = 30 * time.Second
	// attempts bounds how often something is asked that failed.
	attempts = 4
)

// home says where the tables of a fence are, and what it protects.
type home struct {
	tables
	// resource is the table of the entities, as the guard names it.
	resource string
	// seen is how the table was found: its number on PostgreSQL, the current
	// database on MySQL. It is empty where every connection finds the same.
	seen string
}

// guardian is the key that guards a table, and how often guards were moved away
// from it until then. No key: nobody checks it.
type guardian struct {
	key string
	gen int64
}

// pruner is what a repository knows of old notes.
type pruner struct {
	mu     sync.Mutex
	writes int
	// done is the time before which nothing is left.
	done time.Time
	// last is the newest note that was deleted: a database that cannot clear away
	// deleted rows at once must not look through them again.
	last string
	off  bool
}

// New makes the fence of a table in db. It does no I/O.
func New(db *gorm.DB, o Options) *Fence {
	stmt := &gorm.Statement{DB: db}
	return &Fence{Options: o, db: db, dialect: db.Name(), quoted: stmt.Quote(o.Table)}
}

// tables are those that were located.
func (f *Fence) tables() tables {
	if home := f.home.Load(); home != nil {
		return home.tables
	}
	return tables{dialect: f.dialect}
}

func (f *Fence) name(table string) string { return f.tables().name(table) }

func (f *Fence) bind(text string) string { return sqltext.Bind(f.dialect, text) }

func (f *Fence) resource() string {
	if home := f.home.Load(); home != nil {
		return home.resource
	}
	return ""
}

func (f *Fence) pool() gorm.ConnPool { return txconn.Unprepared(f.db.Statement.ConnPool) }

// row is the number under which a key's row is shown claims. It is a guess, and
// zero when there is none: a claim that meets no row of the key is refused.
func (f *Fence) row(key string) int64 {
	if n, ok := f.rows.Load(key); ok {
		if n, ok := n.(int64); ok {
			return n
		}
	}
	return 0
}

func (f *Fence) setRow(key string, n int64) {
	if f.dialect == sqltext.Postgres {
		f.rows.Store(key, n)
	}
}

// Showing is what one attempt at a transaction shows.
type Showing struct {
	claims []repo.Claim
	// op names the transaction in holdfast_ops. It is empty when the transaction
	// writes nothing.
	op string
	// keys are those of which one guards the table; none when that is not
	// checked.
	keys []string
	// guard is the key that does, with the number that its row must have, and
	// resource the table.
	guard    guardian
	resource string
}

// guarding are the keys of the claims whose rows tell whether the guard has moved.
func (s *Showing) guarding() []string {
	return lo.FilterMap(s.claims, func(c repo.Claim, _ int) (string, bool) { return c.Key, driver.Guards(s.guard.key, c.Key) })
}

// Op names the operation; it is empty when the transaction writes nothing.
func (s *Showing) Op() string { return s.op }
