package fence

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/holdfast-go/holdfast/repo/gormrepo/internal/sqltext"
)

// Stat is what is in the tables of one fence.
type Stat struct {
	Schema string
	Keys   int64
	Epoch  int64
	Ops    int64
	Oldest time.Time
	Pruned time.Time
}

// Stats counts what is in the tables of each schema.
func Stats(ctx context.Context, db *gorm.DB, schemas []string) ([]Stat, error) {
	var all []Stat
	err := each(db, schemas, func(t tables, pool gorm.ConnPool) error {
		s, err := t.stat(ctx, pool)
		if isMissing(err) {
			err = missing(err)
		}
		all = append(all, s)
		return err
	})
	return all, err
}

func (t tables) stat(ctx context.Context, pool gorm.ConnPool) (Stat, error) {
	s := Stat{Schema: t.schema}
	var oldest sql.NullString
	var pruned int64
	meta := func(name string) string {
		return "(SELECT value FROM " + t.name("meta") + " WHERE name = '" + name + "')"
	}
	err := pool.QueryRowContext(ctx, "SELECT count(*), min(op), "+meta("epoch")+", "+meta("pruned")+
		", (SELECT count(DISTINCT k) FROM "+t.name("fence")+") FROM "+t.name("ops")).Scan(&s.Ops, &oldest, &s.Epoch, &pruned, &s.Keys)
	if err != nil {
		return s, err
	}
	if at, err := strconv.ParseInt(oldest.String[:min(len(oldest.String), opTimeLen)], 16, 64); err == nil {
		s.Oldest = time.UnixMilli(at)
	}
	if pruned > 0 {
		s.Pruned = time.UnixMilli(pruned)
	}
	return s, nil
}

// OldestSnapshot is the age of the oldest snapshot of PostgreSQL, zero elsewhere.
func OldestSnapshot(ctx context.Context, db *gorm.DB) (time.Duration, error) {
	t, pool, err := tablesOf(db)
	if err != nil || t.dialect != sqltext.Postgres {
		return 0, err
	}
	var age float64
	err = pool.QueryRowContext(ctx, "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8"+
		" FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND datname = current_database() AND pid <> pg_backend_pid()").Scan(&age)
	return time.Duration(age * float64(time.Second)), err
}
