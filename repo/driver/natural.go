package driver

import (
	sqldriver "database/sql/driver"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/internal/values"
)

// NaturalKey is the list of fields by which UpsertBy finds entities.
type NaturalKey struct {
	// Names are those of the Go fields, dotted inside nested structs.
	Names  []string
	fields []*entity.Field
}

// NaturalKeyOf checks the fields that UpsertBy of a repository of the entity type t was
// given; see repo.Writer for what is ErrInvalid. So is a field whose values do not compare
// as keys do, such as a float or a list.
func NaturalKeyOf(t reflect.Type, by []repo.Handle) (*NaturalKey, error) {
	k := &NaturalKey{}
	if len(by) == 0 {
		return nil, fmt.Errorf("%w: no fields to find entities of %s by", repo.ErrInvalid, t)
	}
	ent, bad := entity.Parse(t)
	for _, h := range by {
		if h == nil {
			return nil, fmt.Errorf("%w: a nil handle", repo.ErrInvalid)
		}
		ref := h.Ref()
		if _, err := resolve(t, ref.Owner, ref.Field); err != nil {
			return nil, err
		}
		f, _ := entity.FieldByName(t, ref.Field)
		switch {
		case !entity.Compares(ref.ValueType, f.Type):
			return nil, fmt.Errorf("%w: field %s of %s is a %s, named as a %s", repo.ErrInvalid, ref.Field, t, f.Type, ref.ValueType)
		case !isKeyType(entity.Deref(f.Type)):
			return nil, fmt.Errorf("%w: field %s of %s: a %s is no key", repo.ErrInvalid, ref.Field, t, f.Type)
		case slices.ContainsFunc(k.fields, func(other *entity.Field) bool { return slices.Equal(other.Index, f.Index) }):
			return nil, fmt.Errorf("%w: field %s of %s is named twice", repo.ErrInvalid, ref.Field, t)
		case bad == nil && !lo.Contains([]string{"", "key"}, ent.Duty(f.Index)):
			return nil, fmt.Errorf("%w: field %s of %s is its %s", repo.ErrInvalid, ref.Field, t, ent.Duty(f.Index))
		}
		k.Names, k.fields = append(k.Names, ref.Field), append(k.fields, f)
	}
	return k, nil
}

func isKeyType(t reflect.Type) bool {
	k := t.Kind()
	return k == reflect.String || k == reflect.Bool || entity.IsInt(t) || t == reflect.TypeFor[time.Time]() ||
		k == reflect.Array && t.Elem().Kind() == reflect.Uint8 || t.Implements(reflect.TypeFor[sqldriver.Valuer]())
}

// Of is the key of e, a struct, as a value that is == for equal ones; ok is false where one
// of its fields has no value.
func (k *NaturalKey) Of(e reflect.Value) (key any, ok bool) {
	list := make([]any, len(k.fields))
	for i, f := range k.fields {
		v, ok := values.Plain(f.Value(e))
		if !ok {
			return nil, false
		}
		list[i] = v.Interface()
		if t, isTime := list[i].(time.Time); isTime {
			list[i] = t.UnixMicro()
		}
	}
	return entity.Comparable(list), true
}

// ValuesOf are the values of the key of e, a struct, without pointers.
func (k *NaturalKey) ValuesOf(e reflect.Value) []any {
	return lo.Map(k.fields, func(f *entity.Field, _ int) any {
		v := f.Value(e)
		for v.IsValid() && v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if !v.IsValid() {
			return nil
		}
		return v.Interface()
	})
}

// Check returns a *BatchError that names the structs that have no key and those whose key
// an earlier one has: ErrInvalid.
func (k *NaturalKey) Check(es []reflect.Value) error {
	var bad []*repo.ItemError
	first := make(map[any]int, len(es))
	for i, e := range es {
		key, ok := k.Of(e)
		if !ok {
			bad = append(bad, &repo.ItemError{Index: i, Err: fmt.Errorf("%w: a field of %q has no value", repo.ErrInvalid, k.Names)})
			continue
		}
		if earlier, again := first[key]; again {
			bad = append(bad, &repo.ItemError{Index: i, Err: fmt.Errorf("%w: element %d has the same values of %q", repo.ErrInvalid, earlier, k.Names)})
			continue
		}
		first[key] = i
	}
	if len(bad) > 0 {
		return &repo.BatchError{Items: bad}
	}
	return nil
}

// CheckNatural checks what UpsertBy was given: no nil, a key that may be one, and
// different values of it in all entities.
func CheckNatural[T any](es []*T, by []repo.Handle) (*NaturalKey, error) {
	k, err := NaturalKeyOf(reflect.TypeFor[T](), by)
	if err != nil {
		return nil, err
	}
	if err := CheckEntities(es); err != nil {
		return nil, err
	}
	return k, k.Check(lo.Map(es, func(e *T, _ int) reflect.Value { return reflect.ValueOf(e).Elem() }))
}
