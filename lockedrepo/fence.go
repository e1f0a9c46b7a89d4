package lockedrepo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/repo"
)

// claims makes the claims of a store out of those of the lock.
func claims(attempt *etcdlock.Attempt) []repo.Claim {
	drawn := attempt.Claims()
	shown := make([]repo.Claim, len(drawn))
	for i, c := range drawn {
		shown[i] = repo.Claim{Key: c.Name, Token: c.Token, Owner: c.Owner, Sub: c.Turn<<32 | c.Attempt}
	}
	return shown
}

// fence is that of a call with a transaction of its own, or with none.
type fence struct{ *etcdlock.Attempt }

func (f fence) Claims() []repo.Claim { return claims(f.Attempt) }

// Claims are those of all locks that the transaction holds.
func (s *scope) Claims() []repo.Claim {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []repo.Claim
	for _, h := range s.held {
		if h.attempt != nil {
			all = append(all, claims(h.attempt)...)
		}
	}
	slices.SortFunc(all, func(a, b repo.Claim) int { return cmp.Compare(a.Key, b.Key) })
	return all
}

// fence returns a context under which the store is shown the claims of the
// transaction, if it has any.
func (s *scope) fence(ctx context.Context) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.ContainsFunc(s.held, func(h scopeHold) bool { return h.attempt != nil }) {
		return ctx
	}
	return repo.WithFence(ctx, s)
}

// attempt opens an attempt under the hold, waiting no longer than timeout for
// those of other goroutines that share it.
func attempt(ctx context.Context, hold *etcdlock.Lock, timeout time.Duration) (*etcdlock.Attempt, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	a, err := hold.Attempt(ctx)
	if err != nil {
		return nil, fmt.Errorf("lockedrepo: %w", err)
	}
	return a, nil
}

// fenced runs work for the caller's context under the hold, with its claims.
func (r *Repository[T]) fenced(caller context.Context, hold *etcdlock.Lock, work func(context.Context) error) error {
	if r.unfenced {
		return underHold(caller, hold, work)
	}
	a, err := attempt(caller, hold, r.timeout)
	if err != nil {
		return err
	}
	defer a.Close()
	err = underHold(caller, hold, func(ctx context.Context) error { return work(repo.WithFence(ctx, fence{a})) })
	if errors.Is(err, repo.ErrFenced) {
		hold.Retire() // whoever tries again is to have a new token
	}
	return r.refusal(caller, err)
}

// refusal tells a holder that was late from an etcd that is older than what the
// store has seen, which no retry will change.
func (r *Repository[T]) refusal(ctx context.Context, err error) error {
	refused, ok := errors.AsType[*repo.FencedError](err)
	if !ok || !overtaken(refused) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revisionTimeout)
	defer cancel()
	now, asked := r.locker.Revision(ctx)
	if asked != nil {
		return err
	}
	batch, ok := errors.AsType[*repo.BatchError](err)
	if !ok {
		return regressed(err, now)
	}
	for _, it := range batch.Items {
		it.Err = regressed(it.Err, now)
	}
	return err
}

// overtaken reports whether the stored claim is of a later hold.
func overtaken(e *repo.FencedError) bool {
	return e.Stored.Epoch() == e.Presented.Epoch() && e.Stored.Revision() > e.Presented.Revision()
}

// regressed replaces a refusal by a hold that etcd, being at the revision now,
// cannot have given.
func regressed(err error, now int64) error {
	refused, ok := errors.AsType[*repo.FencedError](err)
	if !ok || !overtaken(refused) || refused.Stored.Revision() <= now {
		return err
	}
	return fmt.Errorf("lockedrepo: %w: etcd is at revision %d; %s is stored, %s was presented", repo.ErrRegressed, now, refused.Stored, refused.Presented)
}

// reading runs a read. Under a context that holds the key, or in a transaction,
// it is part of what the lock protects, and is made like a write: what a stale
// holder reads must not let it overwrite what a newer one saves.
func (r *Repository[T]) reading(ctx context.Context, work func(context.Context) error) error {
	if r.unfenced || r.TxState(ctx) == repo.TxNone && !r.locker.Holding(ctx, r.key) {
		return work(ctx)
	}
	if _, err := scopeFrom(ctx); err != nil && r.TxState(ctx) != repo.TxNone {
		return work(ctx) // in a transaction that is not ours nothing is protected
	}
	return r.lockedAs(ctx, joinRead, work)
}

// readValue is reading for work that returns something.
//
//nolint:revive // r stands for the receiver, which a generic method cannot have
func readValue[T, V any](r *Repository[T], ctx context.Context, work func(context.Context) (V, error)) (V, error) {
	var v V
	err := r.reading(ctx, func(ctx context.Context) (err error) {
		v, err = work(ctx)
		return err
	})
	if err != nil {
		var none V
		return none, err
	}
	return v, nil
}
