package entity

import (
	"fmt"
	"reflect"
	"slices"
	"time"
)

// Reach returns the field in e, an addressable struct value, and makes the
// embedded structs on the way to it. It is the zero Value when one of them
// cannot be set.
func (f *Field) Reach(e reflect.Value) reflect.Value {
	for i, x := range f.Index {
		if i > 0 && e.Kind() == reflect.Pointer {
			if e.IsNil() {
				if !e.CanSet() {
					return reflect.Value{}
				}
				e.Set(reflect.New(e.Type().Elem()))
			}
			e = e.Elem()
		}
		e = e.Field(x)
	}
	return e
}

// IsZero tells whether the field has its zero value in e.
func (f *Field) IsZero(e reflect.Value) bool {
	v := f.Value(e)
	return !v.IsValid() || v.IsZero()
}

// Duty says what the field at index is to the repository: part of the key, the version, a
// time of its own or the deletion mark, or overlaps with. It is empty for a field that is
// the caller's alone.
func (e *Entity) Duty(index []int) string {
	for _, d := range []struct {
		name   string
		fields []*Field
	}{
		{"key", e.Key},
		{"version", []*Field{e.Version}},
		{"deletion mark", []*Field{e.Deleted}},
		{"mark of creation", e.Created},
		{"mark of change", e.Updated},
	} {
		if slices.ContainsFunc(d.fields, func(f *Field) bool { return f != nil && Overlaps(f.Index, index) }) {
			return d.name
		}
	}
	return ""
}

// Overlaps tells whether two paths lead to one field, or one of them into the other's.
func Overlaps(a, b []int) bool {
	n := min(len(a), len(b))
	return slices.Equal(a[:n], b[:n])
}

// IsNew applies the rule of repo.Repository to p, a *T: the first of IsNew()
// bool, the version field and the generated key that the type has decides.
// unnumbered says whether the store is still to make the key, or a part of it.
func (e *Entity) IsNew(p reflect.Value, unnumbered bool) bool {
	if n, ok := reflect.TypeAssert[interface{ IsNew() bool }](p); ok {
		return n.IsNew()
	}
	if e.Version != nil {
		return e.VersionOf(p.Elem()) == 0
	}
	return unnumbered
}

// TellsNew tells whether p, a *T, has the method IsNew() bool.
func TellsNew(p any) bool {
	_, ok := p.(interface{ IsNew() bool })
	return ok
}

// MayBeRead tells of p, a *T that IsNew takes for new, whether it may as well
// have been read: Hibernate and Spring Data begin with version 0, and what was
// stored before the type had a version has none.
func (e *Entity) MayBeRead(p any, unnumbered bool) bool {
	return e.Version != nil && !TellsNew(p) && !unnumbered
}

// VersionOf returns the version in v, a struct value; 0 without a version
// field.
func (e *Entity) VersionOf(v reflect.Value) int64 {
	if e.Version == nil {
		return 0
	}
	switch f := e.Version.Value(v); {
	case !f.IsValid():
		return 0
	case f.CanInt():
		return f.Int()
	default:
		return int64(f.Uint())
	}
}

// SetVersion writes the version into v, an addressable struct value, where the
// type has a version field.
func (e *Entity) SetVersion(v reflect.Value, n int64) {
	if e.Version == nil {
		return
	}
	if f := e.Version.Reach(v); f.CanInt() {
		f.SetInt(n)
	} else if f.CanUint() {
		f.SetUint(uint64(n))
	}
}

// IsDeleted tells whether v, a struct value, carries the deletion mark.
func (e *Entity) IsDeleted(v reflect.Value) bool {
	if e.Deleted == nil {
		return false
	}
	f := e.Deleted.Value(v)
	if !f.IsValid() {
		return false
	}
	if f.Kind() == reflect.Pointer {
		return !f.IsNil()
	}
	return f.FieldByName("Valid").Bool() // gorm.DeletedAt
}

// SetDeleted sets the deletion mark in v, an addressable struct value, or
// clears it when at is nil. Without such a field it does nothing.
func (e *Entity) SetDeleted(v reflect.Value, at *time.Time) {
	if e.Deleted == nil {
		return
	}
	f := e.Deleted.Reach(v)
	switch {
	case !f.IsValid():
	case at == nil:
		f.SetZero()
	case f.Kind() == reflect.Pointer:
		t := *at
		f.Set(reflect.ValueOf(&t))
	default:
		f.FieldByName("Time").Set(reflect.ValueOf(*at))
		f.FieldByName("Valid").SetBool(true)
	}
}

// Stamp writes when, and who, into the updated fields of v, an addressable struct value,
// and into the created ones that are zero. See SetActor.
func (e *Entity) Stamp(v reflect.Value, at time.Time, by any) error {
	for _, f := range e.Created {
		if f.IsZero(v) {
			if err := f.stamp(v, at, by); err != nil {
				return err
			}
		}
	}
	return e.StampUpdated(v, at, by)
}

// StampUpdated does so for the updated fields alone.
func (e *Entity) StampUpdated(v reflect.Value, at time.Time, by any) error {
	for _, f := range e.Updated {
		if err := f.stamp(v, at, by); err != nil {
			return err
		}
	}
	return nil
}

func (f *Field) stamp(v reflect.Value, at time.Time, by any) error {
	if f.ByActor {
		return f.SetActor(v, by)
	}
	f.SetTime(v, at)
	return nil
}

// HasActors tells whether a field says who created or last changed an entity.
func (e *Entity) HasActors() bool {
	byActor := func(f *Field) bool { return f.ByActor }
	return slices.ContainsFunc(e.Created, byActor) || slices.ContainsFunc(e.Updated, byActor)
}

// SetActor writes who does it into a field of v, an addressable struct value. A nil by
// changes nothing. One that the field cannot hold is ErrInvalid.
func (f *Field) SetActor(v reflect.Value, by any) error {
	fv := f.Reach(v)
	if by == nil || !fv.IsValid() {
		return nil
	}
	converted, err := ConvertID(by, f.Type) // an actor may be what an id may be
	if err != nil {
		return fmt.Errorf("%w: the actor of the context is of type %T, and field %s of type %s", ErrInvalid, by, f.Name, f.Type)
	}
	fv.Set(reflect.ValueOf(converted))
	return nil
}

// SetTime writes at into a created or updated field of v, an addressable
// struct value. A number gets Unix seconds, or what GORM's tag asks for.
func (f *Field) SetTime(v reflect.Value, at time.Time) {
	fv := f.Reach(v)
	switch {
	case !fv.IsValid():
	case f.Type == reflect.TypeFor[time.Time]():
		fv.Set(reflect.ValueOf(at))
	case f.Type == reflect.TypeFor[*time.Time]():
		fv.Set(reflect.ValueOf(&at))
	case fv.CanInt():
		fv.SetInt(f.unix(at))
	default:
		fv.SetUint(uint64(f.unix(at)))
	}
}

func (f *Field) unix(at time.Time) int64 {
	g := gormTag(f.Tag)
	unit := g["autocreatetime"]
	if unit == "" {
		unit = g["autoupdatetime"]
	}
	switch unit {
	case "nano":
		return at.UnixNano()
	case "milli":
		return at.UnixMilli()
	default:
		return at.Unix()
	}
}
