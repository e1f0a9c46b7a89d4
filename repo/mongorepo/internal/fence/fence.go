package fence

import (
	"context"
	"errors"
	"fmt"

	"github.com/samber/lo"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/holdfast-go/holdfast/repo/driver"
	"github.com/holdfast-go/holdfast/repo/mongorepo/internal/command"
)

// Fence draws the claims for the calls of one collection.
type Fence struct {
	firm   command.Collection
	locks  *locks
	guards *guards
}

// New makes the fence of a collection. It does no I/O.
func New(coll *mongo.Collection) *Fence {
	return &Fence{firm: Firm(coll), locks: newLocks(coll.Database()), guards: newGuards(coll)}
}

// Claims draws the claims that a call with ctx shows, none without a fence. In
// a transaction it shows them to the documents of their locks first.
func (f *Fence) Claims(ctx context.Context) (Claims, error) {
	cs, t, err := f.draw(ctx)
	if err == nil && t != nil {
		err = f.showTo(ctx, t, cs)
	}
	return cs, err
}

// draw only draws them, and looks whether one of their keys guards the
// collection. It returns the transaction that ctx joins, too.
func (f *Fence) draw(ctx context.Context) (Claims, *command.Transaction, error) {
	in, fenced := driver.FenceFrom(ctx)
	if !fenced {
		return nil, nil, nil
	}
	t, err := command.TransactionOf(ctx, f.firm.Coll.Database().Client(), false)
	switch {
	case err != nil:
		return nil, nil, err
	case t != nil:
		err = t.Usable()
	case command.InAnotherStores(ctx): // whose locks the claims are of
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	epoch, err := f.locks.epoch(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the epoch: %w", err)
	}
	shown := in.Claims()
	moves, err := f.guards.check(ctx, driver.GuardKeys(in, shown))
	if err != nil {
		return nil, nil, err
	}
	cs := make(Claims, len(shown))
	for i, c := range shown {
		cs[i] = newClaim(c, epoch, moves)
	}
	return cs, t, nil
}

// lockKey finds the claim that a transaction has shown for a lock. Several
// databases can take part in one.
type lockKey struct{ db, key string }

func (f *Fence) lockKey(c claim) lockKey { return lockKey{f.firm.Coll.Database().Name(), c.Key} }

// showTo shows those claims to the documents of their locks that the
// transaction has not shown yet in this try. They are written in it, so two
// transactions of one lock conflict, and the older claim is refused.
func (f *Fence) showTo(ctx context.Context, t *command.Transaction, cs Claims) error {
	for _, c := range cs {
		if _, done := t.Note(f.lockKey(c)); done {
			continue
		}
		if err := f.locks.raise(ctx, c); err != nil {
			t.Spoil(err)
			return err
		}
		t.SetNote(f.lockKey(c), c)
	}
	return nil
}

// Renewed reads the epoch and the guard again after cs were refused and draws
// new claims when one of them has moved, for it may be this process that is
// behind; none when neither has. A guard that cs do not hold is a
// *repo.WrongKeyError.
func (f *Fence) Renewed(ctx context.Context, cs Claims) (Claims, error) {
	if len(cs) == 0 {
		return nil, nil
	}
	epoch, err := f.locks.refresh(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the epoch: %w", err)
	}
	moves := cs.moves()
	if moves != anyMoves {
		now, err := f.guards.refresh(ctx)
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
	return f.Claims(ctx)
}

// RefusedBy returns a *repo.FencedError for the first claim that the fence of a
// document does not accept, a *repo.WrongKeyError when it has seen a later guard, or
// nil.
func (f *Fence) RefusedBy(cs Claims, fence bson.Raw) error {
	err := cs.refusedBy(fence)
	known := f.guards.last()
	if !errors.Is(err, errMoved) || known == nil {
		return err
	}
	return f.guards.refuse(*known, lo.Map(cs, func(c claim, _ int) string { return c.Key }))
}
