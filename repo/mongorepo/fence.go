package mongorepo

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/holdfast-go/holdfast/repo"
)

// fenceField is the field of a document that no entity sees. It holds the
// newest claim of every lock under a name made of the lock's key, so that
// claims of different keys never meet, and the mark of a tombstone.
const fenceField = "_f"

// claim is one that a document can be asked to accept. Its token has the epoch.
type claim struct {
	repo.Claim
	name string
}

// claims are those of one attempt, of different keys. They are accepted
// together or not at all. None are no fence.
type claims []claim

// newClaim names the claim's field. A key can hold dots and dollars, which
// mean something in a path, and is longer than this hash of it.
func newClaim(c repo.Claim, epoch int64) claim {
	sum := sha256.Sum256([]byte(c.Key))
	c.Token |= epoch << epochShift
	return claim{c, base64.RawURLEncoding.EncodeToString(sum[:9])}
}

// epochShift is where the epoch begins in a stored token.
const epochShift = 48

func (c claim) path() string { return fenceField + "." + c.name }

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

// accept is the filter for documents that accept the claims: what
// [repo.Claim.Succeeds] says, in the words of the server.
func (cs claims) accept() bson.D {
	all := make(bson.A, len(cs))
	for i, c := range cs {
		token, owner, sub := c.path()+".t", c.path()+".o", c.path()+".s"
		all[i] = bson.D{{Key: "$or", Value: bson.A{
			bson.D{{Key: c.path(), Value: bson.D{{Key: "$exists", Value: false}}}},
			bson.D{{Key: token, Value: bson.D{{Key: "$lt", Value: c.Token}}}},
			bson.D{{Key: token, Value: c.Token}, {Key: owner, Value: c.Owner}, {Key: sub, Value: bson.D{{Key: "$lt", Value: c.Sub}}}},
		}}}
	}
	switch len(cs) {
	case 0:
		return nil
	case 1:
		return all[0].(bson.D)
	default:
		return bson.D{{Key: "$and", Value: all}}
	}
}

// equal is the filter for documents whose newest claims are these.
func (cs claims) equal() bson.D {
	var filter bson.D
	for _, c := range cs {
		filter = append(filter,
			bson.E{Key: c.path() + ".t", Value: c.Token},
			bson.E{Key: c.path() + ".o", Value: c.Owner},
			bson.E{Key: c.path() + ".s", Value: c.Sub})
	}
	return filter
}

// set is what an update stores the claims with.
func (cs claims) set() bson.D {
	set := make(bson.D, len(cs))
	for i, c := range cs {
		set[i] = bson.E{Key: c.path(), Value: c.doc()}
	}
	return set
}

// field is the whole fence of a document that had the fence old, for documents
// that are written whole; nil when there is nothing to hold.
func (cs claims) field(old bson.Raw) bson.D {
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
	if len(fence) == 0 {
		return nil
	}
	return bson.D{{Key: fenceField, Value: fence}}
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
// not accept, or nil.
func (cs claims) refusedBy(fence bson.Raw) error {
	for _, c := range cs {
		if stored, ok := c.in(fence); ok && !c.Succeeds(stored) {
			return &repo.FencedError{Stored: stored, Presented: c.Claim}
		}
	}
	return nil
}

// storedIn tells whether the fence's claims of the same keys are these.
func (cs claims) storedIn(fence bson.Raw) bool {
	for _, c := range cs {
		if stored, ok := c.in(fence); !ok || stored != c.Claim {
			return false
		}
	}
	return true
}

func (cs claims) String() string {
	texts := make([]string, len(cs))
	for i, c := range cs {
		texts[i] = c.String()
	}
	return strings.Join(texts, ", ")
}

// fenceOf returns the fence of a document, nil when it has none.
func fenceOf(raw bson.Raw) bson.Raw {
	fence, _ := raw.Lookup(fenceField).DocumentOK()
	return fence
}

// FenceMode is repo.FenceDocument; see the package documentation.
func (r *Repository[T]) FenceMode() repo.FenceMode { return repo.FenceDocument }

// claims draws the claims that a call with ctx shows, none without a fence. In
// a transaction it shows them to the documents of their locks first.
func (r *Repository[T]) claims(ctx context.Context) (claims, error) {
	cs, err := r.draw(ctx)
	if err != nil || len(cs) == 0 {
		return nil, err
	}
	if t := r.transaction(ctx); t != nil {
		err = r.raiseTx(ctx, t, cs)
	}
	return cs, err
}

// draw only draws them.
func (r *Repository[T]) draw(ctx context.Context) (claims, error) {
	f, fenced := repo.FenceFrom(ctx)
	if !fenced {
		return nil, nil
	}
	epoch, err := r.locks.epoch(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the epoch: %w", err)
	}
	shown := f.Claims()
	cs := make(claims, len(shown))
	for i, c := range shown {
		cs[i] = newClaim(c, epoch)
	}
	return cs, nil
}

// renewed reads the epoch again after cs were refused and draws new claims when
// it has moved, for it may be this process that is behind; none when it has
// not.
func (r *Repository[T]) renewed(ctx context.Context, cs claims) (claims, error) {
	if len(cs) == 0 {
		return nil, nil
	}
	epoch, err := r.locks.refresh(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the epoch: %w", err)
	}
	if epoch == cs[0].Epoch() {
		return nil, nil
	}
	return r.claims(ctx)
}

// fenced is the collection as the fence needs it: an accepted claim that a new
// primary does not know is none.
func fenced(coll *mongo.Collection) *mongo.Collection {
	journal := true
	return coll.Clone(options.Collection().
		SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal}).
		SetReadPreference(readpref.Primary()))
}

// on is the collection for a call that shows the claims.
func (r *Repository[T]) on(cs claims) *mongo.Collection {
	if len(cs) == 0 {
		return r.coll
	}
	return r.firm
}
