package gormrepo

import (
	"reflect"
	"time"
)

// kept is a key as the database keeps it.
func (m *model) kept(key []any) []any {
	for i, p := range m.precision {
		if t, ok := key[i].(time.Time); ok && p > 0 {
			key[i] = t.Truncate(p)
		}
	}
	return key
}

// keepKey gives an entity the key that the database keeps.
func (m *model) keepKey(e reflect.Value) {
	for i, p := range m.precision {
		if p > 0 {
			f := m.entity.Key[i].Reach(e)
			if t, ok := reflect.TypeAssert[time.Time](f); ok {
				f.Set(reflect.ValueOf(t.Truncate(p)))
			}
		}
	}
}
