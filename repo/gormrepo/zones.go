package gormrepo

import (
	"context"
	"reflect"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/holdfast-go/holdfast/repo/driver"
)

// A column of PostgreSQL that is a timestamp without a zone keeps a clock time, and
// drivers send that of the zone which the value happens to have. So that every process
// reads the instant that was written, such columns keep UTC. Which they are the tag
// of the field tells, else the database: it is asked once, when a time of another
// zone has to be written or compared.

// askZones asks the database which columns keep a clock time.
func (r *store) askZones(ctx context.Context, pool gorm.ConnPool) error {
	table := r.db.Statement.Quote(clause.Table{Name: r.schema.Table})
	rows, err := pool.QueryContext(ctx, "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass($1) AND atttypid = 'timestamp'::regtype", table)
	if err != nil {
		return err
	}
	defer rows.Close()
	names := []string{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	r.zones.asked.Store(&names)
	return nil
}

// learnZones makes sure that the columns of the items' times are known.
func (r *store) learnZones(ctx context.Context, pool gorm.ConnPool, items []*item) error {
	asks := lo.SomeBy(r.zones.times, func(f *schema.Field) bool {
		return lo.SomeBy(items, func(it *item) bool {
			t, ok := r.timeOf(ctx, f, it)
			return ok && r.zones.mustAsk(f, t)
		})
	})
	if !asks {
		return nil
	}
	return r.askZones(ctx, pool)
}

func (r *store) timeOf(ctx context.Context, f *schema.Field, it *item) (time.Time, bool) {
	v, _ := timeIn(f.ReflectValueOf(ctx, it.val))
	if !v.IsValid() {
		return time.Time{}, false
	}
	return reflect.TypeAssert[time.Time](v)
}

// toUTC gives the times of items that go into such columns the clock of UTC.
func (r *store) toUTC(c *call, items []*item) error {
	ctx := c.tx.Statement.Context
	if !c.once { // else they are known, or there is nothing to know
		if err := r.learnZones(ctx, c.tx.Statement.ConnPool, items); err != nil {
			return err
		}
	}
	for _, f := range r.zones.times {
		if !r.zones.keepsClock(f) {
			continue
		}
		for _, it := range items {
			if t, ok := r.timeOf(ctx, f, it); ok && isElsewhere(t) {
				field := f.ReflectValueOf(ctx, it.val)
				if field.Kind() == reflect.Pointer {
					field.Set(reflect.ValueOf(new(t.UTC()))) // the caller's own stays
					continue
				}
				v, _ := timeIn(field)
				v.Set(reflect.ValueOf(t.UTC()))
			}
		}
	}
	return nil
}

// learnZonesOf does the same for the values of conditions.
func (r *store) learnZonesOf(ctx context.Context, pool gorm.ConnPool, conds []driver.Cond) error {
	for _, c := range conds {
		if err := r.learnZonesOf(ctx, pool, c.Sub); err != nil {
			return err
		}
		o, err := r.operand(c.Field)
		if len(c.Sub) > 0 || err != nil || o.isJSON() {
			continue
		}
		list, ok := c.Value.([]any)
		if !ok {
			list = []any{c.Value}
		}
		if lo.SomeBy(list, func(v any) bool { t, ok := plainTime(v); return ok && r.zones.mustAsk(o.column, t) }) {
			return r.askZones(ctx, pool)
		}
	}
	return nil
}
