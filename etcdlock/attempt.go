package etcdlock

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/internal/fencing"
)

// attempt is the right to one transaction with what a Lock protects.
type attempt struct{ turns []*turn }

// attempt waits until no other attempt under the same hold is open, and opens one, see
// fencing.Lock.
func (k *Lock) attempt(ctx context.Context) (*attempt, error) {
	if ctx == nil {
		return nil, invalid("opening an attempt", "nil context")
	}
	a := &attempt{turns: make([]*turn, 0, len(k.held.parts))}
	for _, p := range k.held.parts { // sorted by name: two of them wait for one another in one order
		err := p.turn.open(ctx)
		if err != nil {
			a.Close()
			return nil, fmt.Errorf("etcdlock: waiting for another transaction under the hold of %q: %w", p.turn.Name(), err)
		}
		a.turns = append(a.turns, p.turn)
	}
	return a, nil
}

// open takes the turn's only place for an attempt.
func (t *turn) open(ctx context.Context) error {
	if !t.Live() {
		return t.Ended()
	}
	t.once.Do(func() { t.attempting = make(chan struct{}, 1) })
	select {
	case t.attempting <- struct{}{}:
		return nil
	default:
	}
	select {
	case t.attempting <- struct{}{}:
		return nil
	case <-ctx.Done():
		err := contextError(ctx)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", ErrTimeout, err)
		}
		return err
	case <-t.Ctx.Done():
		return t.Ended()
	}
}

// Claims draws the next claim for each name, sorted by name.
func (a *attempt) Claims() []fencing.Claim {
	claims := make([]fencing.Claim, len(a.turns))
	for i, t := range a.turns {
		token := t.draw()
		claims[i] = fencing.Claim{Name: t.Name(), Revision: token.Revision, Owner: token.Owner, Turn: token.Turn, Attempt: token.Attempt}
	}
	return claims
}

// Close ends the attempt and lets the next one begin. A second call does
// nothing.
func (a *attempt) Close() {
	for _, t := range a.turns {
		<-t.attempting
	}
	a.turns = nil
}
