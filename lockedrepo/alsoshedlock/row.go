package alsoshedlock

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// row is one lock of the table, for one holder.
type row struct {
	*Locker
	name, by string
	// there tells that the row was seen, or made.
	there bool
}

// take tries to take the lock. A row that is missing is made first, as that of a lock which is free.
func (r *row) take(ctx context.Context) (bool, error) {
	n, err := r.update(ctx)
	if n > 0 || err != nil || r.there {
		return n > 0, err
	}
	made, err := r.insert(ctx)
	if err != nil {
		return false, err
	}
	r.there = true
	if made == 0 {
		return false, nil // it is there, and locked
	}
	n, err = r.update(ctx)
	return n > 0, err
}

func (r *row) update(ctx context.Context) (int64, error) {
	now, until := r.clock(r.ttl)
	return r.exec(ctx, text("UPDATE "+r.table+" SET lock_until = "), until, text(", locked_at = "), now,
		text(", locked_by = "), value(r.by), text(" WHERE name = "), value(r.name), text(" AND lock_until <= "), now)
}

func (r *row) insert(ctx context.Context) (int64, error) {
	verb, end := "INSERT INTO ", ") ON CONFLICT (name) DO NOTHING"
	if r.dialect == MySQL {
		verb, end = "INSERT IGNORE INTO ", ")"
	}
	now, _ := r.clock(r.ttl)
	return r.exec(ctx, text(verb+r.table+" (name, lock_until, locked_at, locked_by) VALUES ("), value(r.name),
		text(", "), now, text(", "), now, text(", "), value(r.by), text(end))
}

// extend has the lock live for another TTL.
func (r *row) extend(ctx context.Context) error {
	_, until := r.clock(r.ttl)
	return r.change(ctx, until)
}

// release gives the lock back.
func (r *row) release(ctx context.Context) error {
	now, _ := r.clock(r.ttl)
	return r.change(ctx, now)
}

// change gives the lock another end while it is held.
func (r *row) change(ctx context.Context, end part) error {
	now, _ := r.clock(r.ttl)
	return lost(r.exec(ctx, text("UPDATE "+r.table+" SET lock_until = "), end, text(" WHERE name = "), value(r.name),
		text(" AND locked_by = "), value(r.by), text(" AND lock_until > "), now))
}

// exec runs a statement in a transaction of its own, and returns how many rows it has changed.
func (r *row) exec(ctx context.Context, parts ...part) (int64, error) {
	var sql strings.Builder
	var args []any
	for _, p := range parts {
		sql.WriteString(p.sql)
		args = append(args, p.args...)
	}
	statement := sql.String()
	if r.dialect == PostgreSQL {
		statement = numbered(statement)
	}
	result, err := r.db.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// numbered writes $1, $2 and so on for the question marks. No text of a statement has one.
func numbered(statement string) string {
	var b strings.Builder
	for i, between := range strings.Split(statement, "?") {
		if i > 0 {
			b.WriteString("$" + strconv.Itoa(i))
		}
		b.WriteString(between)
	}
	return b.String()
}

// part is a piece of a statement, with its arguments.
type part struct {
	sql  string
	args []any
}

func text(sql string) part { return part{sql: sql} }

func value(v any) part { return part{"?", []any{v}} }

// clock returns what stands in a statement for now, and for the time after the TTL.
type clock func(ttl time.Duration) (now, until part)

// clockOf returns nil for an unknown dialect.
func clockOf(d Dialect, zone *time.Location) clock {
	switch {
	case d == SQLite:
		return ownTime(func(t time.Time) part { return value(t.UnixMilli()) })
	case d == PostgreSQL && zone != nil:
		return ownTime(func(t time.Time) part { return part{"CAST(CAST(? AS text) AS timestamp)", []any{inZone(t, zone)}} })
	case d == MySQL && zone != nil:
		return ownTime(func(t time.Time) part { return value(inZone(t, zone)) })
	case d == PostgreSQL:
		now := text("timezone('utc', CURRENT_TIMESTAMP)")
		return func(ttl time.Duration) (part, part) {
			return now, part{now.sql + " + make_interval(secs => CAST(? AS double precision))", []any{ttl.Seconds()}}
		}
	case d == MySQL:
		now := text("UTC_TIMESTAMP(3)")
		return func(ttl time.Duration) (part, part) {
			return now, part{"TIMESTAMPADD(MICROSECOND, ?, " + now.sql + ")", []any{ttl.Microseconds()}}
		}
	default:
		return nil
	}
}

// ownTime is the clock of the process.
func ownTime(write func(time.Time) part) clock {
	return func(ttl time.Duration) (part, part) {
		now := time.Now()
		return write(now), write(now.Add(ttl))
	}
}

func inZone(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2006-01-02 15:04:05.000")
}
