package memrepo

import (
	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/repo/driver"
)

// complete gives e, which is inserted, the defaults of its zero fields, but for those
// that its documents have given.
func (r *Repository[T]) complete(e *T, given []literal) {
	for _, d := range r.defaults {
		if d.IsZero(valueOf(e)) && !lo.Contains(given, d) {
			if f := d.Reach(valueOf(e)); f.IsValid() {
				f.Set(ownValue(d.value))
			}
		}
	}
}

// given are the fields with a default that the documents give a zero value: an entity
// that begins with other values shows what they do not name.
func (r *Repository[T]) given(docs *driver.Documents[T], list []int) ([]literal, error) {
	if len(r.defaults) == 0 {
		return nil, nil
	}
	begun := new(T)
	r.complete(begun, nil)
	for _, i := range list {
		if err := docs.MergeInto(i, begun); err != nil {
			return nil, err
		}
	}
	return lo.Filter(r.defaults, func(d literal, _ int) bool { return d.IsZero(valueOf(begun)) }), nil
}
