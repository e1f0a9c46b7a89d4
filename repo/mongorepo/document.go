package mongorepo

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
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
	elems, err := elements(raw)
	if err != nil {
		return nil, err
	}
	if r.opts.HexIDs {
		if elems, err = replaced(elems, r.layout.references, asObjectID); err != nil {
			return nil, err
		}
	}
	if has(elems, fenceField) {
		return nil, fmt.Errorf("%w: the field %s is the fence's", repo.ErrInvalid, fenceField)
	}
	for _, el := range elems {
		if el.Key != "_id" && !slices.Contains(r.layout.keyNames, el.Key) {
			d.fields = append(d.fields, el)
		}
	}
	return d, nil
}

// withoutFence takes the fence out of a document, which an inline map would
// take for a field of its own.
func withoutFence(raw bson.Raw) (bson.Raw, error) {
	if _, err := raw.LookupErr(fenceField); err != nil {
		return raw, nil //nolint:nilerr // there is none
	}
	elems, err := elements(raw)
	if err != nil {
		return nil, err
	}
	return bson.Marshal(slices.DeleteFunc(elems, func(el bson.E) bool { return el.Key == fenceField }))
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
	parts := []bson.RawValue{id}
	if len(r.ent.Key) > 1 {
		var err error
		if parts, err = r.keyParts(id); err != nil {
			return fmt.Errorf("decoding a stored %s: %w", r.ent.Type, err)
		}
	}
	for i, f := range r.ent.Key {
		part := parts[i]
		if err := r.codec.unmarshalValue(part, f.Reach(valueOf(e))); err != nil {
			return fmt.Errorf("decoding the key of a stored %s: %w", r.ent.Type, err)
		}
	}
	return nil
}

// keyParts takes a composite _id apart. To MongoDB another order of fields, or
// one more, as Spring's _class, is another _id: an entity that was read from one
// would be saved as a second document, and found by its id never.
func (r *Repository[T]) keyParts(id bson.RawValue) ([]bson.RawValue, error) {
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

// flatten lists what a save writes of a document: its fields, and the fields
// of those that must be cut, by dotted path.
func (l *layout) flatten(doc bson.D, prefix string) bson.D {
	var out bson.D
	for _, el := range doc {
		path := prefix + el.Key
		if l.kept(path) {
			continue
		}
		if inner, ok := el.Value.(bson.RawValue).DocumentOK(); ok && l.cut(path) {
			if elems, err := elements(inner); err == nil {
				out = append(out, l.flatten(elems, path+".")...)
				continue
			}
		}
		out = append(out, bson.E{Key: path, Value: el.Value})
	}
	return out
}

// replacement is the update that writes every field of the Go type and takes
// away those that the codec left out, and keeps all else.
func (l *layout) replacement(d *document) (set, unset bson.D) {
	set = l.flatten(d.fields, "")
	for _, path := range l.known {
		if !has(set, path) {
			unset = append(unset, bson.E{Key: path, Value: ""})
		}
	}
	return set, unset
}

// difference is the update that makes now out of was, which is stored as raw.
func (l *layout) difference(was, now *document, raw bson.Raw) (set, unset bson.D) {
	return difference(l.flatten(was.fields, ""), l.flatten(now.fields, ""), raw, nil)
}

// difference goes down into documents, so that members of them stay that the Go
// type does not have. raw is what is stored of them: where that is no document,
// the new one is written whole.
func difference(old, cur bson.D, raw bson.Raw, path []string) (set, unset bson.D) {
	for _, el := range cur {
		before, ok := get(old, el.Key)
		after := el.Value.(bson.RawValue)
		if ok && equal(before, after) {
			continue
		}
		at := append(slices.Clip(path), strings.Split(el.Key, ".")...)
		if from, to, ok := bothDocuments(before, after, raw.Lookup(at...)); ok {
			s, u := difference(from, to, raw, at)
			set, unset = append(set, s...), append(unset, u...)
			continue
		}
		set = append(set, bson.E{Key: strings.Join(at, "."), Value: after})
	}
	for _, el := range old {
		if !has(cur, el.Key) {
			unset = append(unset, bson.E{Key: strings.Join(append(slices.Clip(path), el.Key), "."), Value: ""})
		}
	}
	return set, unset
}

// bothDocuments takes two documents apart whose members can be written one by
// one.
func bothDocuments(before, after, stored bson.RawValue) (from, to bson.D, ok bool) {
	a, aok := before.DocumentOK()
	b, bok := after.DocumentOK()
	if _, ok := stored.DocumentOK(); !ok || !aok || !bok {
		return nil, nil, false
	}
	from, err := elements(a)
	if err != nil {
		return nil, nil, false
	}
	if to, err = elements(b); err != nil {
		return nil, nil, false
	}
	odd := func(el bson.E) bool { return !isPlain(el.Key) }
	return from, to, !slices.ContainsFunc(from, odd) && !slices.ContainsFunc(to, odd)
}

// isPlain tells whether a name can be part of a path.
func isPlain(name string) bool {
	return name != "" && name[0] != '$' && !strings.Contains(name, ".")
}

func (l *layout) same(was, now *document) bool {
	set, unset := l.difference(was, now, nil)
	return len(set)+len(unset) == 0
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

func elements(raw bson.Raw) (bson.D, error) {
	list, err := raw.Elements()
	if err != nil {
		return nil, fmt.Errorf("%w: reading an encoded entity: %w", repo.ErrInvalid, err)
	}
	d := make(bson.D, len(list))
	for i, el := range list {
		d[i] = bson.E{Key: el.Key(), Value: el.Value()}
	}
	return d, nil
}

func get(d bson.D, key string) (bson.RawValue, bool) {
	for _, el := range d {
		if el.Key == key {
			return el.Value.(bson.RawValue), true
		}
	}
	return bson.RawValue{}, false
}

func has(d bson.D, key string) bool {
	_, ok := get(d, key)
	return ok
}

// equal compares two values. The order of fields in a document does not
// matter: Go maps come out of the codec in a new order every time.
func equal(a, b bson.RawValue) bool {
	if a.Type != b.Type {
		return false
	}
	if bytes.Equal(a.Value, b.Value) {
		return true
	}
	switch a.Type {
	case bson.TypeEmbeddedDocument:
		x, xerr := elements(a.Document())
		y, yerr := elements(b.Document())
		if xerr != nil || yerr != nil || len(x) != len(y) {
			return false
		}
		for _, el := range x {
			if v, ok := get(y, el.Key); !ok || !equal(el.Value.(bson.RawValue), v) {
				return false
			}
		}
		return true
	case bson.TypeArray:
		x, xerr := a.Array().Values()
		y, yerr := b.Array().Values()
		return xerr == nil && yerr == nil && slices.EqualFunc(x, y, equal)
	}
	return false
}

func valueOf[T any](e *T) reflect.Value { return reflect.ValueOf(e).Elem() }
