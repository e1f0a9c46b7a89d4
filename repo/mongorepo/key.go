package mongorepo

import (
	"context"
	"fmt"
	"reflect"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
)

// generates tells whether a zero key asks for a new one. An integer that GORM
// would let the database number counts: there is nobody to number it here, so
// it is an error without NewID, and not the key zero for all.
func (r *Repository[T]) generates() bool {
	if len(r.ent.Key) > 1 {
		return false
	}
	t := r.ent.Key[0].Type
	return r.ent.Numbered() != nil || entity.IsObjectID(t) || r.opts.HexIDs && t.Kind() == reflect.String || r.opts.NewID != nil && !entity.IsInt(t)
}

// assignKey gives e a key when it has none and its type wants one. A composite
// key and an assigned integer may be zero.
func (r *Repository[T]) assignKey(ctx context.Context, e *T) error {
	v := valueOf(e)
	if len(r.ent.Key) > 1 {
		if f := r.ent.Numbered(); f != nil && f.IsZero(v) {
			return errNotNumbered(f)
		}
		return nil
	}
	f := r.ent.Key[0]
	if !f.IsZero(v) {
		return nil
	}
	if !r.generates() {
		if entity.IsInt(f.Type) {
			return nil
		}
		return fmt.Errorf("%w: the key %s is not set", repo.ErrInvalid, f.Name)
	}
	id, err := r.newID(ctx)
	if err != nil {
		return err
	}
	key, err := entity.ConvertID(id, f.Type)
	if err != nil {
		return fmt.Errorf("generated %w", err)
	}
	if reflect.ValueOf(key).IsZero() {
		return fmt.Errorf("%w: the generated key is zero", repo.ErrInvalid)
	}
	f.Reach(v).Set(reflect.ValueOf(key))
	return nil
}

func (r *Repository[T]) newID(ctx context.Context) (any, error) {
	if r.opts.NewID != nil {
		id, err := r.opts.NewID(ctx)
		if err != nil {
			return nil, fmt.Errorf("making a key: %w", err)
		}
		return id, nil
	}
	f := r.ent.Key[0]
	if entity.IsInt(f.Type) {
		return nil, errNotNumbered(f)
	}
	return bson.NewObjectID().Hex(), nil
}

func errNotNumbered(f *entity.Field) error {
	return fmt.Errorf("%w: the key %s is zero, and MongoDB numbers nothing: set it, or give Options.NewID where it is the only one", repo.ErrInvalid, f.Name)
}

// unnumbered tells whether e has no key yet.
func (r *Repository[T]) unnumbered(e *T) bool {
	return r.generates() && r.ent.Key[0].IsZero(valueOf(e))
}

// idOf encodes key values as _id.
func (r *Repository[T]) idOf(key []any) (bson.RawValue, error) {
	if len(key) == 1 {
		return r.codec.value(r.hexID(key[0]))
	}
	doc := make(bson.D, len(key))
	for i, k := range key {
		doc[i] = bson.E{Key: r.layout.keyPart(i), Value: k}
	}
	return r.codec.value(doc)
}

// hexID turns a text key into the ObjectID that it stands for, where the
// options ask for it.
func (r *Repository[T]) hexID(k any) any {
	if v := reflect.ValueOf(k); r.opts.HexIDs && v.Kind() == reflect.String {
		if oid, err := bson.ObjectIDFromHex(v.String()); err == nil {
			return oid
		}
	}
	return k
}

// keyed is a key in the forms that are needed of it.
type keyed struct {
	id    bson.RawValue
	cmp   string // equal for equal keys
	index int    // in the caller's list, where there is one
}

func keyedBy(id bson.RawValue) keyed { return keyed{id: id, cmp: keyText(id)} }

// keyText is the bytes of an encoded key. They are equal for equal keys
// because every key of a type goes through the same codec.
func keyText(id bson.RawValue) string { return string(rune(id.Type)) + string(id.Value) }

// keyFrom turns an id of the caller into a key.
func (r *Repository[T]) keyFrom(id any) (keyed, error) {
	key, err := r.ent.KeyFromID(id)
	if err != nil {
		return keyed{}, err
	}
	raw, err := r.idOf(key)
	if err != nil {
		return keyed{}, err
	}
	return keyedBy(raw), nil
}

// keysFrom turns ids into keys and leaves out repeated ones. Bad ids are
// reported all together.
func (r *Repository[T]) keysFrom(ids []any) ([]keyed, error) {
	var bad []*repo.ItemError
	seen := make(map[string]bool, len(ids))
	keys := make([]keyed, 0, len(ids))
	for i, id := range ids {
		k, err := r.keyFrom(id)
		if err != nil {
			bad = append(bad, &repo.ItemError{Index: i, Err: err})
			continue
		}
		if !seen[k.cmp] {
			seen[k.cmp] = true
			k.index = i
			keys = append(keys, k)
		}
	}
	if len(bad) > 0 {
		return nil, &repo.BatchError{Items: bad}
	}
	return keys, nil
}

// identity is equal for entities with the same key. One that has no key yet is
// only itself, and so is one whose key does not encode, which its write will
// report.
func (r *Repository[T]) identity(e *T) any {
	if r.unnumbered(e) {
		return e
	}
	id, err := r.idOf(r.ent.KeyOf(valueOf(e)))
	if err != nil {
		return e
	}
	return keyText(id)
}

// shownID is what an ItemError calls e by.
func (r *Repository[T]) shownID(e *T) any {
	return entity.ShownID(r.ent.KeyOf(valueOf(e)), r.unnumbered(e))
}

// FormOfID is the form of the key that id stands for; see driver.Keyer.
func (r *Repository[T]) FormOfID(id any) (driver.KeyForm, error) {
	key, err := r.ent.KeyFromID(id)
	if err != nil {
		return driver.KeyForm{}, fmt.Errorf("mongorepo: id: %w", err)
	}
	return driver.FormOfKey(key), nil
}

// FormOf is the form of e's key; see driver.Keyer.
func (r *Repository[T]) FormOf(e *T) driver.KeyForm {
	if r.unnumbered(e) {
		return driver.KeyForm{None: true}
	}
	return driver.FormOfKey(r.ent.KeyOf(valueOf(e)))
}
