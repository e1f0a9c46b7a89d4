package gormrepo

import (
	"reflect"
	"time"

	"github.com/samber/lo"
	"gorm.io/gorm/schema"
)

// setMark gives v some value that is not zero, where its type has one that is known.
func setMark(v reflect.Value) bool {
	switch {
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.Kind() == reflect.String:
		v.SetString("-")
	case v.CanInt():
		v.SetInt(1)
	case v.CanUint():
		v.SetUint(1)
	case v.CanFloat():
		v.SetFloat(1)
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(1, 0)))
	}
	return !v.IsZero()
}

// inserted are the columns that an INSERT names for items with the defaulted ones:
// of these it leaves out those whose default GORM cannot read.
func inserted(columns, defaulted []*schema.Field) []*schema.Field {
	return without(columns, lo.Filter(defaulted, func(f *schema.Field, _ int) bool { return f.DefaultValueInterface == nil }))
}
