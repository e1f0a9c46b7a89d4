package lockedrepo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/repo"
)

// How long a call waits for its lock to be given back, for the name of a holder
// to put into an error, and for etcd's revision when the store has refused a
// claim. The lock is released in any case.
const (
	releaseTimeout  = 5 * time.Second
	holderTimeout   = 500 * time.Millisecond
	revisionTimeout = 2 * time.Second
)

// ErrRelease marks the error of a write that was done, but whose lock was not
// given back as it should. The error matches etcdlock.ErrLost too when the lock
// had been lost, so that another holder may have written at the same time, and
// etcdlock.ErrUnavailable when etcd does not answer; the release then goes on
// in the background. The entities that a method returns beside it are valid.
var ErrRelease = errors.New("lockedrepo: the write was done, giving back its lock failed")

// locked runs work while the lock is held:
//
//  1. A call under a transaction joins the transaction's locks, which are kept
//     until its end, or is refused.
//  2. Take the lock, waiting no longer than the timeout.
//  3. Work with the hold's context, which ends when the lock is lost and when
//     the caller's context does, and with the claims that the store checks.
//  4. Give the lock back, whatever happened, on a context of its own.
func (r *Repository[T]) locked(ctx context.Context, work func(context.Context) error) error {
	return r.lockedAs(ctx, join, work)
}

// lockedAs is locked with a say in what the error of a release means beside
// that of the work.
func (r *Repository[T]) lockedAs(ctx context.Context, join func(work, release error) error, work func(context.Context) error) (err error) {
	switch r.TxState(ctx) {
	case repo.TxForeign:
		return fmt.Errorf("%w: the lock on %q would be given back before the commit; open the transaction with InTx of a locked repository on the same database", repo.ErrInTx, r.key)
	case repo.TxJoined:
		scope, err := scopeFrom(ctx)
		if err != nil {
			return fmt.Errorf("%w: the transaction was not opened by InTx of a locked repository", err)
		}
		hold, err := scope.lock(ctx, r.locker, r.key, r.timeout, r.unfenced)
		if err != nil {
			return err
		}
		return r.refusal(ctx, underHold(ctx, hold, func(ctx context.Context) error {
			return work(scope.fence(ctx))
		}))
	case repo.TxNone:
	}
	hold, err := acquire(ctx, r.locker, r.key, r.timeout)
	if err != nil {
		return err
	}
	defer func() { err = join(err, release(ctx, hold)) }()
	return r.fenced(ctx, hold, work)
}

// acquire takes the lock within timeout. The error of a wait that took too
// long names the holder.
func acquire(ctx context.Context, locker *etcdlock.Locker, key string, timeout time.Duration) (*etcdlock.Lock, error) {
	wait, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	hold, err := locker.Lock(wait, key)
	if err == nil {
		return hold, nil
	}
	if errors.Is(err, etcdlock.ErrTimeout) {
		return nil, fmt.Errorf("lockedrepo: %w: %s", err, holder(ctx, locker, key))
	}
	return nil, fmt.Errorf("lockedrepo: %w", err)
}

// holder describes who has the lock, for an error text.
func holder(ctx context.Context, locker *etcdlock.Locker, key string) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), holderTimeout)
	defer cancel()
	holders, err := locker.Holders(ctx, key)
	if err != nil || len(holders) == 0 {
		return "holder unknown"
	}
	text := "held by " + holders[0].String()
	if since := holders[0].Since; !since.IsZero() {
		text += " since " + since.Format(time.RFC3339)
	}
	return text
}

// underHold runs work for the caller's context and the hold, and says in its
// error which of them ended when one did.
func underHold(caller context.Context, hold *etcdlock.Lock, work func(context.Context) error) error {
	ctx, cancel := hold.Bind(caller)
	defer cancel()
	err := work(ctx)
	if err != nil && ctx.Err() != nil {
		// Drivers report a bare "context canceled"; the cause says why.
		if cause := context.Cause(ctx); !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
	}
	return err
}

// release gives the lock back on a context of its own: the caller's may be
// done, which is no reason to keep others waiting for a lease to expire.
func release(ctx context.Context, hold *etcdlock.Lock) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	return hold.Unlock(ctx)
}

// join puts the error of a release beside the one of a write.
func join(err, unlock error) error {
	switch {
	case unlock == nil:
		return err
	case err == nil:
		return fmt.Errorf("%w: %w", ErrRelease, unlock)
	default:
		return errors.Join(err, unlock)
	}
}

// joinRead puts the error of a release beside the one of a read, which has
// done nothing and cannot be relied on when its hold had ended.
func joinRead(err, unlock error) error {
	if err == nil && unlock != nil {
		return fmt.Errorf("lockedrepo: the hold ended while reading under it: %w", unlock)
	}
	return errors.Join(err, unlock)
}
