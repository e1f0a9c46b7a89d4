package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Claim is the fencing token of one of an Attempt's names.
type Claim struct {
	// Name is the name of the lock.
	Name string
	FencingToken
}

// Attempt is the right to one transaction with what a Lock protects.
type Attempt struct{ turns []*turn }

// Attempt waits until no other attempt under the same hold is open, and opens
// one. Goroutines that share a hold exclude one another for as long as their
// attempts last, so that a store that checks claims is shown them in order.
// Close it.
//
// Errors: ErrLost when the hold has ended, ErrTimeout with
// context.DeadlineExceeded when ctx ended first, or context.Canceled.
func (k *Lock) Attempt(ctx context.Context) (*Attempt, error) {
	if ctx == nil {
		return nil, invalid("opening an attempt", "nil context")
	}
	a := &Attempt{turns: make([]*turn, 0, len(k.held.parts))}
	for _, p := range k.held.parts { // sorted by name: two of them wait for one another in one order
		err := p.turn.open(ctx)
		if err != nil {
			a.Close()
			return nil, fmt.Errorf("etcdlock: waiting for another transaction under the hold of %q: %w", p.turn.Name, err)
		}
		a.turns = append(a.turns, p.turn)
	}
	return a, nil
}

// attempts are those of one turn.
type attempts struct {
	once       sync.Once
	attempting chan struct{} // has room for the one attempt that is open
	drawn      atomic.Int64  // how many tokens
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

// Claims returns a claim for each name of the Lock, sorted by name. Each call
// draws the next number: call it once for every try at a transaction.
func (a *Attempt) Claims() []Claim {
	claims := make([]Claim, len(a.turns))
	for i, t := range a.turns {
		claims[i] = Claim{t.Name, t.draw()}
	}
	return claims
}

// Close ends the attempt and lets the next one begin. A second call does
// nothing.
func (a *Attempt) Close() {
	for _, t := range a.turns {
		<-t.attempting
	}
	a.turns = nil
}

// Retire keeps everybody else from using the holds that the Lock was given:
// Unlock then neither hands them on nor lets them linger, and the next Lock of
// such a name has a new token. It is for a holder whom a store has told that the
// token is not good.
func (k *Lock) Retire() {
	for _, p := range k.held.parts {
		p.turn.Retire()
	}
}

// Holding reports whether ctx carries a hold of the name, be it over or not:
// Lock with ctx then returns a nested Lock, or ErrLost, and asks etcd nothing.
func (l *Locker) Holding(ctx context.Context, name string) bool {
	t, over := heldIn(ctx, l).find(name)
	return t != nil || over != nil
}
