package mongorepo

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/internal/entity"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/fence"
)

// tags is what the BSON codec reads from a struct field.
type tags struct {
	name         string
	inline, skip bool
}

// tagsOf follows the rules of the driver's struct codec: the bson tag, with
// json the json tag when there is no bson tag, else the name in lower case.
func tagsOf(sf reflect.StructField, json bool) tags {
	tag, ok := sf.Tag.Lookup("bson")
	if !ok && json {
		tag, ok = sf.Tag.Lookup("json")
	}
	if !ok && !strings.Contains(string(sf.Tag), ":") {
		tag = string(sf.Tag)
	}
	if tag == "-" || !sf.IsExported() {
		return tags{skip: true}
	}
	parts := strings.Split(tag, ",")
	t := tags{name: strings.ToLower(sf.Name)}
	if parts[0] != "" {
		t.name = parts[0]
	}
	for _, p := range parts {
		t.inline = t.inline || p == "inline"
	}
	return t
}

// layout knows where the fields of an entity are in its document.
type layout struct {
	typ  reflect.Type
	json bool
	key  []*entity.Field
	// keyNames are the names of the key fields where the codec puts them. They
	// are stored in _id, under these names when there are several.
	keyNames []string
	// shard are the paths of the shard key, but for _id.
	shard []string
	// references are the paths of text that is stored as ObjectIDs.
	references []string
	// opaque types hold fields that their Go type does not name: those with an
	// inline map or an encoder of their own.
	opaque bool
	// known are the paths that a save writes, as flatten cuts them.
	known []string
	// version and deleted are dotted paths, empty where there is no such field,
	// created those of the creation times.
	version, deleted string
	created          []string
}

// duty is a marked field and where its path goes.
type duty struct {
	field *entity.Field
	path  *string
}

func newLayout(ent *entity.Entity, json bool) (*layout, error) {
	l := &layout{typ: ent.Type, json: json, key: ent.Key}
	for _, f := range ent.Key {
		path, err := l.path(f.Index)
		if err != nil {
			return nil, fmt.Errorf("key field %s: %w", f.Name, err)
		}
		l.keyNames = append(l.keyNames, path)
	}
	l.created = make([]string, len(ent.Created))
	for _, m := range slices.Concat(
		[]duty{{ent.Version, &l.version}, {ent.Deleted, &l.deleted}},
		lo.Map(ent.Created, func(f *entity.Field, i int) duty { return duty{f, &l.created[i]} }),
		lo.Map(ent.Updated, func(f *entity.Field, _ int) duty { return duty{f, new(string)} }),
	) {
		if m.field == nil {
			continue
		}
		var err error
		if *m.path, err = l.path(m.field.Index); err != nil {
			return nil, fmt.Errorf("field %s: %w", m.field.Name, err)
		}
	}
	l.findReferences(ent.Type, "")
	p := reflect.PointerTo(ent.Type)
	if p.Implements(reflect.TypeFor[bson.Marshaler]()) || p.Implements(reflect.TypeFor[bson.ValueMarshaler]()) {
		l.opaque = true
	}
	return l, l.learn(ent.Type, "")
}

// findReferences finds the marked fields of t, in documents and lists too. A type that
// is inside of itself is read once.
func (l *layout) findReferences(t reflect.Type, prefix string, above ...reflect.Type) {
	for sf := range t.Fields() {
		tg := tagsOf(sf, l.json)
		path := prefix + tg.name
		switch inner := elemOf(sf.Type); {
		case tg.skip:
		case entity.IsReference(sf.Tag):
			l.references = append(l.references, path)
		case inner.Kind() == reflect.Struct && !slices.Contains(above, inner):
			l.findReferences(inner, lo.Ternary(tg.inline, prefix, path+"."), append(above, t)...)
		}
	}
}

// learn collects the known paths of t, and notes an inline map.
func (l *layout) learn(t reflect.Type, prefix string) error {
	for sf := range t.Fields() {
		tg := tagsOf(sf, l.json)
		inner := deref(sf.Type)
		path := prefix + tg.name
		var err error
		switch {
		case tg.skip:
		case tg.inline && inner.Kind() == reflect.Struct:
			err = l.learn(inner, prefix)
		case tg.inline:
			l.opaque = true
		case path == fence.Field:
			err = fmt.Errorf("%w: field %s of %s has the BSON name of the fence, %s", repo.ErrInvalid, sf.Name, t, fence.Field)
		case tg.name == "" || tg.name[0] == '$' || strings.Contains(tg.name, "."):
			err = fmt.Errorf("%w: field %s of %s has the BSON name %q, which MongoDB takes for a path or an operator", repo.ErrInvalid, sf.Name, t, tg.name)
		case l.kept(path):
		case l.cut(path) && inner.Kind() == reflect.Struct:
			err = l.learn(inner, path+".")
		default:
			l.known = append(l.known, path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// kept tells whether a save leaves the path alone: the key, which is in _id,
// the creation time, and the deletion mark.
func (l *layout) kept(path string) bool {
	return path == "_id" || path == l.deleted || slices.Contains(l.created, path) || slices.Contains(l.keyNames, path)
}

// cut tells whether a save must write the document at path field by field,
// because it has something in it that is kept.
func (l *layout) cut(path string) bool {
	for _, p := range slices.Concat([]string{l.deleted}, l.created, l.keyNames) {
		if _, below := cutPath(p, path); below {
			return true
		}
	}
	return false
}

// path returns the dotted BSON path of the field with the given Go index. A
// field on the way that the codec leaves out is ErrInvalid.
func (l *layout) path(index []int) (string, error) {
	var parts []string
	t := l.typ
	for _, i := range index {
		sf := deref(t).Field(i)
		tg := tagsOf(sf, l.json)
		if tg.skip {
			return "", fmt.Errorf("%w: field %s of %s is not stored in MongoDB", repo.ErrInvalid, sf.Name, l.typ)
		}
		if !tg.inline {
			parts = append(parts, tg.name)
		}
		t = sf.Type
	}
	return strings.Join(parts, "."), nil
}

// field returns the path of the field with the given Go name for a query. Key
// fields are in _id.
func (l *layout) field(name string) (path string, isKey bool, err error) {
	f, ok := entity.FieldByName(l.typ, name)
	if !ok {
		return "", false, fmt.Errorf("%w: %s has no field %q", repo.ErrInvalid, l.typ, name)
	}
	if path, err = l.path(f.Index); err != nil {
		return "", false, err
	}
	for i, k := range l.keyNames {
		if rest, ok := cutPath(path, k); ok {
			if len(l.keyNames) == 1 {
				return join("_id", rest), true, nil
			}
			return join("_id."+l.keyPart(i), rest), true, nil
		}
	}
	return path, false, nil
}

// readShardKey finds the fields of the shard key.
func (l *layout) readShardKey(names []string) error {
	for _, name := range names {
		path, isKey, err := l.field(name)
		if err != nil {
			return fmt.Errorf("shard key: %w", err)
		}
		if !isKey {
			l.shard = append(l.shard, path)
		}
	}
	return nil
}

// keyPart is the name of a field of a composite key inside _id.
func (l *layout) keyPart(i int) string {
	name := l.keyNames[i]
	return name[strings.LastIndexByte(name, '.')+1:]
}

// cutPath reports whether path is prefix or lies below it, and what is left.
func cutPath(path, prefix string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, prefix)
	if !ok || rest != "" && rest[0] != '.' {
		return "", false
	}
	return strings.TrimPrefix(rest, "."), true
}

func join(path, rest string) string {
	if rest == "" {
		return path
	}
	return path + "." + rest
}

func deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// elemOf is t without pointers and lists.
func elemOf(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
		t = t.Elem()
	}
	return t
}
