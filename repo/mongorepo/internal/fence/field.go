package fence

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Field is the field of a document that no entity sees. It holds the newest claim of
// every lock under a name made of the lock's key, so that claims of different keys
// never meet, and the mark of a tombstone.
const Field = "_f"

// goneName marks a tombstone inside the fence with the time of the deletion. No
// claim has this name: theirs are longer.
const goneName = "gone"

// movesName is where the fence of a document has the number of moves that its
// last writer knew; none for 0. It does for the key what the epoch does for the token:
// a writer under the old key is refused by every document that one under the
// new key has read or written. No claim has this name: theirs are longer.
const movesName = "m"

// movesPath is where the number of moves is.
const movesPath = Field + "." + movesName

// anyMoves is the number of a claim that no guard was checked for, and that
// documents are not asked to compare.
const anyMoves = -1

// Of returns the fence of a document, nil when it has none.
func Of(raw bson.Raw) bson.Raw {
	fence, _ := raw.Lookup(Field).DocumentOK()
	return fence
}

// IsGone tells whether it is the fence of a tombstone.
func IsGone(fence bson.Raw) bool {
	_, err := fence.LookupErr(goneName)
	return err == nil
}

// NotGone leaves out tombstones.
func NotGone() bson.D {
	// A comparison with null would become a field of what an upsert inserts.
	return absentField(Field + "." + goneName)
}

// GoneBefore are the tombstones of what was deleted before a time.
func GoneBefore(at time.Time) bson.D {
	return bson.D{{Key: Field + "." + goneName, Value: bson.D{{Key: "$lt", Value: at}}}}
}

// absentField is what an upsert does not make a field of.
func absentField(path string) bson.D {
	return bson.D{{Key: path, Value: bson.D{{Key: "$exists", Value: false}}}}
}
