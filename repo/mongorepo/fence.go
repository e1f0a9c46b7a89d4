package mongorepo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/holdfast-go/holdfast/repo/driver"
)

// fenceField is the field of a document that no entity sees. It holds the
// newest claim of every lock under a name made of the lock's key, so that
// claims of different keys never meet, and the mark of a tombstone.
const fenceField = "_f"

// FenceMode is driver.FenceDocument; see the package documentation.
func (r *Repository[T]) FenceMode() driver.FenceMode { return driver.FenceDocument }

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

// draw only draws them, and looks whether one of their keys guards the
// collection.
func (r *Repository[T]) draw(ctx context.Context) (claims, error) {
	f, fenced := driver.FenceFrom(ctx)
	if !fenced {
		return nil, nil
	}
	t, err := transactionOf(ctx, r.client(), false)
	switch {
	case err != nil:
		return nil, err
	case t != nil:
		err = t.usable()
	case inAnotherStores(ctx): // whose locks the claims are of
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	epoch, err := r.locks.epoch(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the epoch: %w", err)
	}
	shown := f.Claims()
	moves, err := r.guards.check(ctx, candidates(f, shown))
	if err != nil {
		return nil, err
	}
	cs := make(claims, len(shown))
	for i, c := range shown {
		cs[i] = newClaim(c, epoch, moves)
	}
	return cs, nil
}

// renewed reads the epoch and the guard again after cs were refused and draws
// new claims when one of them has moved, for it may be this process that is
// behind; none when neither has. A guard that cs do not hold is a
// *repo.WrongKeyError.
func (r *Repository[T]) renewed(ctx context.Context, cs claims) (claims, error) {
	if len(cs) == 0 {
		return nil, nil
	}
	epoch, err := r.locks.refresh(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the epoch: %w", err)
	}
	moves := cs.moves()
	if moves != anyMoves {
		now, err := r.guards.refresh(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading the guard: %w", err)
		}
		if now != nil {
			moves = now.Moves
		}
	}
	if epoch == cs[0].Epoch() && moves == cs.moves() {
		return nil, nil
	}
	return r.claims(ctx)
}

// firm is the collection as the fence needs it: an accepted claim that a new
// primary does not know is none, and what a secondary returns is old.
func firm(coll *mongo.Collection) commands {
	return commands{coll.Clone(options.Collection().
		SetWriteConcern(journaledMajority()).SetReadConcern(readconcern.Majority()).SetReadPreference(readpref.Primary()))}
}

// fresh is the collection as a read needs it that prepares a write or explains
// why one was refused: it sees what the write would meet, committed by a
// majority or not.
func fresh(coll *mongo.Collection) commands {
	return commands{coll.Clone(options.Collection().SetReadConcern(readconcern.Local()).SetReadPreference(readpref.Primary()))}
}

// firmTransaction does the same for a transaction, in which those of
// collections do not count.
func firmTransaction() *options.TransactionOptionsBuilder {
	return options.Transaction().
		SetWriteConcern(journaledMajority()).SetReadConcern(readconcern.Snapshot()).SetReadPreference(readpref.Primary())
}

func journaledMajority() *writeconcern.WriteConcern {
	journal := true
	return &writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal}
}

// on is the collection for a call that shows the claims.
func (r *Repository[T]) on(cs claims) commands {
	if len(cs) == 0 {
		return r.loose
	}
	return r.firm
}

// reading is the collection for a query under ctx.
func (r *Repository[T]) reading(ctx context.Context) commands {
	if _, fenced := driver.FenceFrom(ctx); fenced {
		return r.firm
	}
	return r.loose
}
