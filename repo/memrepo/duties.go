package memrepo

import (
	"reflect"
	"slices"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// writeBack tells the caller's entity what the store decided.
func (r *Repository[T]) writeBack(e, saved *T) {
	from, to := valueOf(copyOf(saved)), valueOf(e)
	for _, f := range r.ent.Key {
		set(f, to, from)
	}
	for _, f := range r.duties() {
		set(f, to, from)
	}
}

// duties are the fields that only the repository writes.
func (r *Repository[T]) duties() []*entity.Field {
	return slices.Concat(lo.Compact([]*entity.Field{r.ent.Version, r.ent.Deleted}), r.ent.Created, r.ent.Updated)
}

func set(f *entity.Field, to, from reflect.Value) {
	v := f.Value(from)
	if !v.IsValid() {
		return
	}
	if t := f.Reach(to); t.IsValid() {
		t.Set(v)
	}
}

func setKey[T any](f *entity.Field, e *T, id any) {
	f.Reach(valueOf(e)).Set(reflect.ValueOf(id))
}
