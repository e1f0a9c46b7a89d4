package mongorepo

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// checkKey refuses a document whose key would be saved in another form: that would
// make a second one. The codec reads more forms than it writes: text as an ObjectID,
// old binary data as bytes.
func (r *Repository[T]) checkKey(raw bson.Raw, e *T) error {
	parts, err := r.keyParts(raw.Lookup("_id"))
	if err != nil {
		return err
	}
	key := r.ent.KeyOf(valueOf(e))
	for i, stored := range parts {
		if r.writesSuch(r.ent.Key[i], stored) {
			continue
		}
		k := key[i]
		if len(key) == 1 {
			k = r.hexID(k)
		}
		saved, err := r.codec.value(k)
		if err != nil {
			return err
		}
		if !equal(saved, stored) && !sameNumber(saved, stored) {
			return fmt.Errorf("%w: its _id is stored as a %s, and would be saved as a %s", repo.ErrInvalid, stored.Type, saved.Type)
		}
	}
	return nil
}

// writesSuch tells by the types alone that a key is saved in the form in which it is
// stored.
func (r *Repository[T]) writesSuch(f *entity.Field, stored bson.RawValue) bool {
	switch {
	case entity.IsObjectID(f.Type):
		return stored.Type == bson.TypeObjectID
	case entity.IsText(f.Type):
		return stored.Type == bson.TypeString && !r.opts.HexIDs
	default:
		return entity.IsInt(f.Type) && (stored.Type == bson.TypeInt32 || stored.Type == bson.TypeInt64)
	}
}

// sameNumber tells whether two values are one number, which to MongoDB is one _id,
// whatever its type.
func sameNumber(a, b bson.RawValue) bool {
	x, xok := a.AsFloat64OK()
	y, yok := b.AsFloat64OK()
	return xok && yok && x == y
}
