package memrepo

import (
	"fmt"
	"reflect"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// assignKey gives e a key when it has none and its type wants one. Parts of a
// composite key and an assigned integer may be zero.
func (b *batch[T]) assignKey(e *T) error {
	r, v, f := b.r, valueOf(e), b.r.generated()
	switch {
	case f == nil:
		if f = r.ent.Key[0]; len(r.ent.Key) == 1 && !entity.IsInt(f.Type) && f.IsZero(v) {
			return fmt.Errorf("%w: the key %s is not set", repo.ErrInvalid, f.Name)
		}
		return nil
	case !f.IsZero(v):
	case r.newID != nil && len(r.ent.Key) == 1:
		made, err := r.newID(b.ctx)
		if err != nil {
			return fmt.Errorf("new id: %w", err)
		}
		id, err := entity.ConvertID(made, f.Type)
		if err != nil {
			return fmt.Errorf("generated %w", err)
		}
		if entity.Comparable([]any{id}) == entity.Comparable(r.ent.KeyOf(v)) {
			return fmt.Errorf("%w: the generated key is zero", repo.ErrInvalid)
		}
		setKey(f, e, id)
	default:
		id, err := entity.ConvertID(b.t.lastID+1, f.Type)
		if err != nil {
			return fmt.Errorf("generated %w", err)
		}
		setKey(f, e, id)
	}
	b.noteKey(f.Value(v))
	return nil
}

// noteKey keeps the counter above every integer key, as a database does that
// must not hand one out twice.
func (b *batch[T]) noteKey(k reflect.Value) {
	switch k = reflect.Indirect(k); {
	case k.CanInt() && k.Int() > 0:
		b.t.lastID = max(b.t.lastID, uint64(k.Int()))
	case k.CanUint():
		b.t.lastID = max(b.t.lastID, k.Uint())
	}
}
