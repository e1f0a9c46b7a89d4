package gormrepo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/fence"
)

// FenceMode says that every transaction under a fence begins with its claims;
// see driver.Fencer.
func (r *store) FenceMode() driver.FenceMode { return driver.FenceTx }

// MigrateFence makes the tables that a fence needs where they are missing, and
// changes those of earlier versions. They belong into the schema of the entities'
// tables (on MySQL the database, on SQLite the attached one); without schemas it
// is the one that the connection of db uses. It may be called each time a program
// starts, by several at once, and needs the right to create tables only when
// there is something to create. Writers of an earlier version get errors after
// its tables were changed.
func MigrateFence(ctx context.Context, db *gorm.DB, schemas ...string) error {
	return fenceError("migrate fence", fence.Denied(fence.Migrate(ctx, db, schemas)))
}

// FenceDDL returns the statements that MigrateFence runs on a database without a
// fence, for tools like Flyway: one a line, each ended by a semicolon. The dialect
// is "postgres", "mysql" (and MariaDB) or "sqlite", else the error is
// repo.ErrUnsupported. The tables are made where a connection makes tables, or in
// the schema given.
func FenceDDL(dialect string, schema ...string) (string, error) {
	if len(schema) > 1 {
		return "", fmt.Errorf("gormrepo: fence: %w: one schema at a time", repo.ErrInvalid)
	}
	statements, err := fence.DDL(dialect, strings.Join(schema, ""))
	if err != nil {
		return "", fenceError("fence", err)
	}
	return strings.Join(statements, ";\n") + ";\n", nil
}

// AdvanceEpoch makes every claim from now on newer than all that the fence has
// seen. It is for the operator, after etcd was restored from a backup or made
// again, so that its revisions begin below those that are stored, which is
// repo.ErrRegressed. Before calling it, make sure that no process is left which
// uses the other etcd: it would be treated as newer too. The schemas are those of
// MigrateFence: name all that have a fence for the same etcd.
func AdvanceEpoch(ctx context.Context, db *gorm.DB, schemas ...string) error {
	return fenceError("advance epoch", fence.Denied(fence.Advance(ctx, db, schemas)))
}

// Outcome tells whether the operation op of a *repo.UnknownError was written. The
// answer is final: an operation that is not there is marked, so that it cannot
// be committed any more, and one whose transaction is still open is waited for.
// The error is a *repo.UnknownError again when the database could not be asked,
// or when the operation is so old that PruneOps may have removed it.
func Outcome(ctx context.Context, db *gorm.DB, op string) (written bool, err error) {
	written, err = fence.Outcome(ctx, db, op)
	return written, fenceError("outcome", err)
}

// PruneOps removes the notes about operations that began longer ago, and returns
// how many there were. Outcome then knows nothing of so old ones. Every write
// under a fence leaves a note of about a hundred bytes, which later writes delete
// after Options.KeepOps: this is for databases where they are not allowed to, or
// told not to. An age below a minute is repo.ErrInvalid. The schemas are those of
// MigrateFence.
func PruneOps(ctx context.Context, db *gorm.DB, olderThan time.Duration, schemas ...string) (int64, error) {
	n, err := fence.Prune(ctx, db, olderThan, schemas)
	return n, fenceError("prune operations", err)
}

// MoveGuard makes another key the guard of the table: the last step but one of
// renaming the key that its writers lock.
//
// The steps are: run all processes with both keys, which they lock and show both;
// then call MoveGuard once; then run them with the new key only. Each step may
// take its time, and the way back is the same with the keys exchanged. A process
// that is still at the step before, or ahead, gets repo.ErrWrongKey and has
// written nothing, also when its statement was waiting while the guard moved. A
// call that has read and not written yet when the guard moves gets repo.ErrFenced.
//
// It waits for the transactions that hold one of the keys in the database. It
// does nothing when the guard has moved already, and returns a
// *repo.WrongKeyError when it is neither of the two. It may be called
// concurrently, and must not be called inside a transaction.
func (r *store) MoveGuard(ctx context.Context, from, to string) error {
	err := repo.ErrInTx
	if r.TxState(ctx) == driver.TxNone {
		err = r.fence.PrepareMove(ctx, from, to)
	}
	if err == nil {
		err = r.repeat(ctx, func(*call) error { return r.fence.MoveGuard(ctx, from, to) })
	}
	return r.failed(ctx, "move guard", err)
}

func fenceError(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("gormrepo: %s: %w", doing, err)
}
