package driver

import (
	"fmt"
	"math"
	"reflect"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/internal/query"
	"github.com/holdfast-go/holdfast/repo/internal/values"
)

// Addition adds a number to a field, in the range of the field's type. Unsigned integers
// have no more than 63 bits here, as in the databases.
type Addition struct {
	// By is an int64 where the field is an integer, else a float64.
	By any
	// Bound is of the same type: an entity whose field is above it, or below it where
	// Falls says so, is one that the addition takes out of the range.
	Bound any
	Falls bool
}

func newAddition(t reflect.Type, c query.Change) (*Addition, error) {
	t = entity.Deref(t)
	given := reflect.ValueOf(c.Value)
	zero := reflect.Zero(t)
	switch {
	case zero.CanInt() || zero.CanUint():
		var by int64
		if err := values.Assign(reflect.ValueOf(&by).Elem(), given); err != nil {
			return nil, err
		}
		if c.Op == query.ChangeDecrease {
			if by == math.MinInt64 {
				return nil, fmt.Errorf("%w: %d does not fit", repo.ErrInvalid, by)
			}
			by = -by
		}
		low, high := limits(t)
		if by < 0 {
			return &Addition{by, minus(low, by), true}, nil
		}
		return &Addition{by, high - by, false}, nil
	case zero.CanFloat():
		by := given.Convert(reflect.TypeFor[float64]()).Float()
		if c.Op == query.ChangeDecrease {
			by = -by
		}
		if math.IsNaN(by) || math.IsInf(by, 0) {
			return nil, fmt.Errorf("%w: no finite number", repo.ErrInvalid)
		}
		high := math.MaxFloat64
		if t.Kind() == reflect.Float32 {
			high = math.MaxFloat32
		}
		if by < 0 {
			return &Addition{by, -high - by, true}, nil
		}
		return &Addition{by, high - by, false}, nil
	default:
		return nil, fmt.Errorf("%w: a %s is no number", repo.ErrInvalid, t)
	}
}

// limits are the smallest and the largest integer of a type.
func limits(t reflect.Type) (low, high int64) {
	if reflect.Zero(t).CanUint() {
		return 0, int64(uint64(math.MaxUint64) >> max(1, 64-t.Bits()))
	}
	return math.MinInt64 >> (64 - t.Bits()), math.MaxInt64 >> (64 - t.Bits())
}

// minus is a - b for a negative b, or the largest integer.
func minus(a, b int64) int64 {
	if a > 0 || a-b >= a {
		return a - b
	}
	return math.MaxInt64
}

// Leaves tells whether the addition would take the number out of the range.
func (a *Addition) Leaves(v reflect.Value) bool {
	n, ok := values.Compare(v, reflect.ValueOf(a.Bound))
	return !ok || n != 0 && (n < 0) == a.Falls
}

func (a *Addition) to(v reflect.Value) {
	switch {
	case v.CanInt():
		v.SetInt(v.Int() + a.By.(int64)) //nolint:forcetypeassert // as the comment of By says
	case v.CanUint():
		v.SetUint(uint64(int64(v.Uint()) + a.By.(int64))) //nolint:forcetypeassert // as above
	default:
		v.SetFloat(v.Float() + a.By.(float64)) //nolint:forcetypeassert // as above
	}
}
