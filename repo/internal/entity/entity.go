package entity

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// ErrInvalid is repo.ErrInvalid. It lives here because repo imports this
// package.
var ErrInvalid = errors.New("repo: invalid")

// Field is one exported field of an entity, promoted ones included.
type Field struct {
	// Name is the Go name.
	Name string
	// Index is the path for FieldByIndex from the entity's struct.
	Index []int
	Type  reflect.Type
	Tag   reflect.StructTag
	// ByActor tells of a created or updated field that it says who did it, and not when.
	ByActor bool
}

// Value returns the field in e, a struct value. A field behind a nil embedded
// pointer is the zero Value.
func (f *Field) Value(e reflect.Value) reflect.Value {
	v, err := e.FieldByIndexErr(f.Index)
	if err != nil {
		return reflect.Value{}
	}
	return v
}

// Entity is what a struct type says of itself.
type Entity struct {
	Type   reflect.Type
	Fields []*Field
	// Key is GORM's primary key, else the BSON _id, else the field ID; never
	// empty.
	Key []*Field
	// Version and Deleted are the marked fields, nil where there is none.
	Version, Deleted *Field
	// Created and Updated are the fields with the times, and those that say who did it;
	// there may be several.
	Created, Updated []*Field
}

// Parse reads t, a struct type. A type that is no struct, has no key, or marks
// two fields as its version or deletion is ErrInvalid.
func Parse(t reflect.Type) (*Entity, error) {
	return parse(t, keyOf)
}

// ParseKeyed is Parse for a backend that knows better which fields are the key:
// those with the given paths, in that order.
func ParseKeyed(t reflect.Type, paths [][]int) (*Entity, error) {
	return parse(t, func(fields []*Field) []*Field {
		var key []*Field
		for _, path := range paths {
			for _, f := range fields {
				if slices.Equal(f.Index, path) {
					key = append(key, f)
				}
			}
		}
		return key
	})
}

func parse(t reflect.Type, keyOf func([]*Field) []*Field) (*Entity, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%w: entity type %s is not a struct", ErrInvalid, t)
	}
	e := &Entity{Type: t, Fields: fieldsOf(t, nil)}
	e.Key = keyOf(e.Fields)
	if len(e.Key) == 0 {
		return nil, fmt.Errorf("%w: entity type %s has no primary key", ErrInvalid, t)
	}
	return e, e.readMarkers()
}

// fieldsOf lists the exported fields of t; an embedded struct gives its own.
func fieldsOf(t reflect.Type, path []int) []*Field {
	var fields []*Field
	for i := range t.NumField() {
		sf := t.Field(i)
		index := append(append([]int(nil), path...), i)
		if inner := sf.Type; sf.Anonymous || tagHas(gormTag(sf.Tag), "embedded") {
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct && !isScalarStruct(inner) {
				fields = append(fields, fieldsOf(inner, index)...)
				continue
			}
		}
		if sf.IsExported() {
			fields = append(fields, &Field{Name: sf.Name, Index: index, Type: sf.Type, Tag: sf.Tag})
		}
	}
	return fields
}

func keyOf(fields []*Field) []*Field {
	rules := []func(*Field) bool{
		func(f *Field) bool {
			return tagHas(gormTag(f.Tag), "primarykey") || tagHas(gormTag(f.Tag), "primary_key")
		},
		func(f *Field) bool { name, _, _ := strings.Cut(f.Tag.Get("bson"), ","); return name == "_id" },
		func(f *Field) bool { return f.Name == "ID" },
	}
	for _, rule := range rules {
		var key []*Field
		for _, f := range fields {
			if rule(f) {
				key = append(key, f)
			}
		}
		if len(key) > 0 {
			return key
		}
	}
	return nil
}

// FieldByName finds a field of t by its Go name; a dotted name goes into
// nested structs.
func FieldByName(t reflect.Type, name string) (*Field, bool) {
	first, rest, nested := strings.Cut(name, ".")
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil, false
	}
	f, ok := fieldByName(t, first)
	if !ok || !nested {
		return f, ok
	}
	inner, ok := FieldByName(f.Type, rest)
	if !ok {
		return nil, false
	}
	inner.Index = append(append([]int(nil), f.Index...), inner.Index...)
	return inner, true
}

// fieldByName finds what Go calls by the name, so that of two structs that
// GORM embeds by a tag each can be reached; else what stands in one of these.
func fieldByName(t reflect.Type, name string) (*Field, bool) {
	if sf, ok := t.FieldByName(name); ok && sf.IsExported() {
		return &Field{Name: sf.Name, Index: sf.Index, Type: sf.Type, Tag: sf.Tag}, true
	}
	for _, f := range fieldsOf(t, nil) {
		if f.Name == name {
			return f, true
		}
	}
	return nil, false
}

// gormTag splits `gorm:"primaryKey;autoIncrement:false"` into lower-case
// settings.
func gormTag(tag reflect.StructTag) map[string]string {
	m := map[string]string{}
	for part := range strings.SplitSeq(tag.Get("gorm"), ";") {
		name, value, _ := strings.Cut(part, ":")
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			m[name] = strings.TrimSpace(value)
		}
	}
	return m
}

func tagHas(m map[string]string, name string) bool {
	v, ok := m[name]
	return ok && !strings.EqualFold(v, "false")
}

// Numbered is the field of the key that a database numbers while it is zero: an
// integer that is the only key and is not told otherwise, and the one of several
// that has GORM's autoIncrement. It is nil where there is none.
func (e *Entity) Numbered() *Field {
	for _, f := range e.Key {
		tag := gormTag(f.Tag)
		_, told := tag["autoincrement"]
		if IsInt(f.Type) && (tagHas(tag, "autoincrement") || !told && len(e.Key) == 1) {
			return f
		}
	}
	return nil
}

// JSONName is the dotted name of the field at index in JSON: by json tags, else the Go
// names; embedded structs without a tag add nothing.
func JSONName(t reflect.Type, index []int) string {
	var parts []string
	for _, i := range index {
		t = Deref(t)
		sf := t.Field(i)
		name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if name == "-" && options == "" {
			name = ""
		}
		t = sf.Type
		if sf.Anonymous && name == "" && Deref(t).Kind() == reflect.Struct {
			continue
		}
		if name == "" {
			name = sf.Name
		}
		parts = append(parts, name)
	}
	return strings.Join(parts, ".")
}
