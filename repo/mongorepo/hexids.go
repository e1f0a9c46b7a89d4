package mongorepo

import (
	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"
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

// replaced is doc with the values at some paths changed, in every document of a list.
func replaced(doc bson.D, paths []string, change func(bson.RawValue) any) (bson.D, error) {
	for i, el := range doc {
		v, ok := el.Value.(bson.RawValue)
		below := lo.FilterMap(paths, func(path string, _ int) (string, bool) { return cutPath(path, el.Key) })
		if !ok || len(below) == 0 {
			continue
		}
		next, err := replacedIn(v, below, change)
		if err != nil {
			return nil, err
		}
		raw, err := bson.Marshal(bson.D{{Key: "v", Value: next}})
		if err != nil {
			return nil, err
		}
		doc[i].Value = bson.Raw(raw).Lookup("v")
	}
	return doc, nil
}

func replacedIn(v bson.RawValue, paths []string, change func(bson.RawValue) any) (any, error) {
	if lo.Contains(paths, "") {
		return change(v), nil
	}
	if doc, ok := v.DocumentOK(); ok {
		elems, err := elements(doc)
		if err != nil {
			return nil, err
		}
		return replaced(elems, paths, change)
	}
	list, ok := v.ArrayOK()
	if !ok {
		return v, nil
	}
	values, err := list.Values()
	next := make(bson.A, len(values))
	for i := range values {
		if next[i], err = replacedIn(values[i], paths, change); err != nil {
			return nil, err
		}
	}
	return next, err
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

// isReference tells whether the text at the path is stored as an ObjectID.
func (r *Repository[T]) isReference(path string) bool {
	return r.opts.HexIDs && lo.Contains(r.layout.references, path)
}
