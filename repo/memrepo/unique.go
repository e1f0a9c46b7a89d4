package memrepo

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/internal/values"
)

// index is one unique constraint: who has which values.
type index struct {
	fields []*entity.Field
	owner  map[any]any // from values to key
}

func (x *index) String() string {
	return strings.Join(lo.Map(x.fields, func(f *entity.Field, _ int) string { return f.Name }), ", ")
}

// values is what e has in the constraint, nil when it is free of it.
func (x *index) values(e reflect.Value) any {
	vals := make([]any, len(x.fields))
	for i, f := range x.fields {
		v, ok := values.Plain(fieldOf(f, e))
		if !ok {
			return nil
		}
		vals[i] = v.Interface()
	}
	return entity.Comparable(vals)
}

// indexesOf reads the constraints from the tags and from the options.
func indexesOf(ent *entity.Entity, extra [][]string) ([]*index, error) {
	var all []*index
	named := map[string]*index{}
	for _, f := range ent.Fields {
		for _, name := range uniqueTags(f.Tag) {
			if x := named[name]; name != "" && x != nil {
				x.fields = append(x.fields, f)
				continue
			}
			x := &index{fields: []*entity.Field{f}, owner: map[any]any{}}
			named[name] = x
			all = append(all, x)
		}
	}
	for _, names := range extra {
		x := &index{owner: map[any]any{}}
		for _, name := range names {
			f, ok := entity.FieldByName(ent.Type, name)
			if !ok {
				return nil, fmt.Errorf("%w: unique: %s has no field %q", repo.ErrInvalid, ent.Type, name)
			}
			x.fields = append(x.fields, f)
		}
		if len(x.fields) == 0 {
			return nil, fmt.Errorf("%w: unique: a constraint without fields", repo.ErrInvalid)
		}
		all = append(all, x)
	}
	return all, nil
}

// uniqueTags returns the name of each unique index in a GORM tag; those
// without a name are for the field alone.
func uniqueTags(tag reflect.StructTag) []string {
	var names []string
	for _, s := range settings(tag) {
		name, options, _ := strings.Cut(s.value, ",")
		switch s.name {
		case "unique":
			if !strings.EqualFold(s.value, "false") {
				names = append(names, "")
			}
		case "uniqueindex":
			names = append(names, name)
		case "index":
			for o := range strings.SplitSeq(options, ",") {
				if strings.EqualFold(strings.TrimSpace(o), "unique") {
					names = append(names, name)
				}
			}
		}
	}
	return names
}
