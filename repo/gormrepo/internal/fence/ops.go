package fence

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
)

// An operation is named by the milliseconds of its time and random bits, in
// hexadecimal digits, so that names sort by age: their index grows at its end,
// and old ones are one range of it.
const (
	opLen     = 32
	opTimeLen = 12
)

// opMark is between the digits of an operation and the schema of the fence that it is
// noted in, as callers get both.
const opMark = "@"

func (t tables) newOp(now time.Time) string {
	var random [(opLen - opTimeLen) / 2]byte
	_, _ = rand.Read(random[:]) // never fails
	return opTime(now) + hex.EncodeToString(random[:]) + lo.Ternary(t.schema == "", "", opMark+t.schema)
}

// opIn is the fence that an operation is noted in, and its name there.
func (t tables) opIn(op string) (there tables, id string) {
	id, schema, ok := strings.Cut(op, opMark)
	if !ok {
		return t, id
	}
	return t.in(schema), id
}

// noteSQL notes that the transaction commits the operation.
func (t tables) noteSQL(op string) string {
	there, id := t.opIn(op)
	return "INSERT INTO " + there.name("ops") + " (op, written) VALUES ('" + id + "', true)"
}

func opTime(t time.Time) string { return fmt.Sprintf("%0*x", opTimeLen, t.UnixMilli()) }

// Outcome tells whether an operation was written. The answer is final.
func Outcome(ctx context.Context, db *gorm.DB, op string) (written bool, err error) {
	t, pool, err := tablesOf(db)
	if err != nil {
		return false, err
	}
	return t.outcome(ctx, pool, op)
}

func (t tables) outcome(ctx context.Context, pool gorm.ConnPool, op string) (bool, error) {
	there, id := t.opIn(op)
	at, err := strconv.ParseInt(id[:min(len(id), opTimeLen)], 16, 64)
	if _, bad := hex.DecodeString(id); bad != nil || err != nil || len(id) != opLen {
		return false, fmt.Errorf("%w: %q is no operation", repo.ErrInvalid, op)
	}
	written, err := there.mark(ctx, pool, id)
	if isMissing(err) {
		return false, missing(err)
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
func (t tables) mark(ctx context.Context, pool gorm.ConnPool, id string) (written bool, err error) {
	ignore := " ON CONFLICT DO NOTHING"
	if t.dialect == sqltext.MySQL {
		ignore = " ON DUPLICATE KEY UPDATE op = op"
	}
	for n := 1; ; n++ {
		_, err = pool.ExecContext(ctx, "INSERT INTO "+t.name("ops")+" (op, written) VALUES ('"+id+"', false)"+ignore)
		if err == nil || !dberr.IsDeadlock(err) || n == attempts {
			break
		}
	}
	if err != nil {
		return false, err
	}
	err = pool.QueryRowContext(ctx, "SELECT written FROM "+t.name("ops")+" WHERE op = '"+id+"'").Scan(&written)
	return written, err
}
