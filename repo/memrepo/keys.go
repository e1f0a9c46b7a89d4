package memrepo

import (
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

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
	key := r.ent.Key[0]
	return entity.ShownID(r.ent.KeyOf(valueOf(e)), r.unnumbered(e) || !entity.IsInt(key.Type) && key.IsZero(valueOf(e)))
}

// identity is the key of e or, while it has none, e itself.
func (r *Repository[T]) identity(e *T) any {
	if r.unnumbered(e) {
		return e
	}
	return r.keyOf(e)
}

// FormOfID is the form of the key that id stands for; see driver.Keyer.
func (r *Repository[T]) FormOfID(id any) (driver.KeyForm, error) {
	k, err := r.ent.KeyFromID(id)
	if err != nil {
		return driver.KeyForm{}, wrap("id", err)
	}
	return driver.FormOfKey(k), nil
}

// FormOf is the form of e's key; see driver.Keyer.
func (r *Repository[T]) FormOf(e *T) driver.KeyForm {
	if r.unnumbered(e) {
		return driver.KeyForm{None: true}
	}
	return driver.FormOfKey(r.ent.KeyOf(valueOf(e)))
}
