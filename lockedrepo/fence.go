package lockedrepo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/etcdlock"
	"github.com/holdfast-go/holdfast/internal/fencing"
	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/driver"
)

// claims makes the claims of a store out of those of the lock.
func claims(attempt fencing.Attempt) []repo.Claim {
	drawn := attempt.Claims()
	shown := make([]repo.Claim, len(drawn))
	for i, c := range drawn {
		shown[i] = repo.Claim{Key: c.Name, Token: c.Revision, Owner: c.Owner, Sub: c.Turn<<32 | c.Attempt}
	}
	return shown
}

// drawer draws claims until its attempt ends. A goroutine that is left behind may
// ask for them later. It gets the last ones again, which no store accepts twice.
type drawer struct {
	mu      sync.Mutex
	attempt fencing.Attempt // nil when it has ended
	last    []repo.Claim
}

func (d *drawer) Claims() []repo.Claim {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.attempt != nil {
		d.last = claims(d.attempt)
	}
	return slices.Clone(d.last)
}

func (d *drawer) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil {
		d.last = claims(d.attempt)
	}
	d.attempt.Close()
	d.attempt = nil
}

// fence is that of a call with a transaction of its own, or with none. It is a
// driver.Guard.
type fence struct {
	*drawer
	guards []string
}

func (f fence) Keys() []string { return f.guards }

// unfenced takes the fence of another call or transaction away.
func unfenced(ctx context.Context) context.Context {
	if _, fenced := driver.FenceFrom(ctx); fenced {
		return driver.WithFence(ctx, nil)
	}
	return ctx
}

// attempt opens an attempt under the hold, waiting no longer than timeout for
// those of other goroutines that share it.
func attempt(ctx context.Context, doing string, h *hold, timeout time.Duration) (*drawer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	a, err := fencing.OfLock(h.lock).Attempt(ctx)
	if errors.Is(err, etcdlock.ErrTimeout) {
		return nil, fmt.Errorf("lockedrepo: %s: %w: %s", doing, err, waitsForItself)
	}
	if err != nil {
		return nil, fmt.Errorf("lockedrepo: %s: %w", doing, err)
	}
	return &drawer{attempt: a}, nil
}

// fencedOff runs work for the caller's context under the hold, with its claims.
func (m *member) fencedOff(caller context.Context, doing string, h *hold, work func(context.Context) error) error {
	if len(m.fenced) == 0 {
		return underHold(caller, h, work)
	}
	d, err := attempt(caller, doing, h, m.timeout)
	if err != nil {
		return err
	}
	defer d.close()
	err = underHold(caller, h, func(ctx context.Context) error { return work(driver.WithFence(ctx, fence{d, m.guards})) })
	if errors.Is(err, repo.ErrFenced) {
		fencing.OfLock(h.lock).Retire() // the next try gets a new token
	}
	return m.refusal(caller, err)
}

// refusal tells a holder that was late from an etcd that is older than what the
// store has seen, which no retry will change.
func (x exclusion) refusal(ctx context.Context, err error) error {
	refused, ok := errors.AsType[*repo.FencedError](err)
	if !ok || !overtaken(refused) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revisionTimeout)
	defer cancel()
	now, asked := fencing.OfLocker(x.locker).Revision(ctx)
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
	return fmt.Errorf("lockedrepo: comparing etcd with the store: %w: etcd is at revision %d; %s is stored, %s was presented", repo.ErrRegressed, now, refused.Stored, refused.Presented)
}
