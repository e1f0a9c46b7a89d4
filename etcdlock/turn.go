package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// turn is the use that one Lock makes of a hold.
type turn struct {
	e      *entry
	h      *hold // nil for a fixed term
	n      int64
	begun  time.Time
	ctx    context.Context // ends with the turn, or when the hold is lost
	cancel context.CancelCauseFunc
	owner  *Lock // guarded by stations.mu; nil while it is being made

	nested dependents // Locks that have it from an outer one

	attempted  sync.Once
	attempting chan struct{} // has room for the one attempt that is open
	attempts   atomic.Int64  // drawn so far
}

func newTurn(e *entry, h *hold, n int64) *turn {
	t := &turn{e: e, h: h, n: n, begun: time.Now()}
	t.ctx, t.cancel = context.WithCancelCause(e.ctx)
	return t
}

// belongsTo names the Lock that has nothing but this turn.
func (t *turn) belongsTo(k *Lock) {
	t.e.l.stations.mu.Lock()
	t.owner = k
	gone := t.h.s.turn != t
	t.e.l.stations.mu.Unlock()
	if gone { // lost before it could be known whose it is
		k.l.leave(k)
	}
}

// live reports whether it is the turn's time right now.
func (t *turn) live() bool { return t.e.lease.Alive() && t.ctx.Err() == nil }

// over returns why the turn ended without having been given back.
func (t *turn) over() error {
	if t.live() {
		return nil
	}
	if cause := context.Cause(t.ctx); errors.Is(cause, ErrLost) || errors.Is(cause, ErrClosed) {
		return cause
	}
	return nil
}

// ended says why a turn that is not live has ended. Whatever the reason, the
// error matches ErrLost: nothing is held.
func (t *turn) ended() error {
	switch cause := context.Cause(t.ctx); {
	case cause == nil: // the lease has run out, and nobody has said so yet
		return fmt.Errorf("%w: its lease has run out", ErrLost)
	case errors.Is(cause, ErrLost):
		return cause
	case errors.Is(cause, ErrClosed):
		return fmt.Errorf("%w: %w", ErrLost, cause)
	default:
		return errGivenBack
	}
}

// finish ends the turn and lets the hold go on. It returns the hold if that is
// to be released now, which is up to the caller.
func (t *turn) finish() (leaves *hold) {
	t.cancel(nil)
	if t.h == nil {
		t.e.end()
		return nil
	}
	if errors.Is(context.Cause(t.e.ctx), ErrLost) {
		t.h.gone()
		return nil
	}
	s := t.h.s
	s.l.stations.mu.Lock()
	defer s.l.stations.mu.Unlock()
	if s.turn != t {
		return nil // lost just now
	}
	s.turn = nil
	return s.advance()
}
