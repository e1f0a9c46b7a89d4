package gormrepo

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
)

// An operation is named by the milliseconds of its time and random bits, in
// hexadecimal digits, so that names sort by age: their index grows at its end,
// and old ones are one range of it.
const (
	opLen     = 32
	opTimeLen = 12
)

func newOp(now time.Time) string {
	var random [(opLen - opTimeLen) / 2]byte
	_, _ = rand.Read(random[:]) // never fails
	return opTime(now) + hex.EncodeToString(random[:])
}

// opSuffix says in the name of an operation, as callers get it, where the fence
// is that it is noted in.
func (t fenceTable) opSuffix() string {
	if schema := t.schema(); schema != "" {
		return opMark + schema
	}
	return ""
}

// opMark is between the digits of an operation and the schema of its fence.
const opMark = "@"

// opIn is the fence that an operation is noted in, and its name there.
func (t fenceTable) opIn(op string) (there fenceTable, id string) {
	id, schema, ok := strings.Cut(op, opMark)
	if !ok {
		return t, id
	}
	return t.in(schema), id
}

// writtenSQL asks for the note of an operation. It is empty for none.
func (t fenceTable) writtenSQL(op string) string {
	if op == "" {
		return ""
	}
	there, id := t.opIn(op)
	return "SELECT written FROM " + there.name("ops") + " WHERE op = '" + id + "'"
}

func opTime(t time.Time) string { return fmt.Sprintf("%0*x", opTimeLen, t.UnixMilli()) }

// Outcome tells whether the operation op of a *repo.UnknownError was written. The
// answer is final: an operation that is not there is marked, so that it cannot
// be committed any more, and one whose transaction is still open is waited for.
// The error is a *repo.UnknownError again when the database could not be asked,
// or when the operation is so old that PruneOps may have removed it.
func Outcome(ctx context.Context, db *gorm.DB, op string) (written bool, err error) {
	t, pool, err := fenceOf(db)
	if err == nil {
		written, err = t.outcome(ctx, pool, op)
	}
	if err != nil {
		return false, fmt.Errorf("gormrepo: outcome: %w", err)
	}
	return written, nil
}

func (t fenceTable) outcome(ctx context.Context, pool gorm.ConnPool, op string) (bool, error) {
	there, id := t.opIn(op)
	at, err := strconv.ParseInt(id[:min(len(id), opTimeLen)], 16, 64)
	if _, bad := hex.DecodeString(id); bad != nil || err != nil || len(id) != opLen {
		return false, fmt.Errorf("%w: %q is no operation", repo.ErrInvalid, op)
	}
	written, err := there.mark(ctx, pool, id)
	if isMissing(err) {
		return false, missingFence(err)
	}
	if err == nil && !written {
		// Read after the mark was made, or operations could be removed in between.
		var pruned int64
		err = pool.QueryRowContext(ctx, "SELECT value FROM "+there.name("meta")+" WHERE name = 'pruned'").Scan(&pruned)
		if err == nil && at < pruned {
			err = errors.New("operations of that time were removed")
		}
	}
	if err != nil {
		return false, &repo.UnknownError{Op: op, Err: err}
	}
	return written, nil
}

// mark writes down that an operation was not written, unless it was. The
// transaction of the operation wrote the same key, so this waits until it has
// ended, and one that comes later fails.
func (t fenceTable) mark(ctx context.Context, pool gorm.ConnPool, id string) (written bool, err error) {
	ignore := " ON CONFLICT DO NOTHING"
	if t.dialect == mysql {
		ignore = " ON DUPLICATE KEY UPDATE op = op"
	}
	for n := 1; ; n++ {
		_, err = pool.ExecContext(ctx, "INSERT INTO "+t.name("ops")+" (op, written) VALUES ('"+id+"', false)"+ignore)
		if err == nil || !isDeadlock(err) || n == attempts {
			break
		}
	}
	if err != nil {
		return false, err
	}
	err = pool.QueryRowContext(ctx, "SELECT written FROM "+t.name("ops")+" WHERE op = '"+id+"'").Scan(&written)
	return written, err
}

// settleSlack is how long settling takes at most beyond the time after which
// the database ends a transaction that is idle.
const settleSlack = 5 * time.Second

// settle finds out whether an operation was written whose answer is err. It
// returns nil when it was, err when it was not, and a *repo.UnknownError when
// that cannot be known now. It goes on after ctx has ended: that may be why the
// answer is missing.
func (r *Repository[T]) settle(ctx context.Context, op string, err error) error {
	limit := r.fence.limit
	if limit == 0 {
		limit = DefaultHoldLimit
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit+settleSlack)
	defer cancel()
	for n := 1; ; n++ {
		written, asking := r.fence.outcome(ctx, unprepared(r.db.Statement.ConnPool), op)
		unknown, ok := errors.AsType[*repo.UnknownError](asking)
		switch {
		case asking == nil && written:
			return nil
		case asking == nil:
			return fmt.Errorf("not written: %w", err)
		case n == attempts || ctx.Err() != nil || !ok:
			if !ok {
				unknown = &repo.UnknownError{Op: op, Err: asking}
			}
			unknown.Err = fmt.Errorf("%w; the answer was lost by: %w", unknown.Err, err)
			return unknown
		}
	}
}

// isAnswer tells whether err is what the database said of a statement, so that
// this has not happened.
func isAnswer(err error) bool {
	if state := sqlState(err); len(state) == 5 {
		switch state[:2] {
		case "08", "57", "58", "XX": // the connection or the server went down
			return false
		}
		return state != "40003"
	}
	return mysqlNumber(err) != 0 || sqliteCode(err) != 0
}

// isUnsent tells whether err shows that nothing has reached the database.
func isUnsent(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	var retry interface{ SafeToRetry() bool }
	return errors.Is(err, driver.ErrBadConn) || errors.As(err, &retry) && retry.SafeToRetry()
}
