package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// hold is a name that this process owns in etcd. It is apart from the Lock
// that a caller sees: several Locks share a hold when they are nested.
type hold struct {
	l      *Locker
	e      *entry
	leave  func() // lets the next goroutine of this process have its turn; idempotent
	unhook func() bool
}

func newHold(e *entry, leave func()) *hold {
	h := &hold{l: e.l, e: e, leave: sync.OnceFunc(leave)}
	// A lost hold excludes nobody any more: it must not keep the goroutines
	// of this process waiting until its owner notices.
	h.unhook = context.AfterFunc(e.ctx, func() {
		if errors.Is(context.Cause(e.ctx), ErrLost) {
			h.leave()
		}
	})
	return h
}

// live reports whether the hold is held right now.
func (h *hold) live() bool { return h.e.lease.alive() && h.e.ctx.Err() == nil }

// over returns why the hold ended without having been given back.
func (h *hold) over() error {
	if h.live() {
		return nil
	}
	if cause := context.Cause(h.e.ctx); errors.Is(cause, ErrLost) || errors.Is(cause, ErrClosed) {
		return cause
	}
	return nil
}

// end ends the hold's context and returns why it was over before, if it was.
func (h *hold) end() error {
	over := h.over()
	h.unhook()
	h.e.end(nil)
	return over
}

// remove takes the key of a hold that has ended out of the queue. A lost one
// has none: it is gone, or goes with the lease.
func (h *hold) remove(over error) error {
	defer h.leave()
	if errors.Is(over, ErrLost) {
		return over
	}
	return errors.Join(over, h.e.release(h.leave))
}

// part is one name of a Lock.
type part struct {
	hold   *hold
	nested bool // the hold belongs to an outer Lock
}

// Lock is one or more names held. Its methods are safe for concurrent use.
type Lock struct {
	l        *Locker
	held     *held // what contexts of this Lock carry
	ctx      context.Context
	cancel   context.CancelCauseFunc
	parts    []part
	fixed    *lease // own lease of a fixed term, else nil
	unhook   []func() bool
	once     sync.Once
	released chan struct{}
	err      error // result of the release; valid after released
}

func (l *Locker) newLock(ctx context.Context, outer *held, parts []part, fixed *lease) *Lock {
	k := &Lock{l: l, held: &held{outer: outer, parts: parts}, parts: parts, fixed: fixed, released: make(chan struct{})}
	k.ctx, k.cancel = context.WithCancelCause(context.WithValue(context.WithoutCancel(ctx), heldKey{l}, k.held))
	own := false
	for _, p := range parts {
		own = own || !p.nested
	}
	if own {
		l.settle(k)
	} else {
		l.settle(nil)
	}
	for _, p := range parts {
		k.hook(p.hold, true)
	}
	// The work done under this Lock is done under the outer ones as well.
	for ; outer != nil; outer = outer.outer {
		for _, p := range outer.parts {
			k.hook(p.hold, false)
		}
	}
	return k
}

// hook ends the Lock's context when the hold ends; one that is merely around
// this Lock counts only when it is lost.
func (k *Lock) hook(h *hold, mine bool) {
	k.unhook = append(k.unhook, context.AfterFunc(h.e.ctx, func() {
		cause := context.Cause(h.e.ctx)
		lost := errors.Is(cause, ErrLost)
		if lost && mine {
			k.l.leave(k) // Close need not wait for what is not held
		}
		if mine || lost || errors.Is(cause, ErrClosed) {
			k.cancel(cause)
		}
	}))
}

// Context returns the context of the hold: give it to the work that the lock
// protects, and to calls of Lock that may be nested. It carries the values of
// the context given to Lock, but neither its deadline nor its cancellation. It
// ends when the lock is given back, when it is lost ([context.Cause] then
// matches ErrLost), and when the Locker is closed (ErrClosed).
func (k *Lock) Context() context.Context { return k.ctx }

// Bind returns a context for work that the lock protects and that ctx asked
// for: it carries the hold as Context does, has the values, the deadline and
// the cancellation of ctx, and ends with the hold's cause when the hold ends.
// The function returned ends it and frees what it keeps; call it when the work
// is done.
func (k *Lock) Bind(ctx context.Context) (context.Context, context.CancelFunc) {
	carried, all := heldIn(ctx, k.l), k.held.all()
	switch {
	case carried == nil:
		ctx = context.WithValue(ctx, heldKey{k.l}, k.held)
	case !carried.includes(all):
		// Under ctx more may be held than when this Lock was taken, and less.
		ctx = context.WithValue(ctx, heldKey{k.l}, &held{outer: carried, parts: all})
	}
	bound, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(k.ctx, func() { cancel(context.Cause(k.ctx)) })
	return bound, func() {
		stop()
		cancel(nil)
	}
}

// Token returns a number that grows from each hold of the name to the next:
// the create revision of its key in etcd. It is 0 for a Lock of several names.
func (k *Lock) Token() int64 {
	if len(k.parts) != 1 {
		return 0
	}
	return k.parts[0].hold.e.rev
}

// TokenOf returns the token of one of the Lock's names, and false for a name
// that it does not hold.
func (k *Lock) TokenOf(name string) (int64, bool) {
	for _, p := range k.parts {
		if p.hold.e.name == name {
			return p.hold.e.rev, true
		}
	}
	return 0, false
}

// Unlock ends the Lock's context and gives its names back. The lock is given
// back even if ctx is over already: ctx bounds only how long the caller waits
// for etcd's answer, and the release goes on in the background until it is
// certain. A nested Lock gives nothing back; its hold ends with the outermost.
//
// Once the outcome is known, every further call returns the same.
//
// Errors: ErrLost if the lock was lost before (what was done under it may have
// overlapped with another holder), ErrClosed if Close took it away,
// ErrUnavailable if etcd did not confirm before the lease ended; those of ctx
// when it ended first, with ErrUnavailable if etcd does not answer.
func (k *Lock) Unlock(ctx context.Context) error {
	if ctx == nil {
		return invalid("unlocking", "nil context")
	}
	k.giveBack()
	select {
	case <-k.released:
		return k.err
	default:
	}
	select {
	case <-k.released:
		return k.err
	case <-ctx.Done():
	}
	if silent := k.l.health.cause(); silent != nil {
		return fmt.Errorf("etcdlock: unlocking, which goes on in the background: %w: %w: %w", ErrUnavailable, contextError(ctx), silent)
	}
	return fmt.Errorf("etcdlock: unlocking, which goes on in the background: %w", contextError(ctx))
}

// giveBack ends the contexts, then has the keys removed.
func (k *Lock) giveBack() {
	k.once.Do(func() {
		for _, unhook := range k.unhook {
			unhook()
		}
		over := make([]error, len(k.parts))
		asks := false
		for i, p := range k.parts {
			if p.nested {
				over[i] = p.hold.over()
				continue
			}
			over[i] = p.hold.end()
			asks = asks || !errors.Is(over[i], ErrLost)
		}
		k.cancel(errors.Join(over...)) // nil, unless it was over before
		asks = asks || k.fixed != nil && k.fixed.ctx.Err() == nil
		release := func() {
			if err := k.remove(over); err != nil {
				k.err = fmt.Errorf("etcdlock: unlocking: %w", err)
			}
			k.l.leave(k)
			close(k.released)
		}
		if !asks || !k.l.spawn(release) {
			release() // asks etcd nothing
		}
	})
}

// remove removes the keys of the Lock's own holds, all at the same time, and
// returns once each outcome is known.
func (k *Lock) remove(over []error) error {
	errs := make([]error, len(k.parts))
	var wg sync.WaitGroup
	for i, p := range k.parts {
		switch {
		case p.nested:
			errs[i] = over[i]
		case k.fixed != nil:
			errs[i] = over[i]
			p.hold.leave()
		default:
			wg.Go(func() { errs[i] = p.hold.remove(over[i]) })
		}
	}
	wg.Wait()
	if k.fixed != nil && k.fixed.ctx.Err() == nil {
		errs = append(errs, k.fixed.revoke())
		k.fixed.cancel(nil)
	}
	return errors.Join(errs...)
}

// shut takes the Lock away because the Locker is being closed.
func (k *Lock) shut() {
	for _, p := range k.parts {
		if !p.nested {
			p.hold.e.cancel(ErrClosed)
		}
	}
	k.giveBack()
}
