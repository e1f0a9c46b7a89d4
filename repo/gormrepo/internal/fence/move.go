package fence

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
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
	var err error
	locked := map[string][]string{}
	for _, guard := range slices.Sorted(slices.Values([]string{from, to})) {
		// Every writer under the key has ended after this, or will meet the new row.
		if locked[guard], err = t.lockRows(ctx, pool, guard); err != nil {
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
	if err != nil {
		return err
	}
	for _, key := range locked[from] {
		// It ends the turn that was seen last, too: what that read may be changed
		// under the other key, and the guard may be back before it writes.
		n, err := dberr.Affected(pool.ExecContext(ctx, t.bind("UPDATE "+t.name("fence")+" SET gen = gen + 1, sub = sub | 4294967295 WHERE k = ?"+t.isLive()), key))
		if err == nil && n != 1 {
			err = errNone
		}
		if err != nil {
			return err
		}
	}
	return tx.Commit().Error
}

// lockRows locks the row of a guard and then those of its stripes, none of which can be
// made meanwhile. It returns their keys, sorted.
func (t tables) lockRows(ctx context.Context, pool gorm.ConnPool, guard string) ([]string, error) {
	lock := t.bind("UPDATE " + t.name("fence") + " SET sub = sub WHERE k = ?" + t.isLive())
	if _, err := pool.ExecContext(ctx, lock, guard); err != nil {
		return nil, err
	}
	stripes, err := t.stripesOf(ctx, pool, guard)
	if err != nil {
		return nil, err
	}
	for _, key := range stripes {
		if _, err := pool.ExecContext(ctx, lock, key); err != nil {
			return nil, err
		}
	}
	return append([]string{guard}, stripes...), nil
}

// stripesOf are the stripes of a guard that have a row.
func (t tables) stripesOf(ctx context.Context, pool gorm.ConnPool, guard string) ([]string, error) {
	if !driver.IsStripeName(guard) {
		return nil, nil
	}
	first := guard + "/"
	rows, err := pool.QueryContext(ctx, t.bind("SELECT k FROM "+t.name("fence")+" WHERE substr(k, 1, ?) = ?"+t.isLive()+" ORDER BY k"), utf8.RuneCountInString(first), first)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []string
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}
