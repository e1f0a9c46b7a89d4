package memrepo

import (
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// assignKey gives e a key when it has none and its type wants one. A composite
// key and an assigned integer may be zero.
func (b *batch[T]) assignKey(e *T) error {
	r, v := b.r, valueOf(e)
	if len(r.ent.Key) > 1 {
		return nil
	}
	f := r.ent.Key[0]
	if !f.IsZero(v) {
		b.noteKey(e)
		return nil
	}
	switch {
	case !r.generated():
		if isInt(f.Type) {
			return nil
		}
		return fmt.Errorf("%w: the key %s is not set", repo.ErrInvalid, f.Name)
	case r.newID != nil:
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
		r.setKey(e, id)
	default:
		id, err := entity.ConvertID(b.t.lastID+1, f.Type)
		if err != nil {
			return fmt.Errorf("generated %w", err)
		}
		r.setKey(e, id)
	}
	b.noteKey(e)
	return nil
}

// noteKey keeps the counter above every integer key, as a database does that
// must not hand one out twice.
func (b *batch[T]) noteKey(e *T) {
	k := b.r.ent.Key[0].Value(valueOf(e))
	switch {
	case k.CanInt() && k.Int() > 0:
		b.t.lastID = max(b.t.lastID, uint64(k.Int()))
	case k.CanUint():
		b.t.lastID = max(b.t.lastID, k.Uint())
	}
}
