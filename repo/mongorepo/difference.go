package mongorepo

import (
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

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

func (l *layout) same(was, now *document) bool {
	set, unset := l.difference(was, now, nil)
	return len(set)+len(unset) == 0
}
