package memrepo

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// columnsOf lists the paths of what would be columns: all fields, those of
// embedded structs among them, and none of other structs.
func columnsOf(ent *entity.Entity) map[string]bool {
	columns := map[string]bool{}
	for _, f := range ent.Fields {
		columns[fmt.Sprint(f.Index)] = true
	}
	return columns
}

// field finds the field that an option names.
func (r *Repository[T]) field(name string) (*entity.Field, error) {
	f, ok := entity.FieldByName(r.ent.Type, name)
	if !ok {
		return nil, fmt.Errorf("%w: %s has no field %q", repo.ErrInvalid, r.ent.Type, name)
	}
	if r.columns != nil && !r.columns[fmt.Sprint(f.Index)] && !r.inJSON(f) {
		return nil, fmt.Errorf("%w: field %s of %s is no column; see Options.Documents", repo.ErrUnsupported, name, r.ent.Type)
	}
	return f, nil
}

// inJSON tells whether the field would be in a column of JSON.
func (r *Repository[T]) inJSON(f *entity.Field) bool {
	return lo.SomeBy(r.ent.Fields, func(column *entity.Field) bool {
		n := len(column.Index)
		return len(f.Index) > n && slices.Equal(f.Index[:n], column.Index) &&
			lo.SomeBy(settings(column.Tag), func(s setting) bool { return s.name == "serializer" && strings.EqualFold(s.value, "json") })
	})
}

// timesByName gives the duties that GORM gives by names, unless a tag says
// otherwise.
func timesByName(ent *entity.Entity) {
	for _, f := range ent.Fields {
		if f.Name == "CreatedAt" && isTime(f) {
			ent.Created = lo.Uniq(append(ent.Created, f))
		}
		if f.Name == "UpdatedAt" && isTime(f) {
			ent.Updated = lo.Uniq(append(ent.Updated, f))
		}
	}
}

func isTime(f *entity.Field) bool {
	if hasSetting(f.Tag, "autocreatetime", "autoupdatetime", "-") {
		return false // the tag has told already
	}
	t := f.Type
	return t == reflect.TypeFor[time.Time]() || t == reflect.TypeFor[*time.Time]() || t.Kind() != reflect.Pointer && entity.IsInt(t)
}
