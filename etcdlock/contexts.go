package etcdlock

import (
	"context"
	"errors"
)

// carrier is the context of a Lock: one that ends with the turn, and has the
// values of the context that the Lock was taken under.
type carrier struct {
	context.Context
	values context.Context //nolint:containedctx // this is a context
	k      *Lock
}

func (c *carrier) Value(key any) any {
	if key == any(heldKey{c.k.l}) {
		return &c.k.held
	}
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}

// Context returns the context of the hold: give it to the work that the lock
// protects, and to calls of Lock that may be nested. It carries the values of
// the context given to Lock, but neither its deadline nor its cancellation. It
// ends when the lock is given back, when it is lost ([context.Cause] then
// matches ErrLost), and when the Locker is closed (ErrClosed).
func (k *Lock) Context() context.Context { return &k.ctx }

// Bind returns a context for work that the lock protects and that ctx asked
// for: it carries the hold as Context does, has the values, the deadline and
// the cancellation of ctx, and ends with the hold's cause when the hold ends.
// The function returned ends it and frees what it keeps; call it when the work
// is done.
func (k *Lock) Bind(ctx context.Context) (context.Context, context.CancelFunc) {
	carried, all := heldIn(ctx, k.l), k.held.all()
	switch {
	case carried == nil:
		ctx = context.WithValue(ctx, heldKey{k.l}, &k.held)
	case !carried.includes(all):
		// Under ctx more may be held than when this Lock was taken, and less.
		ctx = context.WithValue(ctx, heldKey{k.l}, &held{outer: carried, parts: all})
	}
	bound, cancel := context.WithCancelCause(ctx)
	forget := k.ends.add(cancel)
	// If it is lost, or has ended before.
	stop := context.AfterFunc(&k.ctx, func() { cancel(context.Cause(&k.ctx)) })
	return bound, func() {
		stop()
		forget()
		cancel(nil)
	}
}

// hook ends the Lock's context when the turn ends; one that is merely around
// this Lock counts only when it is lost.
func (k *Lock) hook(t *turn, mine bool) {
	if mine {
		k.unhook = append(k.unhook, t.nested.add(k.end))
	}
	k.unhook = append(k.unhook, context.AfterFunc(t.Ctx, func() {
		cause := context.Cause(t.Ctx)
		lost := errors.Is(cause, ErrLost)
		if lost && mine {
			k.l.exit(k) // Close need not wait for what is not held
			if k.fixed != nil {
				k.l.hooks.lost(t.Name(), cause)
			}
		}
		if mine || lost || errors.Is(cause, ErrClosed) {
			k.cancel(cause)
		}
	}))
}

// end ends the Lock's context, and those that are bound to it.
func (k *Lock) end(cause error) {
	k.cancel(cause)
	k.ends.end(context.Cause(&k.ctx))
}

// endContexts ends every context of the Lock, and of those that are nested in it, before
// the next has its turn. over is why the hold ended before, or nil.
func (k *Lock) endContexts(over error) {
	k.end(over)
	for _, p := range k.held.parts {
		if !p.nested {
			p.turn.Cancel(nil)
			p.turn.nested.end(context.Cause(p.turn.Ctx))
		}
	}
}
