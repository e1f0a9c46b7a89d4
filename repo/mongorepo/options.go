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

	// HexIDs stores text keys of 24 hex digits as ObjectIDs, makes them for
	// entities saved without one, and decodes ObjectIDs into text fields. It is
	// what Spring Data does with String ids. By default text is stored as text
	// and must be set. Turning it on does not change what is stored.
	HexIDs bool

	// BSON says how entities are encoded and decoded; it must be what the
	// client was made with (options.ClientOptions.BSONOptions). The driver does
	// not tell, so it has to be said here again. New compares UseJSONStructTags,
	// on which the field names hang, and returns repo.ErrInvalid when it
	// differs. By default it is the driver's default.
	BSON *options.BSONOptions

	// Registry holds the codecs for entities and condition values; it must be
	// the client's or the collection's. By default it is the driver's default
	// with one addition: gorm.DeletedAt is stored as a date or null.
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

	// Now gives the time for created, updated and deleted fields. By default
	// it is time.Now. MongoDB keeps milliseconds.
	Now func() time.Time
}
