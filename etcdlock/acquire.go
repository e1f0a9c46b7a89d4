package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock/internal/cohort"
	"github.com/holdfast-go/holdfast/etcdlock/internal/queue"
	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// request is one call that takes a lock.
type request struct {
	doing string
	names []string
	wait  bool
	term  time.Duration // of a fixed term, else 0
	force bool          // those in front are removed
	ended func() error  // of the caller's context
}

func (r *request) String() string {
	return fmt.Sprintf("%s %q", r.doing, strings.Join(r.names, `", "`))
}

func (l *Locker) lock(ctx context.Context, r request) (*Lock, error) {
	if l.hooks.Waited == nil {
		return l.acquire(ctx, r)
	}
	begun := time.Now()
	k, err := l.acquire(ctx, r)
	l.hooks.Waited(r.names, time.Since(begun), err)
	return k, err
}

// acquire checks everything that can be known without asking etcd, then takes
// the names.
func (l *Locker) acquire(ctx context.Context, r request) (*Lock, error) {
	held, err := l.check(ctx, &r)
	if err != nil {
		return nil, err
	}
	if !l.enter() {
		return nil, fmt.Errorf("etcdlock: %s: %w", &r, ErrClosed)
	}
	if held == nil && r.term == 0 && !r.force && len(r.names) == 1 {
		t := new(turn)
		if l.cohorts.Relock(r.names[0], &t.Turn) {
			return l.opened(l.newLock(ctx, nil, []part{{turn: t}}, nil), &r)
		}
	}
	r.ended = ctx.Err
	wctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.closing, func() { cancel(ErrClosed) })()
	if !r.wait {
		var stop context.CancelFunc
		wctx, stop = context.WithTimeout(wctx, l.requestTimeout)
		defer stop()
	}
	var parts []part
	var fixed *session.Lease
	if r.term > 0 || r.force {
		parts, fixed, err = l.takeFixed(wctx, &r, held)
	} else {
		parts, err = l.takeAll(wctx, &r, held, nil)
	}
	if err != nil {
		l.entered(nil)
		return nil, l.explain(ctx, &r, err)
	}
	return l.opened(l.newLock(ctx, held, parts, fixed), &r)
}

// check checks a request, sorts its names, and returns what ctx holds.
func (l *Locker) check(ctx context.Context, r *request) (*held, error) {
	if ctx == nil {
		return nil, invalid(r.doing, "nil context")
	}
	sorted, err := l.checkNames(r.doing, r.names)
	if err != nil {
		return nil, err
	}
	r.names = sorted
	held := heldIn(ctx, l)
	for _, name := range r.names {
		t, over := held.find(name)
		if over != nil {
			return nil, fmt.Errorf("etcdlock: %s: the context's hold has ended: %w", r, over)
		}
		if t != nil && (r.term > 0 || r.force) {
			return nil, invalid(r.String(), "it cannot be nested in a hold of the same name")
		}
	}
	if ctx.Err() == nil {
		return held, nil
	}
	over := held.over()
	switch {
	case over == nil:
		return nil, l.explain(ctx, r, ctx.Err())
	case errors.Is(over, context.Cause(ctx)): // said already
		return nil, fmt.Errorf("etcdlock: %s: the context's hold has ended: %w: %w", r, over, ctx.Err())
	default:
		return nil, fmt.Errorf("etcdlock: %s: the context's hold has ended: %w: %w", r, over, contextError(ctx))
	}
}

// opened returns a Lock just made, unless Close, which may have looked for
// holds already, has begun.
func (l *Locker) opened(k *Lock, r *request) (*Lock, error) {
	if l.closing.Err() != nil {
		k.shut()
		return nil, fmt.Errorf("etcdlock: %s: %w", r, ErrClosed)
	}
	return k, nil
}

// explain turns the error of a wait into one that callers can match.
func (l *Locker) explain(ctx context.Context, r *request, err error) error {
	for _, ours := range []error{ErrLost, ErrHeld, ErrOrder, ErrInvalid} {
		if errors.Is(err, ours) {
			return fmt.Errorf("etcdlock: %s: %w", r, err)
		}
	}
	silent := l.session.Silent()
	switch {
	case ctx.Err() == nil && l.closing.Err() != nil:
		return fmt.Errorf("etcdlock: %s: %w", r, ErrClosed)
	case ctx.Err() == nil:
		return fmt.Errorf("etcdlock: %s: %w", r, session.Unserved(err))
	case !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("etcdlock: %s: %w", r, contextError(ctx))
	case silent != nil:
		return fmt.Errorf("etcdlock: %s: %w: %w: %w", r, ErrUnavailable, contextError(ctx), silent)
	default:
		return fmt.Errorf("etcdlock: %s: %w: %w", r, ErrTimeout, contextError(ctx))
	}
}

// takeAll takes the sorted names one after the other, each on the lease given
// or, without one, on the session's. On an error it gives back what it took.
func (l *Locker) takeAll(ctx context.Context, r *request, held *held, fixed *session.Lease) (_ []part, err error) {
	parts := make([]part, 0, len(r.names))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var unhook []func() bool
	defer func() {
		for _, f := range unhook {
			f()
		}
		if err == nil {
			return
		}
		for _, p := range parts {
			if !p.nested {
				l.cohorts.LetGo(p.turn.Finish())
			}
		}
	}()
	if !r.wait && fixed == nil && len(r.names) > 1 {
		// Of several names, the last may be the busy one: look at all of them
		// before writing anything.
		if err := l.prospects(ctx, r, held); err != nil {
			return parts, err
		}
	}
	for _, name := range r.names {
		if t, _ := held.find(name); t != nil {
			parts = append(parts, part{turn: t, nested: true})
			continue
		}
		t, err := l.take(ctx, r, name, under(held, parts), fixed)
		switch cause := context.Cause(ctx); {
		case err == nil:
		case errors.Is(cause, ErrLost):
			return parts, cause // of a name taken before this one
		default:
			return parts, err
		}
		parts = append(parts, part{turn: t})
		if len(r.names) > 1 {
			unhook = append(unhook, context.AfterFunc(t.Ctx, func() { cancel(context.Cause(t.Ctx)) }))
		}
	}
	return parts, r.ended() // which may have been before the last name was free
}

// prospects tells whether the names that are not held may be had by a try.
func (l *Locker) prospects(ctx context.Context, r *request, held *held) error {
	for _, name := range r.names {
		if t, _ := held.find(name); t != nil {
			continue
		}
		lingers, err := l.cohorts.Rest(ctx, name)
		if err == nil && !lingers {
			err = l.queues.Prospect(ctx, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take takes one name on top of what is held: through the cohort of the name or, with a lease
// of the Lock's own, with a place of its own in the queue.
func (l *Locker) take(ctx context.Context, r *request, name string, held *held, own *session.Lease) (*turn, error) {
	switch {
	case own != nil && (!r.wait || r.force):
		return l.takeOn(ctx, r, name, own)
	case !r.wait:
		t := new(turn)
		return t, l.cohorts.TryLock(ctx, name, &t.Turn)
	case held.sortsAfter(name):
		return l.takeOutOfOrder(ctx, r, name, held, own)
	default:
		return l.await(ctx, r, name, held, own)
	}
}

// await waits for the name.
func (l *Locker) await(ctx context.Context, r *request, name string, held *held, own *session.Lease) (*turn, error) {
	if own != nil {
		return l.takeOn(ctx, r, name, own)
	}
	t := new(turn)
	return t, l.cohorts.Lock(ctx, name, held.any(), &t.Turn)
}

// takeOn goes once through the queue, on a lease of the Lock's own.
func (l *Locker) takeOn(ctx context.Context, r *request, name string, own *session.Lease) (*turn, error) {
	q := l.queues.Queue(name, nil)
	defer q.Close()
	var n *queue.Node
	var err error
	switch {
	case !r.wait:
		n, err = q.TryOn(ctx, own)
	case r.force:
		n, err = q.Seize(ctx, own)
	default:
		n, err = q.EnqueueOn(ctx, own)
		if err == nil {
			err = n.Await(ctx)
		}
	}
	switch {
	case err != nil:
		return nil, err
	case !n.Alive():
		return nil, queue.ErrRequeue
	case r.force:
		l.cohorts.Disown(name, n.Token())
	}
	t := new(turn)
	t.Alone(cohort.NodeOf(n))
	return t, nil
}

// Lock takes all the names, in sorted order, and waits for each as long as
// ctx allows; ctx bounds nothing but the wait. On an error nothing is held.
//
// A name that ctx holds already (see [Lock.Context]) is not taken again: the
// Lock returned is nested in that hold. The wait for a name that sorts before one
// that ctx holds ends with an [OrderError] when it could be part of a deadlock, see
// Options.DeadlockTimeout.
//
// Errors: ErrTimeout (with [context.DeadlineExceeded]) when the deadline
// passed while others held a name, ErrUnavailable (likewise) when it passed
// while etcd did not answer, and at once when the client was closed; ErrRefused when
// etcd refuses it; [context.Canceled] and the cause when ctx was
// cancelled; ErrOrder; ErrLost when the own place in the queue was removed, or
// when a hold that ctx carries has ended; ErrClosed; ErrInvalid.
func (l *Locker) Lock(ctx context.Context, names ...string) (*Lock, error) {
	return l.lock(ctx, request{doing: "locking", names: names, wait: true})
}

// TryLock takes all the names if nobody uses or waits for any of them, and fails
// with ErrHeld otherwise. A hold that lingers in another process makes way. The
// first try of a hold that is in use asks it, which takes a moment, 100 ms if the
// hold began just now, and three writes; the others cost one read. A process that
// does not answer for a third of Options.RequestTimeout is taken to use the name.
// TryLock is bounded by RequestTimeout as well as by ctx.
//
// Errors: ErrHeld, and those of Lock except ErrOrder.
func (l *Locker) TryLock(ctx context.Context, names ...string) (*Lock, error) {
	return l.lock(ctx, request{doing: "trying to lock", names: names})
}

// Do calls fn while holding name. The context of fn is that of the hold, and
// ends with ctx too, so that fn stops when the lock is lost as well as when
// the caller gives up. The lock is given back when fn has returned or
// panicked, and only then.
//
// Errors: those of Lock, or fn's error joined with that of Unlock.
func (l *Locker) Do(ctx context.Context, name string, fn func(ctx context.Context) error) (err error) {
	if fn == nil {
		return invalid("locking", "nil function")
	}
	k, err := l.Lock(ctx, name)
	if err != nil {
		return err
	}
	defer func() {
		// ctx may be over, but the lock must be given back all the same.
		uctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.requestTimeout)
		defer cancel()
		err = errors.Join(err, k.Unlock(uctx))
	}()
	work, cancel := k.Bind(ctx)
	defer cancel()
	return fn(work)
}
