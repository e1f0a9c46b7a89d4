package fence

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/txconn"
)

// PrepareMove makes what MoveGuard needs.
func (f *Fence) PrepareMove(ctx context.Context, from, to string) error {
	if from == to {
		return fmt.Errorf("%w: from %q to the same key", repo.ErrInvalid, from)
	}
	for _, key := range []string{from, to} {
		if err := checkKey(key); err != nil {
			return err
		}
	}
	pool := f.pool()
	if err := f.locate(ctx, pool); err != nil {
		return failed(nil, err)
	}
	if err := f.tables().create(ctx, pool, []string{from, to}); err != nil {
		return failed(nil, err)
	}
	return nil
}

// MoveGuard makes another key the guard of the table.
func (f *Fence) MoveGuard(ctx context.Context, from, to string) error {
	var opts []*sql.TxOptions
	if f.dialect != sqltext.SQLite { // which knows one isolation only
		opts = append(opts, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	}
	tx := f.db.Session(&gorm.Session{NewDB: true, Context: ctx}).Begin(opts...)
	if tx.Error != nil {
		return tx.Error
	}
	defer tx.Rollback() // says no more than that it is over after the commit
	t, pool := f.tables(), txconn.Unprepared(tx.Statement.ConnPool)
	for _, key := range slices.Sorted(slices.Values([]string{from, to})) {
		// Every writer under the key has ended after this, or will meet the new row.
		if _, err := pool.ExecContext(ctx, t.bind("UPDATE "+t.name("fence")+" SET sub = sub WHERE k = ?"+t.isLive()), key); err != nil {
			return failed(nil, err)
		}
	}
	g, err := f.lookGuard(ctx, pool)
	switch {
	case dberr.IsNoRows(err):
		if err := f.register(ctx, pool, from); err != nil {
			return err
		}
	case err != nil:
		return failed(nil, err)
	case g.key == to:
		return nil
	case g.key != from:
		return f.wrongKey(g.key, from, to)
	}
	n, err := dberr.Affected(pool.ExecContext(ctx, t.bind("UPDATE "+t.name("guard")+" SET k = ? WHERE resource = ? AND k = ?"), to, f.resource(), from))
	if err == nil && n != 1 {
		err = fmt.Errorf("%w: another call was first", repo.ErrBusy)
	}
	if err == nil {
		// It ends the turn that was seen last, too: what that read may be changed
		// under the other key, and the guard may be back before it writes.
		n, err = dberr.Affected(pool.ExecContext(ctx, t.bind("UPDATE "+t.name("fence")+" SET gen = gen + 1, sub = sub | 4294967295 WHERE k = ?"+t.isLive()), from))
	}
	if err == nil && n != 1 {
		err = errNone
	}
	if err != nil {
		return err
	}
	return tx.Commit().Error
}
