package mongorepo

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
)

// isPlain tells whether a name can be part of a path.
func isPlain(name string) bool {
	return name != "" && name[0] != '$' && !strings.Contains(name, ".")
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
