package entity

import (
	sqldriver "database/sql/driver"
	"reflect"
	"slices"
)

// KeyNames are the names by which FieldByName finds the fields of the key.
func (e *Entity) KeyNames() []string {
	names := make([]string, len(e.Key))
	for i, f := range e.Key {
		names[i] = e.nameOf(f)
	}
	return names
}

func (e *Entity) nameOf(f *Field) string {
	if found, ok := FieldByName(e.Type, f.Name); ok && slices.Equal(found.Index, f.Index) {
		return f.Name
	}
	name, t := "", e.Type
	for _, i := range f.Index {
		sf := Deref(t).Field(i)
		name, t = name+"."+sf.Name, sf.Type
	}
	return name[1:]
}

// MayBeNull tells whether the field of t can be without a value in Go.
func (f *Field) MayBeNull(t reflect.Type) bool {
	for _, i := range f.Index {
		t = Deref(t).Field(i).Type
		if k := t.Kind(); k == reflect.Pointer || k == reflect.Slice || k == reflect.Map {
			return true
		}
	}
	return t.Kind() == reflect.Struct && t.Implements(reflect.TypeFor[sqldriver.Valuer]())
}
