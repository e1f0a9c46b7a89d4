package mongorepo

import (
	"fmt"
	"reflect"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/holdfast-go/holdfast/repo"
)

// takeOver completes the options with the registry and the BSON options of the
// collection, and refuses others: what the user's other code writes must be read
// here, and the other way round.
func (o *Options) takeOver(coll *mongo.Collection) error {
	registry, own := registryOf(coll)
	switch {
	case !own:
	case o.Registry == nil:
		o.Registry = registry
	case o.Registry != registry:
		return fmt.Errorf("%w: Options.Registry is another one than the collection's", repo.ErrInvalid)
	}
	opts, known := hidden[options.BSONOptions](coll, "bsonOpts")
	switch {
	case !known:
	case o.BSON == nil:
		o.BSON = opts
	case opts != nil && *opts != *o.BSON, opts == nil && o.BSON.UseJSONStructTags:
		return fmt.Errorf("%w: Options.BSON differs from the options of the client: %+v and %+v", repo.ErrInvalid, *o.BSON, opts)
	}
	return nil
}

// registryOf returns the registry of the collection where somebody has set one:
// the driver has one for all others.
func registryOf(coll *mongo.Collection) (registry *bson.Registry, own bool) {
	registry, _ = hidden[bson.Registry](coll, "registry")
	usual, known := hidden[bson.Registry](mongo.NewSingleResultFromDocument(bson.D{}, nil, nil), "reg")
	return registry, registry != nil && known && registry != usual
}

// hidden reads a private field of a type of the driver, which does not tell what
// is in it: a user who had to say it twice would forget it. known is false when
// a driver does not have the field any more. Then Options count alone.
func hidden[V any](of any, name string) (v *V, known bool) {
	f := reflect.ValueOf(of).Elem().FieldByName(name)
	if !f.IsValid() || f.Type() != reflect.TypeFor[*V]() {
		return nil, false
	}
	v, _ = reflect.TypeAssert[*V](reflect.NewAt(f.Type().Elem(), f.UnsafePointer()))
	return v, true
}
