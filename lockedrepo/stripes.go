package lockedrepo

import (
	"fmt"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// MinStripes and MaxStripes bound the number of stripes. One call of Lock takes all of
// them when it has to.
const (
	MinStripes = 2
	MaxStripes = 64
)

// ErrStripes is returned by a read in a transaction or under a hold that has stripes of
// the type, but not all that the read needs: what it returns could change before it is
// saved. It matches repo.ErrInvalid. Name the repository itself in InTx, or all the ids in
// [Repository.For], or read with [ReadUnlocked] where no write is built on it.
var ErrStripes = fmt.Errorf("%w: stripes of the lock are not held", repo.ErrInvalid)

// Stripes divide the lock of a type into several, so that different entities are saved at
// the same time, by different processes too. See [ByID] and [ByFunc]. The zero value is
// one lock for the type.
type Stripes struct {
	n  int
	by string // the function that made it
	of any    // a func(*T) string of ByFunc
}

// ByID locks one of n stripes for each entity, by its id. All spellings of an id are of
// one stripe: 7, int64(7) and a pointer to it, and texts that differ in capitals,
// punctuation, spaces, zeros or in how a UUID is written, because some databases take
// these for equal. A text with other characters than printable ones of ASCII, and a key
// that is no text, integer, bool or array of bytes, takes all stripes. So do entities
// whose key implements driver.Valuer and is no array of bytes.
func ByID(n int) Stripes { return Stripes{n: n, by: "ByID"} }

// ByFunc locks one of n stripes for each entity, by a text that of returns, such as a
// tenant, a region or a path. The text must be part of what the entity is and never
// change: an Update that changes it is repo.ErrInvalid and writes nothing. Texts are
// compared as ByID compares ids. For an empty text all stripes are locked.
//
// Calls by id lock by the text of the id where that is a T or *T. Any other id tells
// nothing: Update reads the entity first, and looks again when it has the lock;
// DeleteByID and DeleteAllByID lock all stripes. The stored entity must have the text of
// the one that is saved, deleted, or merged into it: a document of SmartSave has to name
// the fields that of reads, or all stripes are locked.
func ByFunc[T any](n int, of func(e *T) string) Stripes {
	return Stripes{n: n, by: "ByFunc", of: of}
}

// set is the name under which the stripes guard a table.
func (s Stripes) set(key string) string { return driver.StripeSet(key, s.n) }
