package values

import (
	"cmp"
	sqldriver "database/sql/driver"
	"math/big"
	"reflect"
	"slices"
)

// Plain returns the value behind pointers and the null wrappers of
// database/sql; ok is false when there is none.
func Plain(v reflect.Value) (reflect.Value, bool) {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		if v.IsNil() {
			return reflect.Value{}, false
		}
		v = v.Elem()
	}
	if !v.IsValid() {
		return v, false
	}
	if k := v.Kind(); k == reflect.Map || k == reflect.Slice {
		return v, !v.IsNil()
	}
	if v.Kind() != reflect.Struct || comparer(v.Type()) != "" {
		return v, true
	}
	valuer, ok := reflect.TypeAssert[sqldriver.Valuer](v)
	if !ok {
		return v, true
	}
	x, err := valuer.Value()
	if err != nil || x == nil {
		return reflect.Value{}, false
	}
	return reflect.ValueOf(x), true
}

// Equal tells whether two values that Plain returned are one to a database.
func Equal(a, b reflect.Value) bool {
	if n, ok := Compare(a, b); ok {
		return n == 0
	}
	return a.Type() == b.Type() && reflect.DeepEqual(a.Interface(), b.Interface())
}

// Ordered tells whether Compare knows an order for t.
func Ordered(t reflect.Type) bool {
	v := reflect.Zero(t)
	return isNumber(v) || v.Kind() == reflect.String || v.Kind() == reflect.Bool || IsBytes(t) || comparer(t) != ""
}

// Compare orders two values that Plain returned; ok is false where there is no
// order between them.
func Compare(a, b reflect.Value) (n int, ok bool) {
	switch {
	case a.Kind() == reflect.String && b.Kind() == reflect.String:
		return cmp.Compare(a.String(), b.String()), true
	case a.Kind() == reflect.Bool && b.Kind() == reflect.Bool:
		return cmp.Compare(truth(a), truth(b)), true
	case isNumber(a) && isNumber(b):
		return compareNumbers(a, b)
	case IsBytes(a.Type()) && IsBytes(b.Type()):
		return slices.Compare(bytesOf(a), bytesOf(b)), true
	case a.Type() == b.Type() && comparer(a.Type()) != "":
		out := a.MethodByName(comparer(a.Type())).Call([]reflect.Value{b})
		return int(out[0].Int()), true
	}
	return 0, false
}

// comparer names the method of t that orders it, as those of time.Time and of
// most decimal types do.
func comparer(t reflect.Type) string {
	for _, name := range []string{"Compare", "Cmp"} {
		m, ok := t.MethodByName(name)
		if ok && m.Type.NumIn() == 2 && m.Type.In(1) == t && m.Type.NumOut() == 1 && m.Type.Out(0).Kind() == reflect.Int {
			return name
		}
	}
	return ""
}

func isNumber(v reflect.Value) bool { return v.CanInt() || v.CanUint() || v.CanFloat() }

// compareNumbers is exact between kinds: an int64 that a float64 cannot hold
// must not equal its neighbour.
func compareNumbers(a, b reflect.Value) (int, bool) {
	if a.CanInt() && b.CanInt() {
		return cmp.Compare(a.Int(), b.Int()), true
	}
	x, xok := exact(a)
	y, yok := exact(b)
	if !xok || !yok {
		return 0, false // NaN
	}
	return x.Cmp(y), true
}

func exact(v reflect.Value) (*big.Float, bool) {
	switch {
	case v.CanInt():
		return new(big.Float).SetInt64(v.Int()), true
	case v.CanUint():
		return new(big.Float).SetUint64(v.Uint()), true
	}
	f := v.Float()
	if f != f {
		return nil, false
	}
	return big.NewFloat(f), true
}

func truth(v reflect.Value) int {
	if v.Bool() {
		return 1
	}
	return 0
}

// IsBytes tells whether t is a list of bytes.
func IsBytes(t reflect.Type) bool {
	return (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && t.Elem().Kind() == reflect.Uint8
}

func bytesOf(v reflect.Value) []byte {
	b := make([]byte, v.Len())
	reflect.Copy(reflect.ValueOf(b), v)
	return b
}
