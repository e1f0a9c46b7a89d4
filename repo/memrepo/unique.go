package memrepo

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// index is one unique constraint: who has which values.
type index struct {
	fields []*entity.Field
	owner  map[any]any // from values to key
}

func (x *index) String() string {
	names := make([]string, len(x.fields))
	for i, f := range x.fields {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}

// values is what e has in the constraint, nil when it is free of it.
func (x *index) values(e reflect.Value) any {
	vals := make([]any, len(x.fields))
	for i, f := range x.fields {
		v, ok := plain(fieldOf(f, e))
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
		for _, name := range uniqueTags(f.Tag.Get("gorm")) {
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
func uniqueTags(tag string) []string {
	var names []string
	for part := range strings.SplitSeq(tag, ";") {
		setting, value, _ := strings.Cut(strings.TrimSpace(part), ":")
		name, options, _ := strings.Cut(value, ",")
		switch strings.ToLower(setting) {
		case "unique":
			if !strings.EqualFold(value, "false") {
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
