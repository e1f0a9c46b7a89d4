package gormrepo

import (
	"context"
	sqldriver "database/sql/driver"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
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
// zone is to be written or compared.

// zones knows the columns that keep a clock time.
type zones struct {
	// times are the columns of PostgreSQL that may be one.
	times []*schema.Field
	// asked are those that the database has told.
	asked atomic.Pointer[[]string]
}

func (m *model) readZones(d dialect, opts Options) {
	if d.name != postgres || opts.TimesAsGiven {
		return
	}
	m.zones.times = lo.Filter(m.columns, func(f *schema.Field, _ int) bool {
		_, isTime := timeIn(reflect.New(f.FieldType).Elem())
		return isTime && f.Serializer == nil && (tagOf(f) == "" || isClock(tagOf(f)))
	})
}

func tagOf(f *schema.Field) string { return strings.ToLower(strings.TrimSpace(f.TagSettings["TYPE"])) }

func isClock(tag string) bool {
	return strings.HasPrefix(tag, "timestamp") && !strings.HasPrefix(tag, "timestamptz") && !strings.Contains(tag, "with time zone")
}

// keepsClock tells whether the column is known to keep a clock time.
func (z *zones) keepsClock(f *schema.Field) bool {
	if !slices.Contains(z.times, f) {
		return false
	}
	asked := z.asked.Load()
	return isClock(tagOf(f)) || asked != nil && slices.Contains(*asked, f.DBName)
}

// mustAsk tells whether only the database knows what the column keeps of a time.
func (z *zones) mustAsk(f *schema.Field, t time.Time) bool {
	return z.asked.Load() == nil && isElsewhere(t) && slices.Contains(z.times, f) && tagOf(f) == ""
}

// isElsewhere tells whether the clock of t is not that of UTC.
func isElsewhere(t time.Time) bool {
	_, offset := t.Zone()
	return offset != 0
}

// timeIn finds the time in a field: in a time.Time, a pointer to one, and a struct
// with one in its first field, as sql.NullTime is.
func timeIn(v reflect.Value) (reflect.Value, bool) {
	timeType := reflect.TypeFor[time.Time]()
	t := v.Type()
	switch {
	case t == timeType:
		return v, true
	case t == reflect.PointerTo(timeType):
		return v.Elem(), true // invalid for nil
	case t.Kind() == reflect.Struct && t.NumField() == 2 && t.Field(0).Type == timeType && t.Field(1).Name == "Valid":
		return v.Field(0), true
	default:
		return reflect.Value{}, false
	}
}

// askZones asks the database which columns keep a clock time.
func (r *Repository[T]) askZones(ctx context.Context, pool gorm.ConnPool) error {
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
func (r *Repository[T]) learnZones(ctx context.Context, pool gorm.ConnPool, items []*item[T]) error {
	asks := lo.SomeBy(r.zones.times, func(f *schema.Field) bool {
		return lo.SomeBy(items, func(it *item[T]) bool {
			t, ok := r.timeOf(ctx, f, it)
			return ok && r.zones.mustAsk(f, t)
		})
	})
	if !asks {
		return nil
	}
	return r.askZones(ctx, pool)
}

func (r *Repository[T]) timeOf(ctx context.Context, f *schema.Field, it *item[T]) (time.Time, bool) {
	v, _ := timeIn(f.ReflectValueOf(ctx, it.val))
	if !v.IsValid() {
		return time.Time{}, false
	}
	return reflect.TypeAssert[time.Time](v)
}

// toUTC gives the times of items that go into such columns the clock of UTC.
func (r *Repository[T]) toUTC(c *call, items []*item[T]) error {
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
func (r *Repository[T]) learnZonesOf(ctx context.Context, pool gorm.ConnPool, conds []driver.Cond) error {
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

// plainTime is the time that the database would get for v.
func plainTime(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, true
	case *time.Time:
		return lo.FromPtr(v), v != nil
	case sqldriver.Valuer:
		if isNull(v) {
			return time.Time{}, false
		}
		x, err := v.Value()
		t, ok := x.(time.Time)
		return t, ok && err == nil
	default:
		return time.Time{}, false
	}
}
