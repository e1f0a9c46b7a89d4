package fence

import (
	"context"
	"slices"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/dberr"
	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
)

// guarded is the key of those given that guards the table. It is remembered: from
// then on each claim of that key is accepted only as long as its row tells of no
// move, so that another look takes no statement of its own. What is looked up
// inside a transaction may be rolled back, and is not remembered.
func (f *Fence) guarded(ctx context.Context, pool gorm.ConnPool, keys []string, inside bool) (guardian, error) {
	if len(keys) == 0 {
		return guardian{}, nil
	}
	if known := f.guard.Load(); known != nil && slices.Contains(keys, known.key) {
		return *known, nil
	}
	g, err := f.lookGuard(ctx, pool)
	if dberr.IsNoRows(err) {
		if err := f.register(ctx, pool, keys[0]); err != nil {
			return g, err
		}
		g, err = f.lookGuard(ctx, pool)
	}
	if err != nil {
		return g, err
	}
	if !slices.Contains(keys, g.key) {
		return g, f.wrongKey(g.key, keys...)
	}
	if !inside {
		f.guard.Store(&g)
	}
	return g, nil
}

func (f *Fence) wrongKey(registered string, keys ...string) error {
	return &repo.WrongKeyError{Resource: f.resource(), Registered: registered, Presented: keys}
}

// lookGuard reads the key that guards the table, and what is known of its row.
func (f *Fence) lookGuard(ctx context.Context, pool gorm.ConnPool) (g guardian, err error) {
	n, live := "0", ""
	if f.dialect == sqltext.Postgres {
		n, live = "coalesce(f.n, 0)", " AND f.live = 1"
	}
	var row int64
	err = pool.QueryRowContext(ctx, f.bind("SELECT g.k, coalesce(f.gen, 0), "+n+" FROM "+f.name("guard")+" g LEFT JOIN "+f.name("fence")+
		" f ON f.k = g.k"+live+" WHERE g.resource = ?"), f.resource()).Scan(&g.key, &g.gen, &row)
	if err == nil && f.row(g.key) == 0 {
		f.setRow(g.key, row)
	}
	return g, err
}

// register makes a key the guard of the table, unless another one is.
func (f *Fence) register(ctx context.Context, pool gorm.ConnPool, key string) error {
	ignore := " ON CONFLICT DO NOTHING"
	if f.dialect == sqltext.MySQL {
		ignore = " ON DUPLICATE KEY UPDATE k = k"
	}
	_, err := pool.ExecContext(ctx, f.bind("INSERT INTO "+f.name("guard")+" (resource, k) VALUES (?, ?)"+ignore), f.resource(), key)
	return err
}
