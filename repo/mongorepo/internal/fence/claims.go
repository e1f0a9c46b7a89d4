package fence

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
)

// claim is one that a document can be asked to accept. Its token has the epoch.
type claim struct {
	repo.Claim
	name string
	// moves tells how often the guard of the collection was moved, or is
	// anyMoves. All claims of a call have the same.
	moves int64
}

// Claims are those of one attempt, of different keys. They are accepted
// together or not at all. None are no fence.
type Claims []claim

// newClaim names the claim's field. A key can hold dots and dollars, which
// mean something in a path, and is longer than this hash of it.
func newClaim(c repo.Claim, epoch, moves int64) claim {
	sum := sha256.Sum256([]byte(c.Key))
	c.Token |= epoch << epochShift
	return claim{c, base64.RawURLEncoding.EncodeToString(sum[:9]), moves}
}

// epochShift is where the epoch begins in a stored token.
const epochShift = 48

func (c claim) path() string { return Field + "." + c.name }

func (c claim) doc() bson.D {
	return bson.D{{Key: "t", Value: c.Token}, {Key: "o", Value: c.Owner}, {Key: "s", Value: c.Sub}}
}

// in returns the claim of c's key that a fence holds.
func (c claim) in(fence bson.Raw) (repo.Claim, bool) {
	doc, ok := fence.Lookup(c.name).DocumentOK()
	if !ok {
		return repo.Claim{}, false
	}
	stored := repo.Claim{Key: c.Key}
	stored.Token, _ = doc.Lookup("t").AsInt64OK()
	stored.Sub, _ = doc.Lookup("s").AsInt64OK()
	stored.Owner, _ = doc.Lookup("o").StringValueOK()
	return stored, true
}

// Accept is the filter for documents that accept the claims: what
// [repo.Claim.Succeeds] says, in the words of the server.
func (cs Claims) Accept() bson.D {
	all := make(bson.A, len(cs))
	for i, c := range cs {
		token, owner, sub := c.path()+".t", c.path()+".o", c.path()+".s"
		all[i] = bson.D{{Key: "$or", Value: bson.A{
			absentField(c.path()),
			bson.D{{Key: token, Value: bson.D{{Key: "$lt", Value: c.Token}}}},
			bson.D{{Key: token, Value: c.Token}, {Key: owner, Value: c.Owner}, {Key: sub, Value: bson.D{{Key: "$lt", Value: c.Sub}}}},
		}}}
	}
	switch len(cs) {
	case 0:
		return nil
	case 1:
		return command.And(all[0].(bson.D), cs.guarded())
	default:
		return command.And(bson.D{{Key: "$and", Value: all}}, cs.guarded())
	}
}

// moves is the number that the claims were made with.
func (cs Claims) moves() int64 {
	if len(cs) == 0 {
		return anyMoves
	}
	return cs[0].moves
}

// guarded is the filter for documents that no writer under a later guard has
// read or written.
func (cs Claims) guarded() bson.D {
	switch moves := cs.moves(); moves {
	case anyMoves:
		return nil
	case 0:
		return absentField(movesPath)
	default:
		return bson.D{{Key: movesPath, Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$gt", Value: moves}}}}}}
	}
}

// anywhere are the claims for a document that no guard counts for.
func (cs Claims) anywhere() Claims {
	cs = slices.Clone(cs)
	for i := range cs {
		cs[i].moves = anyMoves
	}
	return cs
}

// Equal is the filter for documents whose newest claims are these.
func (cs Claims) Equal() bson.D {
	var filter bson.D
	for _, c := range cs {
		filter = append(filter,
			bson.E{Key: c.path() + ".t", Value: c.Token},
			bson.E{Key: c.path() + ".o", Value: c.Owner},
			bson.E{Key: c.path() + ".s", Value: c.Sub})
	}
	switch moves := cs.moves(); moves {
	case anyMoves:
		return filter
	case 0:
		return command.And(filter, absentField(movesPath))
	default:
		return append(filter, bson.E{Key: movesPath, Value: moves})
	}
}

// Set is what an update stores the claims with.
func (cs Claims) Set() bson.D {
	set := make(bson.D, len(cs))
	for i, c := range cs {
		set[i] = bson.E{Key: c.path(), Value: c.doc()}
	}
	if moves := cs.moves(); moves > 0 {
		set = append(set, bson.E{Key: movesPath, Value: moves})
	}
	return set
}

// Field is the whole fence of a document that had the fence old, for documents
// that are written whole; nil when there is nothing to hold.
func (cs Claims) Field(old bson.Raw) bson.D {
	var fence bson.D
	if elems, err := old.Elements(); err == nil {
		for _, el := range elems {
			if el.Key() != goneName {
				fence = append(fence, bson.E{Key: el.Key(), Value: el.Value()})
			}
		}
	}
	for _, c := range cs {
		fence = put(fence, c.name, c.doc())
	}
	if moves := cs.moves(); moves > 0 {
		fence = put(fence, movesName, moves)
	}
	if len(fence) == 0 {
		return nil
	}
	return bson.D{{Key: Field, Value: fence}}
}

func put(d bson.D, key string, v any) bson.D {
	for i := range d {
		if d[i].Key == key {
			d[i].Value = v
			return d
		}
	}
	return append(d, bson.E{Key: key, Value: v})
}

// refusedBy returns a *repo.FencedError for the first claim that a fence does
// not accept, errMoved when it has seen a later guard, or nil.
func (cs Claims) refusedBy(fence bson.Raw) error {
	if seen, ok := fence.Lookup(movesName).AsInt64OK(); ok && cs.moves() != anyMoves && seen > cs.moves() {
		return errMoved
	}
	for _, c := range cs {
		if stored, ok := c.in(fence); ok && !c.Succeeds(stored) {
			return &repo.FencedError{Stored: stored, Presented: c.Claim}
		}
	}
	return nil
}

// errMoved is a refusal by a document that has seen a later guard.
var errMoved = fmt.Errorf("%w: the document was written since the guard of its collection was moved", repo.ErrWrongKey)

// IsRefusal tells whether a document or a lock's document has refused claims.
func IsRefusal(err error) bool {
	return errors.Is(err, repo.ErrFenced) || errors.Is(err, repo.ErrWrongKey)
}

// NewestIn tells whether nobody has shown other claims since these, nor these
// under a later guard.
func (cs Claims) NewestIn(fence bson.Raw) bool {
	seen, _ := fence.Lookup(movesName).AsInt64OK()
	return cs.StoredIn(fence) && (cs.moves() == anyMoves || seen == cs.moves())
}

// StoredIn tells whether the fence's claims of the same keys are these.
func (cs Claims) StoredIn(fence bson.Raw) bool {
	for _, c := range cs {
		if stored, ok := c.in(fence); !ok || stored != c.Claim {
			return false
		}
	}
	return true
}

func (cs Claims) String() string {
	texts := make([]string, len(cs))
	for i, c := range cs {
		texts[i] = c.String()
	}
	return strings.Join(texts, ", ")
}

// Tombstone is the document that stays of one that had the fence old.
func (cs Claims) Tombstone(old bson.Raw, at time.Time) bson.D {
	stone := bson.D{{Key: goneName, Value: at}}
	if kept := cs.Field(old); len(kept) > 0 {
		stone = append(kept[0].Value.(bson.D), stone...)
	}
	return bson.D{{Key: Field, Value: stone}}
}

// RefusedBy tells whether a fence does not accept the claims.
func (cs Claims) RefusedBy(fence bson.Raw) bool { return cs.refusedBy(fence) != nil }
