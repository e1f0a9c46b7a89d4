package cohort

import "context"

// Lock takes the name, waiting in line for it, and begins the turn. holds tells that the
// caller holds others meanwhile. After an error the turn is nobody's.
func (a *Cohorts) Lock(ctx context.Context, name string, holds bool, t *Turn) error {
	w := &Waiter{turn: t, served: make(chan error, 1), holds: holds}
	a.mu.Lock()
	c := a.at(name)
	place := c.line.PushBack(w)
	leaves := c.advance()
	a.mu.Unlock()
	a.LetGo(leaves)

	select {
	case err := <-w.served:
		return err
	case <-ctx.Done():
	}
	a.mu.Lock()
	select {
	case err := <-w.served:
		a.mu.Unlock()
		if err == nil { // it came while ctx ended: hand it on
			a.LetGo(t.Finish())
		}
		return ctx.Err()
	default:
	}
	c.line.Remove(place)
	leaves = c.advance()
	a.mu.Unlock()
	a.LetGo(leaves)
	return ctx.Err()
}

// Relock takes a name whose hold lingers here, and reports false if none does.
func (a *Cohorts) Relock(name string, t *Turn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.byName[name]
	if c == nil || !c.lingers() || !c.hold.passes() {
		return false
	}
	c.begin(t)
	return true
}
