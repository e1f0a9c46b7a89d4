package entity

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/samber/lo"
)

// readMarkers finds the fields that have a duty, by `holdfast:"..."` or by
// GORM's own types and tags. A name alone never marks a field, but for those
// of gorm.Model, whose documentation gives them their duty.
func (e *Entity) readMarkers() error {
	for _, f := range e.Fields {
		for _, m := range e.markersOf(f) {
			if err := e.mark(m, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// marksIn are those that a tag gives.
func marksIn(tag reflect.StructTag) []string {
	if tag.Get("holdfast") == "" {
		return nil
	}
	return lo.Map(strings.Split(tag.Get("holdfast"), ","), func(m string, _ int) string { return strings.TrimSpace(m) })
}

// IsReference tells whether a tag marks text that stands for ObjectIDs.
func IsReference(tag reflect.StructTag) bool { return lo.Contains(marksIn(tag), "objectid") }

func (e *Entity) markersOf(f *Field) []string {
	marks := marksIn(f.Tag)
	g := gormTag(f.Tag)
	switch {
	case isNamed(f.Type, "gorm.io/gorm", "DeletedAt"):
		marks = append(marks, "deleted")
	case tagHas(g, "autoupdatetime"), f.Name == "UpdatedAt" && e.inGormModel(f):
		marks = append(marks, "updated")
	case tagHas(g, "autocreatetime"), f.Name == "CreatedAt" && e.inGormModel(f):
		marks = append(marks, "created")
	case isNamed(f.Type, "gorm.io/plugin/optimisticlock", "Version"):
		marks = append(marks, "version")
	}
	return marks
}

func (e *Entity) mark(mark string, f *Field) error {
	var fits bool
	switch mark {
	case "version":
		fits = isInt(f.Type.Kind())
	case "deleted":
		fits = isNamed(f.Type, "gorm.io/gorm", "DeletedAt") || f.Type == reflect.TypeFor[*time.Time]()
	case "created", "updated":
		fits = isTime(f.Type)
	case "createdby", "updatedby":
		fits = f.Type.Comparable() && Deref(f.Type) != reflect.TypeFor[time.Time]()
	case "objectid":
		fits = IsText(f.Type) || f.Type.Kind() == reflect.Slice && IsText(f.Type.Elem())
	default:
		return fmt.Errorf("%w: field %s of %s: unknown marker %q", ErrInvalid, f.Name, e.Type, mark)
	}
	if !fits {
		return fmt.Errorf("%w: field %s of %s cannot be marked %s: its type is %s", ErrInvalid, f.Name, e.Type, mark, f.Type)
	}
	switch mark {
	case "version":
		return e.only(&e.Version, f, mark)
	case "deleted":
		return e.only(&e.Deleted, f, mark)
	case "created", "createdby":
		e.Created = lo.Uniq(append(e.Created, f))
	case "updated", "updatedby":
		e.Updated = lo.Uniq(append(e.Updated, f))
	}
	f.ByActor = mark == "createdby" || mark == "updatedby"
	return nil
}

// only gives a duty to a field that nothing else may have.
func (e *Entity) only(slot **Field, f *Field, mark string) error {
	if *slot != nil && *slot != f {
		return fmt.Errorf("%w: %s marks both %s and %s as %s", ErrInvalid, e.Type, (*slot).Name, f.Name, mark)
	}
	*slot = f
	return nil
}

// inGormModel tells whether the field stands in an embedded gorm.Model.
func (e *Entity) inGormModel(f *Field) bool {
	t := e.Type
	for _, i := range f.Index[:len(f.Index)-1] {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		t = t.Field(i).Type
	}
	return isNamed(t, "gorm.io/gorm", "Model")
}

func isNamed(t reflect.Type, pkg, name string) bool { return t.Name() == name && t.PkgPath() == pkg }

func isInt(k reflect.Kind) bool {
	return k >= reflect.Int && k <= reflect.Int64 || k >= reflect.Uint && k <= reflect.Uint64
}

// IsInt tells whether t is an integer, behind a pointer or not.
func IsInt(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return isInt(t.Kind())
}

// isTime tells whether GORM and Holdfast can keep a time in t.
func isTime(t reflect.Type) bool {
	return t == reflect.TypeFor[time.Time]() || t == reflect.TypeFor[*time.Time]() || isInt(t.Kind())
}

// isScalarStruct tells whether a struct is one value, not a group of fields.
func isScalarStruct(t reflect.Type) bool {
	return t == reflect.TypeFor[time.Time]() || isNamed(t, "gorm.io/gorm", "DeletedAt")
}

// IsText tells whether t holds text, behind a pointer or not.
func IsText(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.String
}

// Compares tells whether a value of type v can be compared with a field of
// type f. It catches text against number and the like; for structs (sql.Null,
// times, decimals) it trusts the store.
func Compares(v, f reflect.Type) bool {
	for f.Kind() == reflect.Pointer {
		f = f.Elem()
	}
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return v == f || basicClass(v) == basicClass(f) || basicClass(v) == 0 || basicClass(f) == 0
}

// basicClass groups the kinds that compare with each other; 0 is anything.
func basicClass(t reflect.Type) int {
	switch k := t.Kind(); {
	case k == reflect.String:
		return 1
	case k == reflect.Bool:
		return 2
	case isInt(k), k == reflect.Float32, k == reflect.Float64:
		return 3
	default:
		return 0
	}
}

// IsRawJSON tells whether t is JSON text that is kept as it is, like
// json.RawMessage or a type made of it for a column.
func IsRawJSON(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 &&
		t.Implements(reflect.TypeFor[json.Marshaler]()) && reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
}

// Deref is t without pointers.
func Deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// HasOwnJSON tells whether a value of t writes its JSON, or the text in it, itself.
func HasOwnJSON(t reflect.Type) bool {
	for _, own := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()} {
		if t.Implements(own) || reflect.PointerTo(t).Implements(own) {
			return true
		}
	}
	return false
}
