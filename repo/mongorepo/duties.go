package mongorepo

import (
	"reflect"
	"slices"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// remember returns a function that puts the key, the version and the deletion
// mark of e back to what they are now.
func (r *Repository[T]) remember(e *T) func() {
	v := valueOf(e)
	var undo []func()
	for _, f := range append([]*entity.Field{r.ent.Version, r.ent.Deleted}, r.ent.Key...) {
		if f == nil {
			continue
		}
		old := reflect.New(f.Type).Elem()
		if fv := f.Value(v); fv.IsValid() {
			old.Set(fv)
		}
		undo = append(undo, func() {
			if f.Value(v).IsValid() {
				f.Reach(v).Set(old)
			}
		})
	}
	return func() {
		for _, fn := range undo {
			fn()
		}
	}
}

// keepDuties returns a function that gives an entity the key, the version, the
// times and the deletion mark that e has now.
func (r *Repository[T]) keepDuties(e *T) func(*T) {
	type kept struct {
		f   *entity.Field
		val reflect.Value
	}
	var list []kept
	for _, f := range slices.Concat([]*entity.Field{r.ent.Version, r.ent.Deleted}, r.ent.Created, r.ent.Updated, r.ent.Key) {
		if f == nil {
			continue
		}
		val := reflect.New(f.Type).Elem()
		if v := f.Value(valueOf(e)); v.IsValid() {
			val.Set(v)
		}
		list = append(list, kept{f, val})
	}
	return func(to *T) {
		for _, k := range list {
			k.f.Reach(valueOf(to)).Set(k.val)
		}
	}
}
