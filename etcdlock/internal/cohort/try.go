package cohort

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/etcdlock/internal/queue"
	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

var errHeldHere = fmt.Errorf("%w by another goroutine of this process", queue.ErrHeld)

// TryLock takes the name if nobody has it or wants it, and begins the turn. What it asks of
// the queue goes on in the background when ctx ends first, and what that brings is for the
// next in line.
//
// Errors: queue.ErrHeld, session.ErrClosed, those of ctx and of the queue.
func (a *Cohorts) TryLock(ctx context.Context, name string, t *Turn) error {
	if _, err := a.Rest(ctx, name); err != nil {
		return err
	}
	if a.Relock(name, t) {
		return nil
	}
	a.mu.Lock()
	c := a.at(name)
	if c.leader != nil || c.hold != nil || c.line.Len() > 0 {
		a.mu.Unlock()
		return errHeldHere
	}
	c.leader = &leader{}
	a.mu.Unlock()

	results := make(chan error)
	work := func() {
		n, err := c.queue.Try(ctx)
		err = c.tried(n, err, t)
		select {
		case results <- err:
		case <-ctx.Done():
			if err == nil {
				a.LetGo(t.Finish())
			}
		}
	}
	if !a.Spawn(work) { // closed: so is ctx
		return c.tried(nil, session.ErrClosed, t)
	}
	select {
	case err := <-results:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tried ends the leader of a try, and begins a turn if it has brought the name.
func (c *cohort) tried(n Node, err error, t *Turn) error {
	c.all.mu.Lock()
	c.leader = nil
	if err == nil {
		c.hold = newHold(c, n)
		c.begin(t)
	}
	leaves := c.advance()
	c.all.mu.Unlock()
	c.all.LetGo(leaves)
	return err
}

// Rest waits until no hold of the name that nobody here uses is on its way
// out, so that a TryLock does not meet what its own process leaves behind. It
// reports whether a hold lingers here, and fails with queue.ErrHeld if the name is in use.
func (a *Cohorts) Rest(ctx context.Context, name string) (lingers bool, err error) {
	for {
		a.mu.Lock()
		c := a.byName[name]
		if c == nil {
			a.mu.Unlock()
			return false, nil
		}
		var leaves *Hold
		if c.lingers() {
			if c.hold.passes() {
				a.mu.Unlock()
				return true, nil
			}
			leaves = c.detach()
		}
		if c.hold != nil || c.leader != nil || c.line.Len() > 0 {
			a.mu.Unlock()
			return false, errHeldHere
		}
		if c.departed == nil {
			c.departed = make(chan struct{})
		}
		departed := c.departed
		a.mu.Unlock()
		a.LetGo(leaves)
		select {
		case <-departed:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}
