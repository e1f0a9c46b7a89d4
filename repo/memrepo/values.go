package memrepo

import (
	"reflect"

	"github.com/huandu/go-clone"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// copyOf makes a deep copy. Entities with associations can point back to
// themselves, so the copier is the one that remembers where it has been.
func copyOf[T any](e *T) *T { return clone.Slowly(e).(*T) }

func valueOf[T any](e *T) reflect.Value { return reflect.ValueOf(e).Elem() }

// fieldOf follows a path that may cross pointers, nil ones included.
func fieldOf(f *entity.Field, e reflect.Value) reflect.Value {
	for _, x := range f.Index {
		for e.Kind() == reflect.Pointer {
			if e.IsNil() {
				return reflect.Value{}
			}
			e = e.Elem()
		}
		e = e.Field(x)
	}
	return e
}

// ownValue is a copy of v, also behind a pointer.
func ownValue(v reflect.Value) reflect.Value {
	if v.Kind() != reflect.Pointer {
		return v
	}
	p := reflect.New(v.Type().Elem())
	p.Elem().Set(v.Elem())
	return p
}
