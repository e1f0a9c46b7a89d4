package mongorepo

import (
	"fmt"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
)

// Spring Data stores a text id of 24 hex digits as an ObjectID, and text fields as
// text unless they are references. Which of the two a field is must not change by a
// save: the key and the marked fields are ObjectIDs, all other text is text.

// asObjectID turns a text of 24 hex digits, or each of a list, into an ObjectID.
func asObjectID(v bson.RawValue) any {
	if text, ok := v.StringValueOK(); ok {
		if oid, err := bson.ObjectIDFromHex(text); err == nil {
			return oid
		}
	}
	if list, ok := v.ArrayOK(); ok {
		if values, err := list.Values(); err == nil {
			return lo.Map(values, func(v bson.RawValue, _ int) any { return asObjectID(v) })
		}
	}
	return v
}

// asText turns an ObjectID, or each of a list, into its text.
func asText(v bson.RawValue) any {
	if oid, ok := v.ObjectIDOK(); ok {
		return oid.Hex()
	}
	if list, ok := v.ArrayOK(); ok {
		if values, err := list.Values(); err == nil {
			return lo.Map(values, func(v bson.RawValue, _ int) any { return asText(v) })
		}
	}
	return v
}

// replaced is doc with the values at some paths changed.
func replaced(doc bson.D, paths []string, change func(bson.RawValue) any) (bson.D, error) {
	for i, el := range doc {
		v, ok := el.Value.(bson.RawValue)
		if !ok {
			continue
		}
		below := lo.FilterMap(paths, func(path string, _ int) (string, bool) { return cutPath(path, el.Key) })
		var next any
		switch inner, isDoc := v.DocumentOK(); {
		case lo.Contains(below, ""):
			next = change(v)
		case len(below) == 0 || !isDoc:
			continue
		default:
			elems, err := elements(inner)
			if err != nil {
				return nil, err
			}
			if next, err = replaced(elems, below, change); err != nil {
				return nil, err
			}
		}
		raw, err := bson.Marshal(bson.D{{Key: "v", Value: next}})
		if err != nil {
			return nil, err
		}
		doc[i].Value = bson.Raw(raw).Lookup("v")
	}
	return doc, nil
}

// textual is a stored document as the entity has it.
func (r *Repository[T]) textual(raw bson.Raw) (bson.Raw, error) {
	if !r.opts.HexIDs {
		return raw, nil
	}
	doc, err := elements(raw)
	if err != nil {
		return nil, err
	}
	if doc, err = replaced(doc, append([]string{"_id"}, r.layout.references...), asText); err != nil {
		return nil, err
	}
	return bson.Marshal(doc)
}

// checkKey refuses a document whose key would be saved in another form: that would
// make a second one.
func (r *Repository[T]) checkKey(raw bson.Raw, e *T) error {
	if len(r.ent.Key) > 1 || !r.opts.HexIDs && !isUUID(deref(r.ent.Key[0].Type)) {
		return nil
	}
	id, err := r.idOf(r.ent.KeyOf(valueOf(e)))
	if err != nil {
		return err
	}
	if stored := raw.Lookup("_id"); !equal(id, stored) {
		return fmt.Errorf("%w: its _id is stored as a %s, and would be saved as a %s", repo.ErrInvalid, stored.Type, id.Type)
	}
	return nil
}

// isReference tells whether the text at the path is stored as an ObjectID.
func (r *Repository[T]) isReference(path string) bool {
	return r.opts.HexIDs && lo.Contains(r.layout.references, path)
}
