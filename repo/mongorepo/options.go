package mongorepo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Options changes how a repository works. The zero value and nil mean the
// defaults.
type Options struct {
	// NewID makes the key of an entity that is saved without one, for types
	// with a single key that is not an assigned integer
	// (`gorm:"autoIncrement:false"`). Its result must be what an id of the type
	// may be, else saving is repo.ErrInvalid. It is called before the write,
	// with the context of the call, also for an entity whose write then fails.
	// By default ObjectID keys are made, and others must be set: MongoDB
	// numbers nothing.
	NewID func(ctx context.Context) (any, error)

	// HexIDs stores text keys of 24 hex digits as ObjectIDs and makes them for
	// entities saved without one. It is what Spring Data does with String ids. By
	// default text is stored as text and must be set. Turning it on does not change
	// what is stored; a document whose key is such text is repo.ErrInvalid when it is
	// read, because saving it would make a second one.
	//
	// Other text stays text. A field of text, or of a list of texts, that Spring Data
	// stores as ObjectIDs, as it does with references, has the tag
	// `holdfast:"objectid"`, in nested documents and in lists of them too. An ObjectID in a field without the tag cannot be read:
	// a save would turn it into text.
	HexIDs bool

	// UUIDs says how UUIDs are stored: arrays of 16 bytes that read text by
	// UnmarshalText, as uuid.UUID does. By default as the codec stores an array. A
	// document with another representation cannot be read, so that no save makes a
	// second one. It does not go with Options.Registry or one of the collection.
	UUIDs UUIDs

	// ShardKey names the Go fields of the shard key, for a sharded collection whose
	// shard key is not _id: an upsert has to name them. They must not change. It does
	// not go with Tombstones, which have no such fields.
	ShardKey []string

	// BSON says how entities are encoded and decoded. By default it is what the
	// collection has from the client, or was made with. Another one than that is
	// repo.ErrInvalid where the collection has one, and so is ObjectIDAsHexString: a
	// save would turn into text what it reads as text. See HexIDs.
	BSON *options.BSONOptions

	// Registry holds the codecs for entities and condition values. By default it
	// is the collection's or the client's; where that is the driver's default,
	// with one addition: gorm.DeletedAt is stored as a date or null. Another one
	// than the collection's own is repo.ErrInvalid.
	Registry *bson.Registry

	// Tombstones keeps the fence of what is deleted: the document is replaced
	// by one that holds the claims and nothing else, which no method of this
	// repository finds, so that a save of a stale holder cannot bring the entity
	// back. A newer holder's save can. By default documents are removed. It
	// costs a round trip, and every deletion is a command of its own. Types with
	// a deletion mark need none.
	//
	// All repositories on the collection must have it, because to others a
	// tombstone is an entity without values, and it must stay on. Unique indexes
	// must be sparse or partial: to others all tombstones have one value. See
	// PruneTombstones for taking them away.
	Tombstones bool

	// VersionFromZero gives new entities version 0 and not 1, as Hibernate and
	// Spring Data do that write the same collection. An entity with version 0 that
	// is saved then overwrites one that is stored with version 0 under its key, new
	// or not, unless T has the method IsNew() bool.
	VersionFromZero bool

	// Now gives the time for created, updated and deleted fields. By default
	// it is time.Now. MongoDB keeps milliseconds.
	Now func() time.Time
}
