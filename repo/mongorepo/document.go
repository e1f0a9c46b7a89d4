package mongorepo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/fence"
)

// document is an encoded entity.
type document struct {
	id bson.RawValue
	// fields is everything but the key, in the codec's order.
	fields bson.D
}

// encode takes e to its document. The key moves to _id.
func (r *Repository[T]) encode(e *T) (*document, error) {
	raw, err := r.codec.marshal(e)
	if err != nil {
		return nil, err
	}
	d := &document{}
	if d.id, err = r.idOf(r.ent.KeyOf(valueOf(e))); err != nil {
		return nil, err
	}
	if len(raw) > maxDocument {
		return nil, fmt.Errorf("%w: a document of %d bytes, MongoDB takes %d", repo.ErrInvalid, len(raw), maxDocument)
	}
	elems, err := r.withReferences(raw)
	if err != nil {
		return nil, err
	}
	if has(elems, fence.Field) {
		return nil, fmt.Errorf("%w: the field %s is the fence's", repo.ErrInvalid, fence.Field)
	}
	for _, el := range elems {
		if el.Key != "_id" && !slices.Contains(r.layout.keyNames, el.Key) {
			d.fields = append(d.fields, el)
		}
	}
	return d, nil
}

// encodeFields takes e to the fields of its document. The key is where the codec puts it.
func (r *Repository[T]) encodeFields(e *T) (bson.D, error) {
	raw, err := r.codec.marshal(e)
	if err != nil {
		return nil, err
	}
	return r.withReferences(raw)
}

// withReferences takes a document apart, and makes ObjectIDs of text that stands for them.
func (r *Repository[T]) withReferences(raw bson.Raw) (bson.D, error) {
	elems, err := elements(raw)
	if err == nil && r.opts.HexIDs {
		elems, err = replaced(elems, r.layout.references, asObjectID)
	}
	return elems, err
}

// withoutFence takes the fence out of a document, which an inline map would
// take for a field of its own.
func withoutFence(raw bson.Raw) (bson.Raw, error) {
	if _, err := raw.LookupErr(fence.Field); err != nil {
		return raw, nil //nolint:nilerr // there is none
	}
	elems, err := elements(raw)
	if err != nil {
		return nil, err
	}
	return bson.Marshal(slices.DeleteFunc(elems, func(el bson.E) bool { return el.Key == fence.Field }))
}

func (d *document) whole() bson.D {
	return append(bson.D{{Key: "_id", Value: d.id}}, d.fields...)
}

// decode makes an entity of a stored document.
func (r *Repository[T]) decode(raw bson.Raw) (*T, error) {
	e := new(T)
	fields, err := withoutFence(raw)
	if err != nil {
		return nil, err
	}
	if fields, err = r.textual(fields); err != nil {
		return nil, err
	}
	if err := r.codec.unmarshal(fields, e); err != nil {
		return nil, err
	}
	if err := r.decodeKey(fields.Lookup("_id"), e); err != nil {
		return nil, err
	}
	return e, r.checkKey(raw, e)
}

// decodeKey takes the key from _id wherever its fields are.
func (r *Repository[T]) decodeKey(id bson.RawValue, e *T) error {
	if len(r.ent.Key) == 1 && r.layout.keyNames[0] == "_id" {
		return nil
	}
	parts, err := r.keyParts(id)
	if err != nil {
		return fmt.Errorf("decoding a stored %s: %w", r.ent.Type, err)
	}
	for i, f := range r.ent.Key {
		part := parts[i]
		if err := r.codec.unmarshalValue(part, f.Reach(valueOf(e))); err != nil {
			return fmt.Errorf("decoding the key of a stored %s: %w", r.ent.Type, err)
		}
	}
	return nil
}

// keyParts are the values of the key in an _id, which several are a document of. To MongoDB another order of fields, or
// one more, as Spring's _class, is another _id: an entity that was read from one
// would be saved as a second document, and found by its id never.
func (r *Repository[T]) keyParts(id bson.RawValue) ([]bson.RawValue, error) {
	if len(r.ent.Key) == 1 {
		return []bson.RawValue{id}, nil
	}
	doc, ok := id.DocumentOK()
	if !ok {
		return nil, fmt.Errorf("its _id is a %s, want a document", id.Type)
	}
	elems, err := doc.Elements()
	if err != nil {
		return nil, err
	}
	parts := make([]bson.RawValue, len(elems))
	names := make([]string, len(elems))
	for i, el := range elems {
		names[i], parts[i] = el.Key(), el.Value()
	}
	want := make([]string, len(r.ent.Key))
	for i := range want {
		want[i] = r.layout.keyPart(i)
	}
	if !slices.Equal(names, want) {
		return nil, fmt.Errorf("%w: its _id has the fields %q, one that is saved has %q in this order", repo.ErrInvalid, names, want)
	}
	return parts, nil
}

// lookup returns what d has at a dotted path.
func (d *document) lookup(path string) (bson.RawValue, bool) {
	first, rest, nested := strings.Cut(path, ".")
	v, ok := get(d.fields, first)
	if !ok || !nested {
		return v, ok
	}
	doc, ok := v.DocumentOK()
	if !ok {
		return bson.RawValue{}, false
	}
	v, err := doc.LookupErr(strings.Split(rest, ".")...)
	return v, err == nil
}

// at is what d has at some dotted paths.
func (d *document) at(paths []string) bson.D {
	return lo.FilterMap(paths, func(path string, _ int) (bson.E, bool) {
		v, ok := d.lookup(path)
		return bson.E{Key: path, Value: v}, ok
	})
}
