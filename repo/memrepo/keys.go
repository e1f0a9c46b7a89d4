package memrepo

import "github.com/holdfast-go/holdfast/repo/internal/entity"

// generated is the field of the key that asks for a new value by being zero, nil
// where there is none.
func (r *Repository[T]) generated() *entity.Field {
	if f := r.ent.Numbered(); f != nil || r.newID == nil || len(r.ent.Key) > 1 || entity.IsInt(r.ent.Key[0].Type) {
		return f
	}
	return r.ent.Key[0]
}

// unnumbered tells whether e has no key yet.
func (r *Repository[T]) unnumbered(e *T) bool {
	f := r.generated()
	return f != nil && f.IsZero(valueOf(e))
}

// key turns an id into the map key.
func (r *Repository[T]) key(id any) (any, error) {
	k, err := r.ent.KeyFromID(id)
	if err != nil {
		return nil, err
	}
	return entity.Comparable(k), nil
}

// keyOf is the map key of e.
func (r *Repository[T]) keyOf(e *T) any { return entity.Comparable(r.ent.KeyOf(valueOf(e))) }

// shownID is what an ItemError calls e by.
func (r *Repository[T]) shownID(e *T) any {
	k := r.ent.KeyOf(valueOf(e))
	if len(k) > 1 {
		return k
	}
	if r.unnumbered(e) {
		return nil
	}
	return k[0]
}

// lastOfEach lists the indexes of the elements to write: of those with the
// same key only the last.
func (r *Repository[T]) lastOfEach(es []*T) []int {
	last := make(map[any]int, len(es))
	for i, e := range es {
		last[r.identity(e)] = i
	}
	list := make([]int, 0, len(last))
	for i, e := range es {
		if last[r.identity(e)] == i {
			list = append(list, i)
		}
	}
	return list
}

// identity is the key of e or, while it has none, e itself.
func (r *Repository[T]) identity(e *T) any {
	if r.unnumbered(e) {
		return e
	}
	return r.keyOf(e)
}
