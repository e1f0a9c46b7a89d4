package gormrepo

import (
	"context"
	"reflect"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm/schema"
)

// kept is a key as the database keeps it.
func (m *model) kept(key []any) []any {
	for i, f := range m.key {
		if t, ok := key[i].(time.Time); ok {
			key[i] = t.Truncate(m.precision[f])
		}
	}
	return key
}

// keepKey gives an entity the key that the database keeps.
func (m *model) keepKey(e reflect.Value) { m.keepTimes(e, m.key) }

// keepTimes gives an entity the times that columns keep.
func (m *model) keepTimes(e reflect.Value, columns []*schema.Field) {
	for _, f := range columns {
		p := m.precision[f]
		if p == 0 {
			continue
		}
		field := f.ReflectValueOf(context.Background(), e)
		v, _ := timeIn(field)
		t, ok := time.Time{}, false
		if v.IsValid() {
			t, ok = reflect.TypeAssert[time.Time](v)
		}
		if kept := t.Truncate(p); ok && !kept.Equal(t) {
			if field.Kind() == reflect.Pointer {
				field.Set(reflect.ValueOf(&kept)) // the caller's own stays
				continue
			}
			v.Set(reflect.ValueOf(kept))
		}
	}
}

// foldsKeys tells whether two keys that differ may be one in the database.
func (m *model) foldsKeys() bool {
	return lo.SomeBy(m.key, func(f *schema.Field) bool { return m.precision[f] > 0 })
}
