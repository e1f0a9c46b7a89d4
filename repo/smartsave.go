package repo

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast-go/holdfast/repo/internal/smartsave"
)

// SmartSaveDTO is the body that Spring clients send: {"entityList": ["{...}"]},
// each element one entity as JSON text. Plain JSON objects in the list are
// accepted too.
type SmartSaveDTO struct {
	// EntityList holds one JSON object as text for each entity.
	EntityList []string `json:"entityList"`
}

// UnmarshalJSON accepts text and objects in the list. Elements of another kind
// are reported all together in a *BatchError.
func (d *SmartSaveDTO) UnmarshalJSON(data []byte) error {
	var wire struct {
		EntityList rawDocuments `json:"entityList"`
	}
	if err := json.Unmarshal(data, &wire, manyNames); err != nil {
		return fmt.Errorf("repo: smart save: %w: body: %w", ErrInvalid, err)
	}
	list := make([]string, len(wire.EntityList.values))
	var bad []*ItemError
	for i, v := range wire.EntityList.values {
		switch v.Kind() {
		case jsontext.KindString:
			text, err := jsontext.AppendUnquote(nil, v)
			if err != nil {
				bad = append(bad, &ItemError{Index: i, Err: fmt.Errorf("%w: %w", ErrInvalid, err)})
			}
			list[i] = string(text)
		case jsontext.KindBeginObject:
			list[i] = string(v)
		default:
			bad = append(bad, &ItemError{Index: i, Err: fmt.Errorf("%w: want a JSON object or its text, not %s", ErrInvalid, v.Kind())})
		}
	}
	if len(bad) > 0 {
		return &BatchError{Items: bad}
	}
	d.EntityList = list
	return nil
}

// manyNames has the decoder keep no names. It would keep all of an object to find one that
// is given twice, and a body of unknown ones would cost it seconds, and many times its
// size. The names in a document are looked at when it is saved; see MaxMembers.
var manyNames = jsontext.AllowDuplicateNames(true) //nolint:gochecknoglobals // an option, never written to

// rawDocuments is the list of a body, which can be given once.
type rawDocuments struct {
	values []jsontext.Value
	given  bool
}

func (d *rawDocuments) UnmarshalJSON(data []byte) error {
	if d.given {
		return errors.New("entityList is given twice")
	}
	d.given = true
	return json.Unmarshal(data, &d.values, manyNames)
}

// The caps of SmartSave when no option changes them.
const (
	DefaultMaxDocuments = 10_000
	DefaultMaxBytes     = 64 << 20
)

// MaxMembers is how many members one document of SmartSave has at most, those of nested
// objects and of objects in lists among them. More are ErrTooMany.
const MaxMembers = 100_000

// SmartSaveOption changes one call of SmartSave.
type SmartSaveOption func(*smartsave.Options)

// Replace overwrites the whole entity: a member that the document does not
// name becomes the zero value. It is the default, and what the Java smartSave
// does. A document that names no version, or 0, replaces what is stored in any
// version, which counts up; another version must be the stored one, else ErrStale.
func Replace() SmartSaveOption { return func(s *smartsave.Options) { s.Mode = smartsave.ModeReplace } }

// Merge applies each document to the stored entity as RFC 7396 says: members
// not named are kept, null clears. An entity that is not stored is inserted
// with what is given. Only columns that changed are written. The key, the
// times, the version and the deletion mark cannot be changed by a document; a
// version that it names must be the stored one, else ErrStale.
func Merge() SmartSaveOption { return func(s *smartsave.Options) { s.Mode = smartsave.ModeMerge } }

// MergeNonNull is Merge where null members are taken as not named.
func MergeNonNull() SmartSaveOption {
	return func(s *smartsave.Options) { s.Mode = smartsave.ModeMergeNonNull }
}

// MaxDocuments changes the largest number of documents, by default
// DefaultMaxDocuments. n must be positive.
func MaxDocuments(n int) SmartSaveOption { return func(s *smartsave.Options) { s.MaxDocuments = n } }

// MaxBytes changes the largest size of all documents together, by default
// DefaultMaxBytes. n must be positive.
func MaxBytes(n int) SmartSaveOption { return func(s *smartsave.Options) { s.MaxBytes = n } }

// Chunks commits every n documents, one chunk after the other, so that other writers get
// their turn between two of them; a locked repository gives its lock back. It is for
// imports: small chunks keep others waiting for less long, and large ones wait for others
// less often. 500 to 2000 documents of a few hundred bytes keep others waiting for some
// tens of milliseconds. All documents are decoded and checked before the first chunk.
//
// A chunk that fails ends the call with a *[ChunkError], which says how many documents are
// committed, and SmartSave returns their entities with it. Call it again with the rest.
// There is nothing to commit between chunks in a transaction, and nobody else's turn
// under a hold of the repository's lock: there it is ErrInvalid, as is an n below 1.
func Chunks(n int) SmartSaveOption { return func(s *smartsave.Options) { s.Chunk = &n } }

// RejectUnknown says whether a member that the entity does not have makes its
// document bad. By default it does when merging, where a misspelt name would
// silently do nothing, and does not when replacing, where clients may send
// more than the entity keeps.
func RejectUnknown(reject bool) SmartSaveOption {
	return func(s *smartsave.Options) { s.RejectUnknown = &reject }
}

// JavaForms reads times and numbers in the forms in which Jackson writes them, and in
// Go's as well. A time may be a number of milliseconds since 1970, of seconds where it
// has a fraction, a text like "2006-01-02 15:04:05", "2006-01-02T15:04:05.123",
// "2006-01-02T15:04:05+0000" or "2006-01-02", or a list of year, month, day, hour,
// minute, second and nanoseconds. Without a zone it is a clock in zone; nil is UTC. A
// number may be a text, a field of text takes a number with all its digits, and an
// integer may be written as 1E+2 or 5.0. Types with decoders of their own read what
// they know.
func JavaForms(zone *time.Location) SmartSaveOption {
	return func(s *smartsave.Options) { s.Java = cmp.Or(zone, time.UTC) }
}

// WithDecoder decodes documents with fn alone, for instance where they are in a form of
// their own. fn is called with the entity to decode into, which is the
// stored one when merging, and with the nulls taken out by MergeNonNull. It is called
// several times for a document, and gives the same each time. T must be the repository's.
func WithDecoder[T any](fn func(doc []byte, into *T) error) SmartSaveOption {
	return func(s *smartsave.Options) { s.Decoder = fn }
}
