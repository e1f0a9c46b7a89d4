package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/holdfast-go/holdfast/etcdlock/internal/cohort"
	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// loser is a Lock whose only turn is lost.
type loser Lock

// Lost has Close wait no longer for what is not held.
func (k *loser) Lost() { k.l.exit((*Lock)(k)) }

// Lock is one or more names held. Its methods are safe for concurrent use.
type Lock struct {
	l        *Locker
	held     held    // what contexts of this Lock carry
	one      [1]part // its only name, if it has no more
	ctx      carrier
	cancel   context.CancelCauseFunc
	fixed    *session.Lease // own lease of a fixed term, or of one taken by force, else nil
	term     term           // how that was extended
	unhook   []func() bool
	once     sync.Once
	ends     dependents
	released chan struct{} // closed when what etcd was asked is answered; nil if it was not asked
	err      error         // result of the release
}

// term is how a fixed term was extended. A lease cannot be given another length, so the names
// move to a new one. Lock.fixed stays what the Lock lives by, for the process: it is valid for
// as long as the lease in etcd is.
type term struct {
	mu     sync.Mutex
	leases []*session.Lease // on which the names may be in etcd; nil as long as that is Lock.fixed
	unhook []func() bool
}

func (l *Locker) newLock(ctx context.Context, outer *held, parts []part, fixed *session.Lease) *Lock {
	l.hooks.taken(parts)
	k := &Lock{l: l, fixed: fixed}
	if len(parts) == 1 {
		k.one[0] = parts[0]
		parts = k.one[:]
	}
	k.held = held{outer: outer, parts: parts}
	k.ctx.values, k.ctx.k = ctx, k //nolint:fatcontext // a field of the Lock itself, set once
	own := false
	for _, p := range parts {
		own = own || !p.nested
	}
	if own {
		l.entered(k)
	} else {
		l.entered(nil)
	}
	if t := parts[0].turn; outer == nil && fixed == nil && len(parts) == 1 {
		// One name alone, as most are: its turn has all that the Lock needs.
		k.ctx.Context, k.cancel = t.Ctx, t.Cancel
		t.BelongsTo((*loser)(k))
		return k
	}
	k.ctx.Context, k.cancel = context.WithCancelCause(context.Background())
	for _, p := range parts {
		k.hook(p.turn, true)
	}
	// The work done under this Lock is done under the outer ones as well.
	for ; outer != nil; outer = outer.outer {
		for _, p := range outer.parts {
			k.hook(p.turn, false)
		}
	}
	return k
}

// Token returns a number that grows from each hold of the name to the next:
// the create revision of its key in etcd. Goroutines of one process that are
// handed the hold one after the other have the same token, and differ by the Turn of
// their [FencingToken]. It is 0 for a Lock of several names.
func (k *Lock) Token() int64 {
	if len(k.held.parts) != 1 {
		return 0
	}
	return k.held.parts[0].turn.Node.Token()
}

// TokenOf returns the token of one of the Lock's names, and false for a name
// that it does not hold.
func (k *Lock) TokenOf(name string) (int64, bool) {
	if t := k.turnOf(name); t != nil {
		return t.Node.Token(), true
	}
	return 0, false
}

func (k *Lock) turnOf(name string) *turn {
	for _, p := range k.held.parts {
		if p.turn.Name() == name {
			return p.turn
		}
	}
	return nil
}

// Unlock ends the Lock's context and gives its names back. A name that another
// goroutine of this process waits for, or that lingers, stays held in etcd,
// which is then not asked. The lock is given back even if ctx is over already:
// ctx bounds only how long the caller waits for etcd's answer, and the release
// goes on in the background until it is certain. A nested Lock gives nothing
// back; its hold ends with the outermost.
//
// Once the outcome is known, every further call returns the same.
//
// Errors: ErrLost if the lock was lost before (what was done under it may have
// overlapped with another holder), ErrClosed if Close took it away,
// ErrRefused if etcd refuses it, ErrUnavailable if it did not confirm before the lease
// ended; those of ctx
// when it ended first, with ErrUnavailable if etcd does not answer.
func (k *Lock) Unlock(ctx context.Context) error {
	if ctx == nil {
		return invalid("unlocking", "nil context")
	}
	k.giveBack()
	if k.released == nil {
		return k.err
	}
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
	if silent := k.l.session.Silent(); silent != nil {
		return fmt.Errorf("etcdlock: unlocking, which goes on in the background: %w: %w: %w", ErrUnavailable, contextError(ctx), silent)
	}
	return fmt.Errorf("etcdlock: unlocking, which goes on in the background: %w", contextError(ctx))
}

// giveBack ends the contexts, then hands the names on, or has their keys
// removed.
func (k *Lock) giveBack() { k.once.Do(func() { k.handBack(k.leave()) }) }

// leave ends the contexts and all turns. It returns the holds that must be released, and
// why the Lock had ended before, if it had.
func (k *Lock) leave() (leaving []*cohort.Hold, over error) {
	for _, unhook := range k.unhook {
		unhook()
	}
	for _, p := range k.held.parts {
		if err := p.turn.Over(); err != nil {
			over = errors.Join(over, err)
		}
	}
	k.endContexts(over)
	for _, p := range k.held.parts {
		if p.nested {
			continue
		}
		k.l.hooks.held(p.turn)
		if h := p.turn.Finish(); h != nil {
			leaving = append(leaving, h)
		}
	}
	return leaving, over
}

// handBack releases what must be released, in the background if that need not be waited for.
func (k *Lock) handBack(leaving []*cohort.Hold, over error) {
	switch {
	case len(leaving) == 0 && (k.fixed == nil || k.fixed.Ctx().Err() != nil):
		k.finish(over) // etcd is asked nothing
	case k.fixed == nil && !slices.ContainsFunc(leaving, (*cohort.Hold).Unawaited):
		// Others are waiting for it. The caller need not wait too.
		for _, h := range leaving {
			k.l.cohorts.LetGo(h)
		}
		k.finish(over)
	default:
		k.released = make(chan struct{})
		release := func() {
			k.finish(errors.Join(over, k.release(leaving)))
			close(k.released)
		}
		if !k.l.session.Spawn(release) {
			release()
		}
	}
}

// finish records the outcome of the release.
func (k *Lock) finish(err error) {
	if err != nil {
		k.err = fmt.Errorf("etcdlock: unlocking: %w", err)
	}
	k.l.exit(k)
}

// release removes the keys of the holds that leave, all at the same time, and
// returns once each outcome is known.
func (k *Lock) release(leaving []*cohort.Hold) error {
	if k.fixed != nil {
		return k.releaseFixed()
	}
	errs := make([]error, len(leaving))
	var wg sync.WaitGroup
	for i, h := range leaving {
		wg.Go(func() { errs[i] = h.Release() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// releaseFixed gives the names of a fixed term back, then its lease. The lease alone
// would do for those who wait, but would not tell whether the keys were there still.
func (k *Lock) releaseFixed() error {
	defer k.fixed.End(nil)
	lost := make([]error, len(k.held.parts))
	var wg sync.WaitGroup
	for i, p := range k.held.parts {
		if n := p.turn.place(); !p.nested && !n.Gone() {
			wg.Go(func() {
				if err := n.Release(nil); errors.Is(err, ErrLost) {
					lost[i] = err
				}
			})
		}
	}
	wg.Wait()
	return errors.Join(errors.Join(lost...), k.revokeTerm())
}

// shut takes the Lock away because the Locker is being closed.
func (k *Lock) shut() {
	for _, p := range k.held.parts {
		if !p.nested {
			p.turn.Cancel(ErrClosed)
		}
	}
	k.giveBack()
}

// revokeTerm gives back the leases on which the names may be.
func (k *Lock) revokeTerm() error {
	k.term.mu.Lock()
	defer k.term.mu.Unlock()
	if k.term.leases == nil {
		return k.fixed.Revoke()
	}
	for _, unhook := range k.term.unhook {
		unhook()
	}
	var errs []error
	for _, s := range k.term.leases {
		errs = append(errs, s.Revoke())
	}
	return errors.Join(errs...)
}
