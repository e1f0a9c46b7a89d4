package alsoshedlock

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/lockedrepo"
	"github.com/holdfast-go/holdfast/lockedrepo/internal/lease"
	"github.com/holdfast-go/holdfast/repo"
)

// Dialect is the kind of a database.
type Dialect string

// The databases whose tables of ShedLock can be used. MySQL stands for MariaDB, too.
const (
	PostgreSQL Dialect = "postgres"
	MySQL      Dialect = "mysql"
	SQLite     Dialect = "sqlite"
)

// Options change how locks in the table are taken. The zero value is the default.
type Options struct {
	// Table is the name of the table, with its schema if it needs one. Empty means shedlock.
	Table string
	// TTL is how long a lock outlives a process that was killed, which ShedLock calls
	// lockAtMostFor. It is extended at a third of it, and counts as lost when nine tenths have
	// passed without an answer. Zero means 30 seconds, the least is 100 milliseconds.
	TTL time.Duration
	// Every is the time between two tries for a lock that another has. Zero means 20
	// milliseconds.
	Every time.Duration
	// Zone is that in which pods without usingDbTime write the time of their own clock. Nil
	// means that all pods use the time of the database. On SQLite it means nothing.
	Zone *time.Location
}

// Locker takes locks in a table of ShedLock. It is a lockedrepo.OtherLocker. It may be used
// concurrently.
type Locker struct {
	db         *sql.DB
	table      string
	ttl, every time.Duration
	clock      clock
	dialect    Dialect
}

var _ lockedrepo.OtherLocker = (*Locker)(nil)

var tableName = regexp.MustCompile(`^\w+(\.\w+)?$`)

// New returns a Locker on a table that is there. It does no I/O. ErrInvalid for a nil pool, an
// unknown dialect, a table whose name would need quotes, and times that are too short.
func New(db *sql.DB, dialect Dialect, opts *Options) (*Locker, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	l := &Locker{db: db, table: cmp.Or(o.Table, "shedlock"), dialect: dialect, clock: clockOf(dialect, o.Zone)}
	switch {
	case db == nil:
		return nil, fmt.Errorf("alsoshedlock: new: %w: nil pool", repo.ErrInvalid)
	case l.clock == nil:
		return nil, fmt.Errorf("alsoshedlock: new: %w: unknown dialect %q", repo.ErrInvalid, dialect)
	case !tableName.MatchString(l.table):
		return nil, fmt.Errorf("alsoshedlock: new: %w: table name %q", repo.ErrInvalid, l.table)
	}
	var err error
	if l.ttl, l.every, err = lease.Times(o.TTL, o.Every); err != nil {
		return nil, fmt.Errorf("alsoshedlock: new: %w", err)
	}
	return l, nil
}

// Lock does what lockedrepo.OtherLocker says. The name is that of the row.
func (l *Locker) Lock(ctx context.Context, name string) (lockedrepo.OtherLock, error) {
	row := row{Locker: l, name: name, by: lockedBy()}
	held, err := lease.Take(ctx, lease.Terms{TTL: l.ttl, Every: l.every, Take: row.take, Renew: row.extend, Release: row.release})
	if err != nil {
		return nil, fmt.Errorf("alsoshedlock: lock: %w", err)
	}
	return held, nil
}

// lockedBy is the value of locked_by for one lock: the host, as in Java, and what makes it
// different from all others.
func lockedBy() string {
	host, _ := os.Hostname()
	if len(host) > 200 {
		host = host[:200]
	}
	return host + "/" + rand.Text()
}

// lost tells that a statement has found the lock of another, or none.
func lost(changed int64, err error) error {
	if err == nil && changed == 0 {
		return fmt.Errorf("%w: the row is locked by another, or was not extended in time", etcdlock.ErrLost)
	}
	return err
}
