package gormrepo

import (
	"reflect"
	"strings"
	"time"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// Databases give some keys back in another form: char(10) filled up with spaces, a
// uuid in lower case, a time with fewer digits. What they returned is still the row
// of one of the keys that were asked for.

// byKey makes rows findable by the keys that they were asked for with.
func (r *store) byKey(keys [][]any, rows []reflect.Value) map[any]reflect.Value {
	return r.byKeyBut(keys, rows, none)
}

func none(any) bool { return false }

// othersOf tells of a row that belongs to none of one part of items, by its key, whether it
// belongs to one of the others. It is asked once for each, and says of the next time that
// it does: two parts may not have one row.
func (r *store) othersOf(items func() []*item) func(id any) bool {
	var owned map[any]bool
	return func(id any) bool {
		if owned == nil {
			owned = lo.SliceToMap(items(), func(it *item) (any, bool) { return r.keptIdentity(it), true })
		}
		is := owned[id]
		owned[id] = true
		return is
	}
}

// byKeyBut is byKey for a part of a list. Rows that belong to others are no one's here.
func (r *store) byKeyBut(keys [][]any, rows []reflect.Value, others func(id any) bool) map[any]reflect.Value {
	found := make(map[any]reflect.Value, len(rows))
	for _, row := range rows {
		found[identity(r.entity.KeyOf(row))] = row
	}
	wanted := lo.SliceToMap(keys, func(k []any) (any, []any) { return identity(k), k })
	odd := lo.Filter(rows, func(row reflect.Value, _ int) bool {
		id := identity(r.entity.KeyOf(row))
		return wanted[id] == nil && !others(id)
	})
	if len(odd) == 0 {
		return found
	}
	open := lo.OmitBy(wanted, func(id any, _ []any) bool { return found[id].IsValid() })
	if len(odd) == 1 && len(open) == 1 {
		found[lo.Keys(open)[0]] = odd[0]
		return found
	}
	byForm := lo.GroupBy(odd, func(row reflect.Value) any { return form(r.entity.KeyOf(row)) })
	for f, ids := range lo.GroupBy(lo.Keys(open), func(id any) any { return form(open[id]) }) {
		if rows := byForm[f]; len(rows) == 1 && len(ids) == 1 {
			found[ids[0]] = rows[0]
		}
	}
	return found
}

// form is what is left of a key in every form that a database gives it.
func form(key []any) any {
	return entity.Comparable(lo.Map(key, func(k any, _ int) any {
		switch v := stored(k).(type) {
		case string:
			return strings.ToLower(strings.TrimRight(strings.NewReplacer("-", "", "{", "", "}", "").Replace(v), " "))
		default:
			if t, ok := k.(time.Time); ok {
				return t.Unix()
			}
			return v
		}
	}))
}
