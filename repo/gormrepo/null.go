package gormrepo

import (
	sqldriver "database/sql/driver"
	"reflect"
)

// isNull tells whether the database would get NULL for v.
func isNull(v any) bool {
	rv := reflect.ValueOf(v)
	if !rv.IsValid() || (rv.Kind() == reflect.Pointer || rv.Kind() == reflect.Slice || rv.Kind() == reflect.Map) && rv.IsNil() {
		return true
	}
	if valuer, ok := v.(sqldriver.Valuer); ok {
		x, err := valuer.Value()
		return err == nil && x == nil
	}
	return false
}
