package etcdlock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/samber/lo"

	"github.com/holdfast-go/holdfast/etcdlock/internal/queue"
	"github.com/holdfast-go/holdfast/etcdlock/internal/session"
)

// Extend begins the fixed term of a Lock again: it ends ttl from now, be that later or
// earlier than before. ttl is checked and rounded as by LockWithTTL. The token stays.
//
// After an error the term ends when it would have ended, or when the new one would, whichever
// is first.
//
// Errors: ErrLost if the lock has ended, ErrUnsupported for a Lock without a term, which is
// renewed by itself, ErrInvalid, ErrRefused, ErrUnavailable if etcd did not confirm before
// ctx or the term ended, with the error of ctx.
func (k *Lock) Extend(ctx context.Context, ttl time.Duration) error {
	const doing = "extending a fixed term"
	if ctx == nil {
		return invalid(doing, "nil context")
	}
	want, err := termOf(doing, ttl)
	if err != nil {
		return err
	}
	if k.fixed == nil || !k.fixed.HasTerm() {
		return fmt.Errorf("etcdlock: %s: %w: the lock has none", doing, ErrUnsupported)
	}
	k.term.mu.Lock()
	defer k.term.mu.Unlock()
	if err = k.ended(); err == nil {
		err = k.extend(ctx, want)
	}
	switch {
	case err == nil:
		return nil
	case k.ended() != nil:
		return fmt.Errorf("etcdlock: %s: %w", doing, k.ended())
	case errors.Is(err, ErrInvalid):
		return fmt.Errorf("etcdlock: %s: %w", doing, err)
	case ctx.Err() != nil:
		return fmt.Errorf("etcdlock: %s: %w: %w", doing, ErrUnavailable, contextError(ctx))
	default:
		return fmt.Errorf("etcdlock: %s: %w", doing, session.Unserved(err))
	}
}

// ended says why the Lock has ended, nil if it goes on.
func (k *Lock) ended() error {
	if k.fixed != nil {
		_ = context.Cause(k.fixed.Ctx()) // if it is ending, the turns below it have ended then
	}
	for _, p := range k.held.parts {
		if !p.turn.Live() {
			return p.turn.Ended()
		}
	}
	return nil
}

// extend asks etcd until it has answered, ctx ends, or the lock does.
func (k *Lock) extend(ctx context.Context, want time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(k.fixed.Ctx(), cancel)()
	if k.term.leases == nil {
		k.term.leases = []*session.Lease{k.fixed}
	}
	now := k.term.leases[len(k.term.leases)-1]
	if now.TTL() != want || len(k.term.leases) > 1 {
		return k.move(ctx, want)
	}
	again := false
	err := k.untilAnswered(ctx, func(ctx context.Context) error {
		probe := again
		again = true
		return now.Renew(ctx, probe)
	})
	if session.LeaseGone(err) {
		k.fixed.Lose(fmt.Errorf("lease %x: %w", int64(now.ID), err))
	}
	if err == nil {
		now.StartTerm()
		k.fixed.EndWith(now)
	}
	return err
}

// move moves the names to a lease of the term.
func (k *Lock) move(ctx context.Context, want time.Duration) error {
	var to *session.Lease
	err := k.untilAnswered(ctx, func(ctx context.Context) (err error) {
		to, err = k.l.grantTerm(ctx, want)
		return err
	})
	if err != nil {
		if to != nil {
			to.Retire()
		}
		return err
	}
	to.StartTerm()
	k.fixed.EndBy(to) // some names may move, and others not
	k.term.leases = append(k.term.leases, to)
	nodes := lo.Map(k.held.parts, func(p part, _ int) *queue.Node { return p.turn.place() })
	for some := range slices.Chunk(nodes, queue.MaxMoved) {
		if err := k.untilAnswered(ctx, func(ctx context.Context) error { return k.l.queues.Move(ctx, some, to) }); err != nil {
			// It would keep others waiting if the lock ends by itself.
			k.term.unhook = append(k.term.unhook, context.AfterFunc(k.fixed.Ctx(), to.Retire))
			return err
		}
	}
	for _, old := range k.term.leases[:len(k.term.leases)-1] {
		old.Retire()
	}
	k.term.leases = []*session.Lease{to}
	if !k.fixed.Alive() {
		to.Retire()
		return context.Cause(k.fixed.Ctx())
	}
	k.fixed.EndWith(to)
	return nil
}

// untilAnswered sends a request until etcd has answered it, with that answer.
func (k *Lock) untilAnswered(ctx context.Context, send func(ctx context.Context) error) error {
	var pace session.Backoff
	for {
		err := send(ctx)
		if err == nil || errors.Is(err, ErrInvalid) || errors.Is(err, ErrLost) || session.LeaseGone(err) || k.l.session.Final(err) || !pace.Wait(ctx) {
			return err
		}
	}
}

// Remaining tells for how long the Lock is sure to last still: a fixed term to its end, and a
// lock that is renewed to the end of the lease if etcd was not reached any more. It is 0 when
// the Lock was given back or lost.
func (k *Lock) Remaining() time.Duration {
	if k.ctx.Err() != nil || k.ended() != nil {
		return 0
	}
	left := maxTTL
	for _, p := range k.held.parts {
		left = min(left, p.turn.Node.Remaining())
	}
	return max(left, 0)
}
