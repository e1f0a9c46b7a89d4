package fence

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
)

const (
	// MinPruneAge keeps operations that somebody may be asking for.
	MinPruneAge = time.Minute
	// tidyEvery is after how many writes of a repository old notes are deleted.
	tidyEvery = 256
	// tidyRows is how many at once: more than were made, so that a backlog gets
	// smaller.
	tidyRows = 2 * tidyEvery
	// tidyLimit bounds how long that may keep the caller.
	tidyLimit = time.Second
	// tidySteps is in how many steps the age is counted, each of which is stored
	// before notes of it are deleted. Between them nothing is left to do most of
	// the time.
	tidySteps = 24
)

// tidy deletes some old notes after every so many writes, by the way: a
// repository is never closed, so it has no process that could do it. An error is
// logged once and is no concern of the caller, whose write is done.
func (f *Fence) tidy(ctx context.Context, pool gorm.ConnPool) {
	keep, p := f.Keep, &f.prune
	if keep < 0 || ctx.Err() != nil || !p.mu.TryLock() {
		return
	}
	defer p.mu.Unlock()
	p.writes++
	until := time.Now().Add(-keep).Truncate(keep / tidySteps)
	if p.off || p.writes%tidyEvery != 0 || !p.done.Before(until) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tidyLimit)
	defer cancel()
	n, err := f.tables().prune(ctx, pool, until, tidyRows, &p.last)
	switch {
	case err == nil && n < tidyRows:
		p.done = until
	case dberr.IsDenied(err):
		p.off = true
		f.db.Logger.Warn(ctx, "gormrepo: old notes of writes cannot be deleted, and are left to gormrepo.PruneOps: %v", dberr.Denied(err, f.name("ops"), "DELETE"))
	case err != nil:
		p.done = until // the next step tries again
		f.db.Logger.Warn(ctx, "gormrepo: deleting old notes of writes: %v", err)
	}
}

// prune deletes at most so many notes of operations that began before a time, all
// of them when that is zero, the oldest first and those after last only.
func (t tables) prune(ctx context.Context, pool gorm.ConnPool, until time.Time, most int, last *string) (int64, error) {
	// First, so that nobody takes a removed note for one that was never made.
	_, err := pool.ExecContext(ctx, t.bind("UPDATE "+t.name("meta")+" SET value = ? WHERE name = 'pruned' AND value < ?"), until.UnixMilli(), until.UnixMilli())
	if err != nil {
		return 0, err
	}
	if most == 0 {
		return dberr.Affected(pool.ExecContext(ctx, t.bind("DELETE FROM "+t.name("ops")+" WHERE op < ?"), opTime(until)))
	}
	ops, limit := t.name("ops"), " ORDER BY op LIMIT "+strconv.Itoa(most)
	switch t.dialect {
	case sqltext.MySQL:
		return dberr.Affected(pool.ExecContext(ctx, "DELETE FROM "+ops+" WHERE op < ?"+limit, opTime(until)))
	case sqltext.SQLite:
		return dberr.Affected(pool.ExecContext(ctx, "DELETE FROM "+ops+" WHERE op IN (SELECT op FROM "+ops+" WHERE op < ?"+limit+")", opTime(until)))
	}
	var n int64
	err = pool.QueryRowContext(ctx, "WITH old AS (SELECT op FROM "+ops+" WHERE op > $1 AND op < $2"+limit+" FOR UPDATE SKIP LOCKED),"+
		" gone AS (DELETE FROM "+ops+" o USING old WHERE o.op = old.op RETURNING o.op)"+
		" SELECT count(*), coalesce(max(op), $1) FROM gone", *last, opTime(until)).Scan(&n, last)
	return n, err
}

// Prune deletes the notes of operations that began longer ago.
func Prune(ctx context.Context, db *gorm.DB, olderThan time.Duration, schemas []string) (sum int64, err error) {
	err = each(db, schemas, func(t tables, pool gorm.ConnPool) error {
		if olderThan < MinPruneAge {
			return fmt.Errorf("%w: an age of %v", repo.ErrInvalid, olderThan)
		}
		n, err := t.prune(ctx, pool, time.Now().Add(-olderThan), 0, nil)
		if isMissing(err) {
			err = missing(err)
		}
		sum += n
		return err
	})
	return sum, err
}
