package cohort

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// ErrGivenBack says that a hold is used after it was given back. It matches session.ErrLost,
// since the caller holds nothing, and does not say that anything was lost.
var ErrGivenBack error = givenBackError{}

type givenBackError struct{}

func (givenBackError) Error() string        { return "it was given back by Unlock" }
func (givenBackError) Is(target error) bool { return target == session.ErrLost }

// Turn is the use that one goroutine makes of a hold. Its fields are for reading.
type Turn struct {
	N      int64 // number of the turn in the hold, from 1 on
	Begun  time.Time
	Node   Node
	Ctx    context.Context //nolint:containedctx // ends with the turn, or when the hold is lost
	Cancel context.CancelCauseFunc

	hold  *Hold // nil if it is alone
	owner Owner // guarded by the mutex; nil while it is being made
}

// Owner is who has a turn. Lost is called, with no mutex held, when the hold is lost.
type Owner interface{ Lost() }

// Alone begins a turn with a node that no other goroutine can have.
func (t *Turn) Alone(n Node) { t.start(n.Context(), n, nil, 1) }

func (t *Turn) start(ctx context.Context, n Node, h *Hold, number int64) {
	t.Node, t.hold, t.N, t.Begun = n, h, number, time.Now()
	t.Ctx, t.Cancel = context.WithCancelCause(ctx)
}

// Name is the name that the turn is of.
func (t *Turn) Name() string { return t.Node.Name() }

// BelongsTo names the owner, if that has nothing but this turn.
func (t *Turn) BelongsTo(o Owner) {
	mu := &t.hold.c.all.mu
	mu.Lock()
	t.owner = o
	gone := t.hold.c.turn != t
	mu.Unlock()
	if gone { // lost before it could be known whose it is
		o.Lost()
	}
}

// Live reports whether it is the turn's time right now.
func (t *Turn) Live() bool { return t.Node.Alive() && t.Ctx.Err() == nil }

// Over returns why the turn ended without having been given back.
func (t *Turn) Over() error {
	if t.Live() {
		return nil
	}
	if cause := context.Cause(t.Ctx); errors.Is(cause, session.ErrLost) || errors.Is(cause, session.ErrClosed) {
		return cause
	}
	return nil
}

// Ended says why a turn that is not live has ended. Whatever the reason, the
// error matches ErrLost: nothing is held.
func (t *Turn) Ended() error {
	switch cause := context.Cause(t.Ctx); {
	case cause == nil: // the lease has run out, and nobody has said so yet
		return fmt.Errorf("%w: its lease has run out", session.ErrLost)
	case errors.Is(cause, session.ErrLost):
		return cause
	case errors.Is(cause, session.ErrClosed):
		return fmt.Errorf("%w: %w", session.ErrLost, cause)
	default:
		return ErrGivenBack
	}
}

// Finish ends the turn and lets the hold go on. It returns the hold if the caller
// must release it now.
func (t *Turn) Finish() (leaves *Hold) {
	t.Cancel(nil)
	if t.hold == nil {
		t.Node.End()
		return nil
	}
	if errors.Is(context.Cause(t.hold.ctx), session.ErrLost) {
		t.hold.gone()
		return nil
	}
	c := t.hold.c
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	if c.turn != t {
		return nil // lost just now
	}
	c.turn = nil
	return c.advance()
}

// Retire keeps everybody else from using the hold.
func (t *Turn) Retire() {
	if t.hold != nil {
		t.hold.c.all.mu.Lock()
		defer t.hold.c.all.mu.Unlock()
		t.hold.retired = true
	}
}
