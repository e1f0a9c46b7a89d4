package values

import (
	"fmt"
	"reflect"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// Assign puts the value of a field into to, which can be set and may be of another type
// that compares with it. A missing value makes to zero. A value that to cannot hold is
// ErrInvalid.
func Assign(to, v reflect.Value) error {
	if v.IsValid() && v.Type() == to.Type() {
		to.Set(v)
		return nil
	}
	v, ok := Plain(v)
	if !ok {
		to.SetZero()
		return nil
	}
	for to.Kind() == reflect.Pointer {
		to.Set(reflect.New(to.Type().Elem()))
		to = to.Elem()
	}
	switch {
	case v.Type().AssignableTo(to.Type()):
		to.Set(v)
	case isNumber(v) && isNumber(to):
		to.Set(v.Convert(to.Type()))
		if n, ok := Compare(to, v); !to.CanFloat() && (!ok || n != 0) {
			return fmt.Errorf("%w: %v does not fit a %s", entity.ErrInvalid, v, to.Type())
		}
	case v.Kind() == to.Kind() && v.CanConvert(to.Type()):
		to.Set(v.Convert(to.Type()))
	default:
		return fmt.Errorf("%w: a %s is no %s", entity.ErrInvalid, v.Type(), to.Type())
	}
	return nil
}

// CompareNullable orders two fields, of which each may be without a value: those come
// first, or last where they are wanted at the end.
func CompareNullable(a, b reflect.Value, desc, nullsAtEnd bool) int {
	x, xok := Plain(a)
	y, yok := Plain(b)
	switch {
	case !xok && !yok:
		return 0
	case xok != yok:
		if xok == nullsAtEnd {
			return -1
		}
		return 1
	}
	n, _ := Compare(x, y)
	if desc {
		n = -n
	}
	return n
}
