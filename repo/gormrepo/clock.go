package gormrepo

import (
	sqldriver "database/sql/driver"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm/schema"
)

// zones knows the columns that keep a clock time.
type zones struct {
	// times are the columns of PostgreSQL that may be one.
	times []*schema.Field
	// asked are those that the database has told.
	asked atomic.Pointer[[]string]
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
